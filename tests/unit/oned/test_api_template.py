"""VM template methods, and through them what all kinds share: owners, bits, locks, names, lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common import xmldoc
from services.common.template import Template
from tests.support.core import Core, Refused

TINY = 'NAME="tiny"\nCPU="0.5"\nMEMORY="64"'
AUTHORIZATION, NO_EXISTS, ACTION, API, INTERNAL, ALLOCATE = 0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000


@pytest.fixture
def users(core: Core) -> dict[str, int]:
    """ann and bob of the group "users"."""
    return {name: core.add_user(name) for name in ("ann", "bob")}


@pytest.fixture
def tiny(core: Core, users: dict[str, int]) -> int:
    """A template of ann's."""
    oid: int = core.call("template.allocate", TINY, user="ann")
    return oid


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _bits(core: Core, oid: int) -> str:
    return "".join(bit.text or "" for bit in core.info("template.info", oid).iterfind("PERMISSIONS/*"))


def _listed(core: Core, *args: int, user: str = "oneadmin") -> list[int]:
    return [int(found.findtext("ID") or -1) for found in core.info("templatepool.info", *args, user=user)]


# -- creation ----------------------------------------------------------------------------------------------
def test_a_new_template(core: Core, tiny: int) -> None:
    document = core.info("template.info", tiny, user="ann")
    assert [document.findtext(name) for name in ("UID", "GID", "UNAME", "GNAME", "NAME")] == [
        "2",
        "1",
        "ann",
        "users",
        "tiny",
    ]
    assert Template.from_element(document.find("TEMPLATE")) == Template.parse("CPU=0.5\nMEMORY=64")
    assert _bits(core, tiny) == "110000000"
    own = core.call("template.allocate", TINY)
    assert own == tiny + 1 and _bits(core, own) == "110000000"


def test_the_umask_of_a_user(core: Core, users: dict[str, int]) -> None:
    core.call("user.update", users["ann"], 'UMASK="022"', 1)
    assert _bits(core, core.call("template.allocate", TINY, user="ann")) == "110100100"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (TINY, INTERNAL, "NAME is already taken by TEMPLATE 0."),
        ("CPU=1", INTERNAL, "Invalid NAME, it cannot be empty"),
        ('NAME="a b"\nCPU=[', INTERNAL, "Parse error: expected an attribute name in vector CPU"),
        ('NAME="x<y"', INTERNAL, "char '<' is not allowed"),
        ("NAME=raw\nRAW=[TYPE=kvm]", AUTHORIZATION, "restricted attribute RAW"),
        ("NAME=mac\nNIC=[MAC=a]", AUTHORIZATION, "restricted attribute NIC/MAC"),
    ],
)
def test_refused_templates(core: Core, tiny: int, text: str, code: int, message: str) -> None:
    assert message in _refused(core, code, "template.allocate", text, user="ann").text
    assert _listed(core, -2, -1, -1) == [tiny]


def test_administrators_set_restricted_attributes(core: Core) -> None:
    oid = core.call("template.allocate", "NAME=raw\nRAW=[TYPE=kvm,DATA=<devices/>]")
    assert core.info("template.info", oid).findtext("TEMPLATE/RAW/DATA") == "<devices/>"


# -- changes -----------------------------------------------------------------------------------------------
def test_update(core: Core, tiny: int) -> None:
    def attributes() -> Template:
        return Template.from_element(core.info("template.info", tiny).find("TEMPLATE"))

    core.call("template.update", tiny, "CPU=2\nDISK=[SIZE=1]\nDISK=[SIZE=2]", 1, user="ann")
    assert attributes() == Template.parse("CPU=2\nDISK=[SIZE=1]\nDISK=[SIZE=2]\nMEMORY=64")
    core.call("template.update", tiny, "<T><DISK><SIZE>3</SIZE></DISK></T>", 1, user="ann")
    assert attributes() == Template.parse("CPU=2\nDISK=[SIZE=3]\nMEMORY=64")
    core.call("template.update", tiny, "CPU=1", user="ann")
    assert attributes() == Template.parse("CPU=1")
    assert "Wrong update type" in _refused(core, API, "template.update", tiny, "CPU=1", 2, user="ann").text
    broken = _refused(core, INTERNAL, "template.update", tiny, "A=1\nB=[", 1, user="ann")
    assert "Cannot update template. Parse error" in broken.text and "line 2" in broken.text
    assert attributes() == Template.parse("CPU=1")


def test_users_neither_change_nor_remove_restricted_attributes(core: Core, tiny: int) -> None:
    core.call("template.update", tiny, "RAW=[TYPE=kvm,DATA=<devices/>]", 1)
    refusal = _refused(core, INTERNAL, "template.update", tiny, "RAW=[DATA=y]", 1, user="ann")
    assert "Tried to change restricted attribute: RAW" in refusal.text
    core.call("template.update", tiny, "CPU=1", 0, user="ann")
    assert core.info("template.info", tiny).findtext("TEMPLATE/RAW/DATA") == "<devices/>"


def test_names_differ_for_each_owner(core: Core, tiny: int) -> None:
    other = core.call("template.allocate", TINY, user="bob")
    second = core.call("template.allocate", TINY.replace("tiny", "big"), user="ann")
    text = _refused(core, ACTION, "template.rename", second, "tiny", user="ann").text
    kind = "virtual machine template"
    assert f"{kind} cannot be renamed to tiny because it collides with {kind} {tiny}" in text
    _refused(core, ACTION, "template.rename", second, "", user="ann")
    _refused(core, ACTION, "template.rename", second, "x" * 129, user="ann")
    _refused(core, ACTION, "template.rename", second, "é" * 65, user="ann")  # bytes count
    core.call("template.rename", second, "é" * 64, user="ann")
    core.call("template.rename", second, "tiny2", user="ann")
    core.call("template.rename", second, "tiny2", user="bob")  # the name that it has needs no right
    assert core.info("template.info", second).findtext("NAME") == "tiny2"
    # Giving it to somebody who has one of that name is refused, and so is giving it to its owner.
    uid = int(core.info("template.info", other).findtext("UID") or 0)
    assert "already owns" in _refused(core, INTERNAL, "template.chown", tiny, uid, -1).text
    _refused(core, INTERNAL, "template.chown", tiny, 2, -1)


def test_clone(core: Core, tiny: int) -> None:
    core.call("template.chmod", tiny, -1, -1, -1, 1, -1, -1, -1, -1, -1)
    copy = core.call("template.clone", tiny, "copy", user="bob")
    document = core.info("template.info", copy, user="bob")
    assert (document.findtext("UNAME"), document.findtext("NAME"), document.findtext("TEMPLATE/CPU")) == (
        "bob",
        "copy",
        "0.5",
    )
    _refused(core, ALLOCATE, "template.clone", tiny, "copy", user="bob")
    _refused(core, ALLOCATE, "template.clone", tiny, "", user="bob")
    _refused(core, NO_EXISTS, "template.clone", 99, "x", user="bob")


def test_deletion(core: Core, tiny: int) -> None:
    _refused(core, AUTHORIZATION, "template.delete", tiny, user="bob")
    core.call("acl.addrule", hex(0x100000003), hex(0x20000000000 | 0x100000000 | tiny), "0x1", "0x100000000")
    assert core.call("template.delete", tiny, user="ann") == tiny
    assert f"TEMPLATE/#{tiny}" not in core.call("acl.info")
    _refused(core, NO_EXISTS, "template.info", tiny, user="ann")
    assert core.call("template.allocate", TINY, user="ann") == tiny + 1


# -- permissions -------------------------------------------------------------------------------------------
def test_chmod(core: Core, tiny: int) -> None:
    keep = [-1] * 9
    core.call("template.chmod", tiny, 1, 1, -1, 1, 0, 0, -1, -1, -1, user="ann")
    assert _bits(core, tiny) == "110100000"
    core.call("template.chmod", tiny, *keep, user="ann")
    assert _bits(core, tiny) == "110100000"
    # An admin bit needs the ADMIN right, unless it already is as asked.
    _refused(core, AUTHORIZATION, "template.chmod", tiny, 1, 1, 1, 1, 0, 0, 0, 0, 0, user="ann")
    core.call("template.chmod", tiny, 1, 1, 0, 1, 1, 0, 0, 0, 0, user="ann")
    core.call("template.chmod", tiny, 1, 1, 1, 1, 1, 0, 0, 0, 0)
    core.call("template.chmod", tiny, *keep[:5], 1, *keep[6:], user="ann")
    assert _bits(core, tiny) == "111111000"
    assert "must be -1, 0 or 1" in _refused(core, INTERNAL, "template.chmod", tiny, *keep[:6], 5, 0, 0).text
    assert "must be -1, 0 or 1" in _refused(core, INTERNAL, "template.chmod", tiny, -2, *keep[1:]).text
    assert _bits(core, tiny) == "111111000"
    assert core.rows("SELECT owner_u, group_u, other_u FROM template_pool") == [(1, 1, 0)]


def test_bits_of_others_can_be_closed_in_the_settings(tmp_path: Path) -> None:
    core = Core(tmp_path, 'ENABLE_OTHER_PERMISSIONS = "NO"')
    core.add_user("ann")
    tiny = core.call("template.allocate", TINY, user="ann")
    bits = (-1, -1, -1, -1, -1, -1, 1, -1, -1)
    assert (
        "'other' permissions is disabled"
        in _refused(core, AUTHORIZATION, "template.chmod", tiny, *bits, user="ann").text
    )
    core.call("template.chmod", tiny, *[-1] * 6, 0, 0, 0, user="ann")  # no change
    core.call("template.chmod", tiny, *bits)
    assert _bits(core, tiny) == "110000100"


def test_bits_open_an_object(core: Core, tiny: int) -> None:
    _refused(core, AUTHORIZATION, "template.info", tiny, user="bob")
    assert _listed(core, -2, -1, -1, user="bob") == []
    core.call("template.chmod", tiny, -1, -1, -1, 1, -1, -1, -1, -1, -1, user="ann")
    assert core.info("template.info", tiny, user="bob").findtext("NAME") == "tiny"
    assert _listed(core, -2, -1, -1, user="bob") == [tiny]
    _refused(core, AUTHORIZATION, "template.update", tiny, "CPU=1", 1, user="bob")
    core.call("template.chmod", tiny, -1, -1, -1, -1, 1, -1, -1, -1, -1, user="ann")
    core.call("template.update", tiny, "CPU=1", 1, user="bob")


def test_chown(core: Core, users: dict[str, int], tiny: int) -> None:
    _refused(core, NO_EXISTS, "template.chown", tiny, 99, -1)
    _refused(core, NO_EXISTS, "template.chown", tiny, -1, 99)
    _refused(core, NO_EXISTS, "template.chown", 99, -1, 0)
    _refused(core, NO_EXISTS, "template.chown", tiny, -5, -1)
    _refused(core, AUTHORIZATION, "template.chown", tiny, users["bob"], -1, user="ann")
    core.call("template.chown", tiny, -1, -1, user="ann")
    core.call("template.chown", tiny, -1, 1, user="ann")  # a member may use the group
    _refused(core, AUTHORIZATION, "template.chown", tiny, -1, 0, user="ann")
    core.call("template.chown", tiny, users["bob"], 0)
    document = core.info("template.info", tiny)
    assert [document.findtext(n) for n in ("UID", "GID", "UNAME", "GNAME")] == ["3", "0", "bob", "oneadmin"]
    assert core.rows("SELECT uid, gid FROM template_pool") == [(3, 0)]


# -- locks -------------------------------------------------------------------------------------------------
def test_lock_and_unlock(core: Core, users: dict[str, int], tiny: int) -> None:
    core.call("template.lock", tiny, 2, user="ann")
    document = core.info("template.info", tiny)
    assert (document.findtext("LOCK/LOCKED"), document.findtext("LOCK/OWNER")) == ("2", "2")
    _refused(core, AUTHORIZATION, "template.update", tiny, "CPU=1", 1, user="ann")
    assert "TEMPLATE is locked" in _refused(core, AUTHORIZATION, "template.delete", tiny).text
    core.call("template.clone", tiny, "copy", user="ann")  # using is open at this level
    locked_at = _refused(core, ACTION, "template.lock", tiny, 1, True, user="ann").text
    assert locked_at.endswith(f"] {document.findtext('LOCK/TIME')}")
    core.call("template.lock", tiny, 1, False, user="ann")
    _refused(core, AUTHORIZATION, "template.clone", tiny, "copy2", user="ann")
    _refused(core, AUTHORIZATION, "template.unlock", tiny, user="bob")
    core.call("template.unlock", tiny, user="ann")
    assert core.info("template.info", tiny).find("LOCK") is None
    core.call("template.update", tiny, "CPU=1", 1, user="ann")


def test_who_unlocks(core: Core, tiny: int) -> None:
    core.call("template.lock", tiny, 4)
    assert "owned by another user" in _refused(core, ACTION, "template.unlock", tiny, user="ann").text
    core.call("template.lock", tiny, 3, user="ann")
    core.call("template.unlock", tiny)
    core.call("template.unlock", tiny)
    _refused(core, ACTION, "template.unlock", tiny, user="ann")


@pytest.mark.parametrize("level", [-1, 5])
def test_wrong_lock_levels(core: Core, tiny: int, level: int) -> None:
    _refused(core, ACTION, "template.lock", tiny, level, user="ann")
    assert core.info("template.info", tiny).find("LOCK") is None


def test_an_attribute_that_looks_like_a_lock(core: Core, tiny: int) -> None:
    core.call("template.update", tiny, "LOCK=[LOCKED=4]", 1, user="ann")
    core.call("template.update", tiny, "CPU=3", 1, user="ann")
    assert core.info("template.info", tiny).findtext("TEMPLATE/LOCK/LOCKED") == "4"


# -- lists -------------------------------------------------------------------------------------------------
@pytest.fixture
def many(core: Core, users: dict[str, int]) -> None:
    """Templates 0, 2, 4 of ann's, 1, 3 of bob's (3 open to the group), 5 of oneadmin's."""
    for number in range(5):
        core.call("template.allocate", f"NAME=t{number}", user=("ann", "bob")[number % 2])
    core.call("template.allocate", "NAME=t5")
    core.call("template.chmod", 3, -1, -1, -1, 1, -1, -1, -1, -1, -1)


@pytest.mark.parametrize(
    ("user", "flag", "expected"),
    [
        ("oneadmin", -2, [5, 4, 3, 2, 1, 0]),
        ("oneadmin", -3, [5]),
        ("oneadmin", -4, [5]),
        ("oneadmin", 2, [4, 2, 0]),
        ("ann", -2, [4, 3, 2, 0]),
        ("ann", -3, [4, 2, 0]),
        ("ann", -1, [4, 3, 2, 0]),
        ("ann", 3, [3]),
        ("ann", 0, []),
        ("oneadmin", 77, []),
    ],
)
def test_filter_flags(core: Core, many: None, user: str, flag: int, expected: list[int]) -> None:
    assert _listed(core, flag, -1, -1, user=user) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (-1, -1, [5, 4, 3, 2, 1, 0]),
        (2, 4, [4, 3, 2]),
        (4, -1, [5, 4]),
        (3, 3, [3]),
        (4, 2, []),
        (0, -2, [5, 4]),
        (2, -2, [3, 2]),
        (4, -10, [1, 0]),
        (6, -2, []),
        (-1, -3, [5, 4, 3]),
    ],
)
def test_ranges_and_pages(core: Core, many: None, start: int, end: int, expected: list[int]) -> None:
    assert _listed(core, -2, start, end) == expected


def test_pages_of_what_a_user_sees(core: Core, many: None) -> None:
    assert _listed(core, -2, 0, -3, user="ann") == [4, 3, 2]
    assert _listed(core, -2, 3, -3, user="ann") == [0]


def test_the_order_of_lists(core: Core, many: None) -> None:
    core.call("user.update", 2, "OPENNEBULA=[API_LIST_ORDER=asc]", 1)
    assert _listed(core, -2, 0, -2, user="ann") == [0, 2]


def test_a_wrong_filter_flag(core: Core) -> None:
    _refused(core, API, "templatepool.info", -5, -1, -1)


# -- instantiation -----------------------------------------------------------------------------------------
def _vm(core: Core, vm_id: int) -> xmldoc.etree._Element:
    return core.info("vm.info", vm_id)


def test_instantiate(core: Core, tiny: int) -> None:
    vm_id = core.call("template.instantiate", tiny, user="ann")
    vm = _vm(core, vm_id)
    assert vm.findtext("NAME") == f"tiny-{vm_id}" and vm.findtext("STATE") == "1"
    assert (vm.findtext("UNAME"), vm.findtext("TEMPLATE/TEMPLATE_ID")) == ("ann", str(tiny))
    named = core.call("template.instantiate", tiny, "web", True, "", False, user="ann")
    assert (_vm(core, named).findtext("NAME"), _vm(core, named).findtext("STATE")) == ("web", "2")


def test_instantiate_with_more_attributes(core: Core, tiny: int) -> None:
    vm = _vm(
        core,
        core.call("template.instantiate", tiny, "", True, "MEMORY=128\nNAME=ignored\nNOTE=n", user="ann"),
    )
    assert vm.findtext("TEMPLATE/MEMORY") == "128" and vm.findtext("USER_TEMPLATE/NOTE") == "n"
    assert vm.findtext("NAME") == f"tiny-{vm.findtext('ID')}"


def test_instantiation_that_is_refused(core: Core, tiny: int) -> None:
    before = core.call("vmpool.info", -2, -1, -1, -2)
    for text, code in (
        ("CPU=0", ALLOCATE),
        ("CPU=-1", AUTHORIZATION),  # a quota cannot count it
        ("MEMORY=abc", AUTHORIZATION),
        ("NIC=[NETWORK_ID=99]", ALLOCATE),
        ("A=[", INTERNAL),
        ("RAW=[DATA=x]", AUTHORIZATION),
    ):
        _refused(core, code, "template.instantiate", tiny, "", False, text, user="ann")
    _refused(core, AUTHORIZATION, "template.instantiate", tiny, user="bob")
    _refused(core, NO_EXISTS, "template.instantiate", 99)
    router = core.call("template.allocate", "NAME=r\nCPU=1\nMEMORY=1\nVROUTER=YES")
    assert "Virtual router templates" in _refused(core, ACTION, "template.instantiate", router).text
    assert core.call("vmpool.info", -2, -1, -1, -2) == before


def test_a_template_may_set_what_its_user_may_not(core: Core) -> None:
    core.add_user("ann")
    shared = core.call("template.allocate", "NAME=t\nCPU=1\nMEMORY=1\nRAW=[TYPE=kvm,DATA=<devices/>]")
    core.call("template.chmod", shared, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    vm = core.call("template.instantiate", shared, "", True, "MEMORY=2", user="ann")
    assert _vm(core, vm).findtext("TEMPLATE/RAW/DATA") == "<devices/>"


def test_a_persistent_vm_gets_its_own_template(core: Core, tiny: int) -> None:
    vm = _vm(core, core.call("template.instantiate", tiny, "pet", True, "MEMORY=128", True, user="ann"))
    copy = int(vm.findtext("TEMPLATE/TEMPLATE_ID") or -1)
    assert copy != tiny and vm.findtext("TEMPLATE/CLONING_TEMPLATE_ID") == str(tiny)
    document = core.info("template.info", copy, user="ann")
    assert (document.findtext("NAME"), document.findtext("TEMPLATE/MEMORY")) == ("pet", "128")
    core.call("template.update", tiny, "DISK=[IMAGE_ID=0]", 1, user="ann")
    text = _refused(core, ACTION, "template.instantiate", tiny, "", True, "", True, user="ann").text
    assert "Failed to clone images: Image with ID: 0 does not exist" in text
    assert len(_listed(core, -2, -1, -1)) == 2
