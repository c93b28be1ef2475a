"""Rights on objects: permission bits, rules, locks, and lists that show what may be used."""

from __future__ import annotations

import itertools

import pytest

from services.common import xmldoc
from services.oned.auth import access
from services.oned.auth.rights import Right
from services.oned.auth.session import Caller
from services.oned.errors import ApiError, AuthorizationError
from services.oned.model.acl import ALL, CLUSTER, GROUP, INDIVIDUAL, kinds
from services.oned.model.host import Host
from services.oned.model.user import User
from services.oned.model.vmtemplate import VMTemplate
from services.oned.store import pools
from tests.support.core import Core, Refused

TEMPLATE = "NAME={name}\nCPU=1\nMEMORY=1"
AUTHORIZATION = 0x200


@pytest.fixture
def people(core: Core) -> Core:
    """ann and ben in devs (100), cid in ops (101); ann's template 0, cid's template 1."""
    devs, ops = core.call("group.allocate", "devs"), core.call("group.allocate", "ops")
    for name, group in (("ann", devs), ("ben", devs), ("cid", ops)):
        core.add_user(name, group)
    for group in (devs, ops):
        core.call("acl.addrule", f"{GROUP | group:x}", f"{kinds('TEMPLATE') | ALL:x}", "8", f"{ALL:x}")
    core.call("template.allocate", TEMPLATE.format(name="a"), user="ann")
    core.call("template.allocate", TEMPLATE.format(name="c"), user="cid")
    return core


def caller(core: Core, name: str) -> Caller:
    """A user's caller."""
    with core.store.read() as tx:
        user = User.from_xml(pools.body_by_name(tx, User.TABLE, name) or "")
    return Caller(user.oid, user.gid, user.name, user.gname, frozenset(user.groups), 0)


def may(core: Core, name: str, right: Right, oid: int = 0) -> bool:
    """Whether a user has a right on a template, asked in a writing transaction."""

    def ask(tx: object) -> bool:
        body = pools.body(tx, VMTemplate.TABLE, oid) or ""  # type: ignore[arg-type]
        try:
            access.require(tx, caller(core, name), VMTemplate, right, oid, body)  # type: ignore[arg-type]
        except AuthorizationError:
            return False
        return True

    return core.store.run(ask)


def listed(core: Core, name: str, filter_flag: int = -2) -> list[int]:
    """The ids of the templates that a list shows a user, ascending."""
    document = xmldoc.parse(core.call("templatepool.info", filter_flag, -1, -1, user=name))
    return sorted(int(found.text or -1) for found in document.findall("VMTEMPLATE/ID"))


def addrule(core: Core, user: int, resource: int, rights: int, zone: int = INDIVIDUAL) -> int:
    """A new rule, for zone 0 by default; its id."""
    oid: int = core.call("acl.addrule", f"{user:x}", f"{resource:x}", f"{rights:x}", f"{zone:x}")
    return oid


@pytest.mark.parametrize("who", range(3), ids=["owner", "group", "other"])
@pytest.mark.parametrize("right", [Right.USE, Right.MANAGE, Right.ADMIN])
def test_permission_bits(people: Core, who: int, right: Right) -> None:
    bits = [0] * 9
    bits[who * 3 + right.bit_length() - 1] = 1
    people.call("template.chmod", 0, *bits)
    allowed = {name for name in ("ann", "ben", "cid") if may(people, name, right)}
    assert allowed == [{"ann"}, {"ann", "ben"}, {"ann", "ben", "cid"}][who]
    others = {Right.USE, Right.MANAGE, Right.ADMIN} - {right}
    assert not any(may(people, name, other) for name in ("ann", "ben", "cid") for other in others)


def test_members_of_the_oneadmin_group_may_do_everything(people: Core) -> None:
    people.call("template.chmod", 0, *[0] * 9)
    assert not may(people, "cid", Right.ADMIN)
    people.call("user.addgroup", 4, 0)
    assert may(people, "cid", Right.ADMIN)


def test_a_rule_holds_from_the_next_call_until_it_is_deleted(people: Core) -> None:
    assert not may(people, "cid", Right.MANAGE)
    oid = addrule(people, INDIVIDUAL | 4, kinds("TEMPLATE") | INDIVIDUAL, Right.MANAGE)
    assert may(people, "cid", Right.MANAGE)
    assert not may(people, "cid", Right.ADMIN)
    people.call("acl.delrule", oid)
    assert not may(people, "cid", Right.MANAGE)


def test_the_allowing_rule_is_named_in_the_log(people: Core, caplog: pytest.LogCaptureFixture) -> None:
    oid = addrule(people, GROUP | 101, kinds("TEMPLATE") | GROUP | 100, Right.USE)
    with caplog.at_level("DEBUG", logger="AuM"):
        people.call("template.info", 0, user="cid")
    assert f"rule {oid}, @101 TEMPLATE/@100 USE #0" in caplog.text


def test_rules_about_clusters_follow_the_object(core: Core) -> None:
    uid = core.add_user("ann", 1)
    for rule in range(3, 6):  # those of the default VDC
        core.call("acl.delrule", rule)
    east = core.call("cluster.allocate", "east")
    host = core.call("host.allocate", "n1", "dummy", "dummy", 0)
    addrule(core, INDIVIDUAL | uid, kinds("HOST", "DATASTORE") | CLUSTER | east, Right.USE)
    with pytest.raises(Refused, match=rf"Not authorized to perform USE HOST \[{host}\]"):
        core.call("host.info", host, user="ann")
    assert core.call("hostpool.info", user="ann") == "<HOST_POOL></HOST_POOL>"
    core.call("cluster.addhost", east, host)
    core.call("cluster.adddatastore", east, 1)
    assert f"<ID>{host}</ID>" in core.call("host.info", host, user="ann")
    assert f"<ID>{host}</ID>" in core.call("hostpool.info", user="ann")
    found = xmldoc.parse(core.call("datastorepool.info", user="ann"))
    assert [element.text for element in found.findall("DATASTORE/ID")] == ["1"]
    core.call("cluster.deldatastore", east, 1)
    assert core.call("datastorepool.info", user="ann") == "<DATASTORE_POOL></DATASTORE_POOL>"


def test_refusals_name_user_right_and_object(people: Core) -> None:
    with pytest.raises(Refused) as refused:
        people.call("template.update", 0, "A=1", 1, user="cid")
    assert refused.value.code == AUTHORIZATION and refused.value.object_id == 0
    assert refused.value.text.endswith("User [4] : Not authorized to perform MANAGE TEMPLATE [0].")
    with pytest.raises(Refused) as refused:
        people.call("host.allocate", "h", "dummy", "dummy", 0, user="cid")
    assert refused.value.text.endswith("User [4] : Not authorized to perform CREATE HOST.")


# -- locks -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("level", "open_rights"), [(1, set()), (2, {1}), (3, {1, 2}), (4, {1, 2})])
def test_a_lock_stops_everybody_from_its_level_on(people: Core, level: int, open_rights: set[int]) -> None:
    people.call("template.chmod", 0, 1, 1, 1, 0, 0, 0, 0, 0, 0)
    people.call("template.lock", 0, level, user="ann")
    for name in ("ann", "oneadmin"):
        assert {
            int(right) for right in (Right.USE, Right.MANAGE, Right.ADMIN) if may(people, name, right)
        } == open_rights
    assert "<LOCKED>" in people.call("template.info", 0, user="ann")  # reads go on
    people.call("template.unlock", 0, user="ann")
    assert may(people, "ann", Right.ADMIN)


def test_what_a_lock_answers(people: Core) -> None:
    people.call("template.lock", 0, 1, user="ann")
    with pytest.raises(Refused, match=r"User \[0\] : TEMPLATE is locked\. \[0\]\.") as refused:
        people.call("template.delete", 0)
    assert refused.value.code == AUTHORIZATION
    with pytest.raises(Refused, match=r"User \[2\] : Not authorized to perform MANAGE TEMPLATE \[0\]\."):
        people.call("template.delete", 0, user="ann")


def test_text_that_looks_like_a_lock_is_none(people: Core) -> None:
    people.call("template.update", 0, 'NOTE="<LOCK><LOCKED>1</LOCKED></LOCK>"', 1, user="ann")
    assert may(people, "ann", Right.USE) and may(people, "oneadmin", Right.MANAGE)


def test_text_cannot_pretend_another_owner(people: Core) -> None:
    forged = "<UID>4</UID><GID>101</GID><PERMISSIONS><OTHER_A>1</OTHER_A></PERMISSIONS>"
    people.call("template.update", 0, f'NOTE="{forged}"', 1, user="ann")
    assert not may(people, "cid", Right.USE)


# -- lists -------------------------------------------------------------------------------------------------
def test_filter_flags(people: Core) -> None:
    assert [listed(people, "ann", flag) for flag in (-1, -2, -3, -4)] == [[0], [0], [0], [0]]
    assert listed(people, "ben") == []
    people.call("template.chmod", 0, 1, 1, 0, 1, 0, 0, 0, 0, 0)
    assert [listed(people, "ben", flag) for flag in (-1, -2, -3, -4, 2, 4)] == [[0], [0], [], [0], [0], []]
    people.call("template.chmod", 1, 1, 1, 0, 0, 0, 0, 1, 0, 0)
    assert [listed(people, "ben", flag) for flag in (-1, -2, 2, 4)] == [[0], [0, 1], [0], [1]]
    assert [listed(people, "oneadmin", flag) for flag in (-1, -2, -3, 2, 4)] == [[], [0, 1], [], [0], [1]]


def test_an_unknown_filter_flag_is_refused(people: Core) -> None:
    with people.store.read() as tx, pytest.raises(ApiError, match="filter_flag -5"):
        access.visible(tx, caller(people, "ann"), VMTemplate, -5)


def test_lists_show_exactly_what_may_be_read(people: Core) -> None:
    """Bits and rules give the same answer for one object and in a list."""
    rules = [
        (INDIVIDUAL | 4, kinds("TEMPLATE") | INDIVIDUAL | 0),
        (GROUP | 101, kinds("TEMPLATE") | GROUP | 100),
        (ALL, kinds("TEMPLATE") | ALL),
    ]
    cases = 0
    for group_bit, other_bit, rule in itertools.product((0, 1), (0, 1), (None, *rules)):
        people.call("template.chmod", 0, 1, 1, 0, group_bit, 0, 0, other_bit, 0, 0)
        added = addrule(people, *rule, Right.USE) if rule else None
        for name in ("ann", "ben", "cid"):
            readable = [oid for oid in (0, 1) if may(people, name, Right.USE, oid)]
            assert listed(people, name) == readable, (group_bit, other_bit, rule, name)
            cases += 1
        if added is not None:
            people.call("acl.delrule", added)
    assert cases == 48


def test_a_document_of_a_kind_without_owner_is_oneadmins(core: Core) -> None:
    core.call("host.allocate", "n1", "dummy", "dummy", 0)
    with core.store.read() as tx:
        body = pools.body(tx, Host.TABLE, 0) or ""
        access.require(
            tx, Caller(0, 0, "oneadmin", "oneadmin", frozenset({0}), 0), Host, Right.ADMIN, 0, body
        )
        with pytest.raises(AuthorizationError):
            access.require(tx, Caller(9, 9, "x", "x", frozenset({9}), 0), Host, Right.USE, 0, body)


@pytest.mark.parametrize(
    ("position", "name", "user"), [(0, "OWNER_U", "ann"), (3, "GROUP_U", "ben"), (6, "OTHER_U", "cid")]
)
def test_the_allowing_bit_is_named_in_the_log(
    people: Core, position: int, name: str, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    people.call("template.chmod", 0, *[int(bit == position) for bit in range(9)])
    with caplog.at_level("DEBUG", logger="AuM"):
        people.call("template.info", 0, user=user)
    assert f"may USE TEMPLATE 0: permission bit {name}" in caplog.text


def test_administrators_are_named_at_the_highest_level_only(
    people: Core, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="AuM"):
        people.call("template.info", 0)
    assert "may USE" not in caplog.text
    with caplog.at_level(5, logger="AuM"):
        people.call("template.info", 0)
    assert "User 0 may USE TEMPLATE 0: is oneadmin." in caplog.text


def test_ids_below_0(people: Core) -> None:
    # As OpenNebula: some methods ask for the right first, others look for the object first.
    for method, args, code in (
        ("template.update", ("A=1", 0), AUTHORIZATION),
        ("template.lock", (1, False), AUTHORIZATION),
        ("host.info", (), AUTHORIZATION),
        ("template.info", (), 0x400),
        ("template.delete", (), 0x400),
        ("template.chown", (-1, -1), 0x400),
    ):
        with pytest.raises(Refused) as refused:
            people.call(method, -5, *args, user="ann")
        assert refused.value.code == code, method
        with pytest.raises(Refused) as refused:
            people.call(method, -5, *args)
        assert refused.value.code == 0x400, method
    addrule(people, INDIVIDUAL | 2, kinds("HOST") | ALL, Right.USE)
    with pytest.raises(Refused) as refused:
        people.call("host.info", -5, user="ann")
    assert refused.value.code == 0x400


def test_an_owner_keeps_names_apart(people: Core) -> None:
    people.call("template.allocate", "NAME=a", user="cid")
    for new_owner in (4, 2):  # cid has one of that name; ann owns this very one
        with pytest.raises(Refused, match="already owns") as refused:
            people.call("template.chown", 0, new_owner, -1)
        assert refused.value.code == 0x2000
    people.call("template.chown", 0, 3, -1)
    assert people.info("template.info", 0).findtext("UNAME") == "ben"
