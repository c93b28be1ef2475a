"""VM groups: roles, rules between them, and what every kind of object with an owner has."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.template import Template
from services.oned.errors import RequestError
from services.oned.model.vmgroup import VmGroup, vms_of
from tests.support.core import Core, Refused
from tests.support.schemas import Schemas

AUTHORIZATION, NO_EXISTS, ACTION, API, INTERNAL = 0x200, 0x400, 0x800, 0x1000, 0x2000
WEB = """
NAME = "web"
DESCRIPTION = "two tiers"
ROLE = [ NAME = "front", POLICY = "AFFINED", HOST_AFFINED = "1,2" ]
ROLE = [ NAME = "db", POLICY = "ANTI_AFFINED", VMS = "7", ID = "9" ]
ROLE = [ NAME = "cache" ]
AFFINED = "front, cache"
"""


@pytest.fixture
def users(core: Core) -> None:
    """ann and bob of the group "users"."""
    core.add_user("ann")
    core.add_user("bob")


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _listed(core: Core, *args: int, user: str = "oneadmin") -> list[int]:
    return [int(found.findtext("ID") or -1) for found in core.info("vmgrouppool.info", *args, user=user)]


def _play(core: Core, oid: int, role: str, vm_id: int, *, leave: bool = False) -> None:
    def change(tx: object) -> None:
        group = VmGroup.load(tx, oid)  # type: ignore[arg-type]
        if leave:
            group.remove_vm(role, vm_id)
        else:
            group.add_vm(role, vm_id)
        group.save(tx)  # type: ignore[arg-type]

    core.store.run(change)


def test_a_new_group(core: Core, users: None, shared_folder: Path) -> None:
    assert core.call("vmgroup.allocate", WEB, user="ann") == 0
    text = core.call("vmgroup.info", 0, user="ann")
    assert Schemas(shared_folder / "spec/xsd").problem(text) is None
    document = core.info("vmgroup.info", 0)
    assert [found.tag for found in document] == [
        *("ID", "UID", "GID", "UNAME", "GNAME", "NAME", "PERMISSIONS", "ROLES", "TEMPLATE"),
    ]
    assert [(found.tag, found.text) for role in document.find("ROLES") for found in role] == [  # type: ignore[union-attr]
        *(("HOST_AFFINED", "1,2"), ("ID", "0"), ("NAME", "front"), ("POLICY", "AFFINED")),
        *(("ID", "1"), ("NAME", "db"), ("POLICY", "ANTI_AFFINED")),
        *(("ID", "2"), ("NAME", "cache")),
    ]
    attributes = Template.from_element(document.find("TEMPLATE"))
    assert attributes == Template.parse('AFFINED="front, cache"\nDESCRIPTION="two tiers"')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ROLE=[NAME=a]", "NAME"),
        ("NAME=[A=1]", "NAME"),
        ("NAME=w\nROLE=[POLICY=AFFINED]", "ROLE 0 has no NAME"),
        ("NAME=w\nROLE=[NAME=a]\nROLE=[NAME=a]", "more than one ROLE with the NAME a"),
        ('NAME=w\nROLE=[NAME=a]\nAFFINED="a,b"', "not defined: ['b']"),
        ("NAME=w\nROLE=[NAME=a]\nANTI_AFFINED=b", "not defined: ['b']"),
        ('NAME=w\nROLE=[NAME=a]\nAFFINED="a, "', "not defined: ['']"),
        ('NAME=w\nROLE=[NAME=a]\nROLE=[NAME=b]\nAFFINED="a,b"\nAFFINED="b,a"', "is there twice"),
        ('NAME=w\nROLE=[NAME=a]\nROLE=[NAME=b]\nANTI_AFFINED="a,b"\nANTI_AFFINED="b,a"', "is there twice"),
        ('NAME=w\nROLE=[NAME=a,POLICY=anti_affined]\nROLE=[NAME=b]\nAFFINED="a,b"', "POLICY is ANTI_AFFINED"),
        ('NAME=w\nROLE=[NAME=a]\nROLE=[NAME=b]\nAFFINED="a,b"\nANTI_AFFINED=b', "ANTI_AFFINED rules: b."),
        ("NAME=w\n" + "".join(f"ROLE=[NAME=r{i}]\n" for i in range(33)), "at most 32 roles"),
        ('NAME="a$b"', "not allowed"),
    ],
)
def test_refused_groups(core: Core, text: str, message: str) -> None:
    assert message in _refused(core, INTERNAL, "vmgroup.allocate", text).text
    assert _listed(core, -2, -1, -1) == []


def test_names_differ_for_each_owner(core: Core, users: None) -> None:
    core.call("vmgroup.allocate", WEB, user="ann")
    assert "VMGROUP 0" in _refused(core, INTERNAL, "vmgroup.allocate", WEB, user="ann").text
    assert core.call("vmgroup.allocate", WEB, user="bob") == 1
    _refused(core, INTERNAL, "vmgroup.chown", 1, 2, -1)
    core.call("vmgroup.allocate", "NAME=other", user="ann")
    _refused(core, ACTION, "vmgroup.rename", 2, "web", user="ann")
    assert core.call("vmgroup.rename", 2, "third", user="ann") == 2


def test_creating_needs_the_right(core: Core) -> None:
    core.call("group.allocate", "outside")
    core.add_user("eve", 100)
    _refused(core, AUTHORIZATION, "vmgroup.allocate", WEB, user="eve")


def test_roles_stay_at_an_update(core: Core) -> None:
    core.call("vmgroup.allocate", WEB)
    core.call("vmgroup.update", 0, 'ROLE=[NAME=new]\nANTI_AFFINED="front,db"\nX=1', 0)
    document = core.info("vmgroup.info", 0)
    assert [name.text for name in document.findall("ROLES/ROLE/NAME")] == ["front", "db", "cache"]
    attributes = Template.from_element(document.find("TEMPLATE"))
    assert attributes == Template.parse('ANTI_AFFINED="front,db"\nX=1')
    _refused(core, INTERNAL, "vmgroup.update", 0, 'AFFINED="front,new"', 1)
    _refused(core, INTERNAL, "vmgroup.update", 0, 'AFFINED="front,cache"', 1)
    _refused(core, API, "vmgroup.update", 0, 'AFFINED="front,cache"', 2)
    assert Template.from_element(core.info("vmgroup.info", 0).find("TEMPLATE")) == attributes


def test_vms_of_roles(core: Core) -> None:
    core.call("vmgroup.allocate", WEB)
    for vm_id in (12, 3, 3):
        _play(core, 0, "db", vm_id)
    assert core.info("vmgroup.info", 0).findtext("ROLES/ROLE[NAME='db']/VMS") == "3,12"
    assert "2 VMs" in _refused(core, INTERNAL, "vmgroup.update", 0, "X=1", 1).text
    with pytest.raises(RequestError, match="no role"):
        _play(core, 0, "nobody", 1)
    _play(core, 0, "nobody", 1, leave=True)
    for vm_id in (3, 12, 99):
        _play(core, 0, "db", vm_id, leave=True)
    assert core.info("vmgroup.info", 0).find("ROLES/ROLE[NAME='db']/VMS") is None
    core.call("vmgroup.update", 0, "X=1", 1)
    _play(core, 0, "db", 5)
    assert core.call("vmgroup.delete", 0) == 0
    assert vms_of({"VMS": "4,x, 2"}) == [2, 4]


def test_rights_and_locks(core: Core, users: None) -> None:
    core.call("vmgroup.allocate", WEB, user="ann")
    for method, args in (
        ("vmgroup.info", (0,)),
        ("vmgroup.update", (0, "X=1", 1)),
        ("vmgroup.rename", (0, "else")),
        ("vmgroup.chmod", (0, 1, 1, 1, -1, -1, -1, -1, -1, -1)),
        ("vmgroup.chown", (0, 3, -1)),
        ("vmgroup.lock", (0, 1)),
        ("vmgroup.unlock", (0,)),
        ("vmgroup.delete", (0,)),
    ):
        _refused(core, AUTHORIZATION, method, *args, user="bob")
        _refused(core, NO_EXISTS, method, 7, *args[1:])
    # The name that it has already needs no right.
    assert core.call("vmgroup.rename", 0, "web", user="bob") == 0
    core.call("vmgroup.chmod", 0, -1, -1, -1, 1, -1, -1, -1, -1, -1, user="ann")
    assert _listed(core, -2, -1, -1, user="bob") == [0]
    assert _listed(core, -3, -1, -1, user="bob") == []
    assert core.call("vmgroup.lock", 0, 2, user="ann") == 0
    lock = core.info("vmgroup.info", 0).find("LOCK")
    assert lock is not None and lock.findtext("LOCKED") == "2" and lock.findtext("OWNER") == "2"
    assert lock.getprevious().tag == "PERMISSIONS"  # type: ignore[union-attr]
    _refused(core, AUTHORIZATION, "vmgroup.delete", 0, user="ann")
    _refused(core, ACTION, "vmgroup.lock", 0, 1, True, user="ann")
    core.call("vmgroup.unlock", 0, user="ann")
    core.call("vmgroup.chown", 0, 3, 0)
    assert core.call("vmgroup.delete", 0, user="bob") == 0
    assert _listed(core, -2, -1, -1) == []
