"""Permission rules through the API: how their parts are read, who changes them, what is refused."""

from __future__ import annotations

import pytest

from tests.support.core import Core, Refused

AUTHORIZATION, INTERNAL = 0x200, 0x2000
ANN, VMS, USE, EVERYWHERE = "100000002", "1400000000", "1", "400000000"


@pytest.fixture(autouse=True)
def users(core: Core) -> None:
    """ann, an ordinary user, and bea, who is in the oneadmin group besides her own."""
    core.add_user("ann", 1)
    core.add_user("bea", 1, 0)


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _rule(core: Core, oid: int) -> str | None:
    return core.info("acl.info").findtext(f"ACL[ID='{oid}']/STRING")


def test_a_rule_comes_and_goes(core: Core) -> None:
    assert core.call("acl.addrule", ANN, VMS, USE, EVERYWHERE, user="bea") == 6
    assert _rule(core, 6) == "#2 VM/* USE *"
    assert core.call("acl.addrule", ANN, VMS, USE) == 7
    assert _rule(core, 7) == "#2 VM/* USE #0"
    _refused(core, INTERNAL, "acl.addrule", ANN, VMS, USE)
    assert core.call("acl.delrule", 7) == 7
    _refused(core, INTERNAL, "acl.delrule", 7)
    assert core.call("acl.addrule", ANN, VMS, USE) == 8


def test_only_administrators_see_and_change_rules(core: Core) -> None:
    _refused(core, AUTHORIZATION, "acl.info", user="ann")
    _refused(core, AUTHORIZATION, "acl.delrule", 0, user="ann")
    # The right comes before what is wrong with the rule.
    for user_part in (ANN, "nonsense"):
        _refused(core, AUTHORIZATION, "acl.addrule", user_part, VMS, USE, user="ann")


@pytest.mark.parametrize("user_part", [f"0x{ANN}", f"  {ANN}", f"{ANN} and more", ANN.upper()])
def test_parts_are_hexadecimal(core: Core, user_part: str) -> None:
    core.call("acl.addrule", user_part, VMS, USE)
    assert _rule(core, 6) == "#2 VM/* USE #0"


@pytest.mark.parametrize(
    ("user_part", "resource", "rights"),
    [
        ("", VMS, USE),
        ("zz", VMS, USE),
        ("-1", VMS, USE),
        ("f" * 17, VMS, USE),
        ("2", VMS, USE),
        (ANN, "1000000000", USE),
        (ANN, "80000400000000", USE),  # hooks are oneadmin's alone
        (ANN, "1800000005", USE),
        (ANN, VMS, "0"),
        (ANN, VMS, "10"),
    ],
)
def test_malformed_rules(core: Core, user_part: str, resource: str, rights: str) -> None:
    before = core.call("acl.info")
    _refused(core, INTERNAL, "acl.addrule", user_part, resource, rights)
    assert core.call("acl.info") == before
