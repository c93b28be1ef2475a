"""Groups: what joins and leaves with them, their administrators' rules, and their attributes."""

from __future__ import annotations

import pytest

from tests.support.core import Core, Refused

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL = 0x200, 0x400, 0x800, 0x2000


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _rules(core: Core) -> list[str]:
    """The rules, in the order in which they were made."""
    found = [(int(rule.findtext("ID") or 0), rule.findtext("STRING") or "") for rule in core.info("acl.info")]
    return [text for _, text in sorted(found)]


def test_a_new_group_joins_the_default_vdc(core: Core) -> None:
    before = _rules(core)
    assert core.call("group.allocate", "devs") == 100
    assert _rules(core)[len(before) :] == [
        "@100 HOST/* MANAGE #0",
        "@100 NET/* USE #0",
        "@100 DATASTORE/* USE #0",
    ]
    assert [group.text for group in core.info("vdc.info", 0).findall("GROUPS/ID")] == ["1", "100"]
    for name in ("devs", "", "a;b"):
        _refused(core, INTERNAL, "group.allocate", name)
    core.call("group.delete", 100)
    assert _rules(core) == before
    assert [group.text for group in core.info("vdc.info", 0).findall("GROUPS/ID")] == ["1"]


def test_rules_of_an_administrator_come_in_order(core: Core) -> None:
    core.call("group.allocate", "devs")
    ann = core.add_user("ann", 100)
    before = _rules(core)
    core.call("group.addadmin", 100, ann)
    assert _rules(core)[len(before) :] == [
        "#2 USER/@100 USE+MANAGE+ADMIN+CREATE *",
        "#2 VM+NET+IMAGE+TEMPLATE+DOCUMENT+SECGROUP+VROUTER+VMGROUP/@100 USE+MANAGE *",
        "#2 VROUTER/* CREATE *",
        "#2 GROUP/#100 MANAGE *",
    ]
    core.call("group.deladmin", 100, ann)
    assert _rules(core) == before


def test_who_may_be_made_an_administrator(core: Core) -> None:
    core.call("group.allocate", "devs")
    core.add_user("ann", 100)
    core.add_user("bob", 1)
    for method in ("group.addadmin", "group.deladmin"):
        assert _refused(core, NO_EXISTS, method, 7, 2).object_id == 7
        assert _refused(core, NO_EXISTS, method, 7, 9).object_id == 7
        assert _refused(core, NO_EXISTS, method, 100, 9).object_id == 9
        _refused(core, AUTHORIZATION, method, 100, 2, user="ann")
        _refused(core, INTERNAL, method, 100, 3)


def test_operations_in_attributes(core: Core) -> None:
    core.call("group.allocate", "devs")
    for text in ('VM_USE_OPERATIONS="poweroff, fly"', 'VM_ADMIN_OPERATIONS="x"', 'VM_MANAGE_OPERATIONS=" "'):
        _refused(core, INTERNAL, "group.update", 100, text, 1)
    assert core.call("group.update", 100, 'VM_USE_OPERATIONS="Poweroff, migrate"', 1) == 100
    assert core.info("group.info", 100).findtext("TEMPLATE/VM_USE_OPERATIONS") == "Poweroff, migrate"
    assert core.call("group.update", 100, "", 0) == 100
    assert core.info("group.info", 100).findtext("TEMPLATE") is not None
