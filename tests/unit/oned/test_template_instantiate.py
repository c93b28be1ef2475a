"""VMs from VM templates: further attributes, whose VM it is, rights, user inputs, order of the checks."""

from __future__ import annotations

import pytest

from services.common import xmldoc
from services.common.template import Template
from services.oned.errors import RequestError
from services.oned.lifecycle.user_inputs import UserInput, check
from tests.support.core import Core
from tests.support.vm_parts import (
    ACTION,
    ALLOCATE,
    AUTHORIZATION,
    CAPACITY,
    INTERNAL,
    NO_EXISTS,
    datastore,
    image,
    network,
    parts,
    refused,
)

_OPEN = (-1, -1, -1, 1, -1, -1, 1, -1, -1)


@pytest.fixture
def ann(core: Core) -> int:
    """A user of the group "users"."""
    return core.add_user("ann")


def _template(core: Core, text: str = "", name: str = "t", *, is_open: bool = True) -> int:
    oid: int = core.call("template.allocate", f"NAME={name}\n{CAPACITY}{text}")
    if is_open:
        core.call("template.chmod", oid, *_OPEN, False)
    return oid


def _vm(
    core: Core, template: int, text: str = "", name: str = "", user: str = "oneadmin"
) -> xmldoc.etree._Element:
    return core.info(
        "vm.info", core.call("template.instantiate", template, name, True, text, False, user=user)
    )


def _refused(core: Core, code: int, template: int, text: str = "", user: str = "oneadmin") -> str:
    return refused(core, code, "template.instantiate", template, "", True, text, user=user)


# -- attributes --------------------------------------------------------------------------------------------
def test_where_the_vm_comes_from(core: Core) -> None:
    template = _template(core, "TEMPLATE_ID=77\nTEMPLATE_NAME=x\nNOTE=n")
    vm = _vm(core, template)
    assert vm.findtext("NAME") == "t-0"
    assert vm.findtext("TEMPLATE/TEMPLATE_ID") == str(template)
    assert parts(vm.findall("USER_TEMPLATE")[0]) == {"NOTE": "n"}
    assert _vm(core, template, "NAME=ignored").findtext("NAME") == "t-1"
    assert _vm(core, template, name="own").findtext("NAME") == "own"
    assert "char '<'" in refused(core, ALLOCATE, "template.instantiate", template, "a<b", True, "", False)


def test_attributes_of_the_call_replace_those_of_the_template(core: Core) -> None:
    template = _template(core, "DISK=[TYPE=fs,SIZE=1]\nDISK=[TYPE=fs,SIZE=2]\nNOTE=a\nNOTE=b")
    vm = _vm(core, template, "MEMORY=128\nDISK=[TYPE=fs,SIZE=9]\nNOTE=c")
    assert [disk.findtext("SIZE") for disk in vm.iterfind("TEMPLATE/DISK")] == ["9"]
    assert [note.text for note in vm.iterfind("USER_TEMPLATE/NOTE")] == ["c"]
    assert vm.findtext("TEMPLATE/MEMORY") == "128"


def test_restricted_attributes_stay_as_the_template_has_them(core: Core, ann: int) -> None:
    network(core, "net", "10.0.0.1")
    given = 'NIC=[NETWORK_ID=0,MAC="02:00:0a:00:00:05"]'
    template = _template(core, f"EMULATOR=/e\n{given}")
    for changed in (
        "EMULATOR=/f",
        'NIC=[NETWORK_ID=0,MAC="02:00:0a:00:00:06"]',
        "NIC=[NETWORK_ID=0]",
        "CPU_COST=1",
    ):
        _refused(core, AUTHORIZATION, template, changed, "ann")
    vm = _vm(core, template, f"EMULATOR=/e\n{given}\nX=1", user="ann")
    assert (vm.findtext("TEMPLATE/EMULATOR"), vm.findtext("TEMPLATE/NIC/IP")) == ("/e", "10.0.0.5")
    # What a call leaves out is not lost.
    assert _vm(core, template, "NIC=[BRIDGE=b]").findtext("TEMPLATE/EMULATOR") == "/e"
    assert _vm(core, template, "EMULATOR=/f\nNIC=[BRIDGE=b]").findtext("TEMPLATE/EMULATOR") == "/f"


# -- rights and the order of the checks --------------------------------------------------------------------
def test_what_is_said_first(core: Core, ann: int) -> None:
    closed = _template(core, is_open=False)
    router = _template(core, "VROUTER=yes", "r", is_open=False)
    _refused(core, NO_EXISTS, 99, user="ann")
    _refused(core, ACTION, router, "A=[", "ann")
    _refused(core, INTERNAL, closed, "A=[", "ann")
    _refused(core, AUTHORIZATION, closed, "EMULATOR=x\nTOPOLOGY=[A=1]", "ann")
    _refused(core, ALLOCATE, closed, "TOPOLOGY=[A=1]", "ann")
    _refused(core, AUTHORIZATION, closed, "CPU=0", "ann")
    _refused(core, ALLOCATE, closed, "CPU=0")


def test_the_rights_on_what_the_template_names(core: Core, ann: int) -> None:
    store = datastore(core, "img")
    image(core, "closed", store)
    image(core, "open", store, is_open=True)
    template = _template(core, "DISK=[IMAGE_ID=0]")
    assert "USE IMAGE [0]" in _refused(core, AUTHORIZATION, template, user="ann")
    _vm(core, template, "DISK=[IMAGE=open,IMAGE_UNAME=oneadmin]", user="ann")
    _refused(core, ALLOCATE, template, "DISK=[IMAGE_ID=7]", "ann")
    core.call("template.lock", template, 1, False)
    _refused(core, AUTHORIZATION, template)


def test_further_attributes_need_the_right_to_create_templates(core: Core, ann: int) -> None:
    template = _template(core)
    core.call("acl.delrule", 0)
    core.call("acl.addrule", "0x200000001", "0x1400000000", "0x8", "0x100000000")  # VMs only
    _vm(core, template, user="ann")
    assert "CREATE TEMPLATE" in _refused(core, AUTHORIZATION, template, "A=b", "ann")


def test_quotas_come_before_what_cannot_be(core: Core, ann: int) -> None:
    template = _template(core)
    core.call("user.quota", ann, "VM=[MEMORY=100]")
    assert "MEMORY" in _refused(core, AUTHORIZATION, template, "MEMORY=200\nNIC=[NETWORK_ID=9]", "ann")
    _refused(core, ALLOCATE, template, "NIC=[NETWORK_ID=9]", "ann")
    _vm(core, template, user="ann")
    _refused(core, AUTHORIZATION, template, user="ann")
    _vm(core, template)


# -- for somebody else -------------------------------------------------------------------------------------
def test_vms_for_other_users_and_groups(core: Core, ann: int) -> None:
    core.call("group.allocate", "g")
    template = _template(core, is_open=False)
    owner = ("UID", "GID", "UNAME", "GNAME")

    def made(text: str, user: str = "oneadmin") -> list[str | None]:
        vm = _vm(core, template, text, user=user)
        assert vm.find("USER_TEMPLATE/AS_UID") is None and vm.find("USER_TEMPLATE/AS_GID") is None
        return [vm.findtext(name) for name in owner]

    assert made(f"AS_UID={ann}") == [str(ann), "0", "ann", "oneadmin"]
    assert made("AS_GID=100") == ["0", "100", "oneadmin", "g"]
    assert made("AS_UID=0") == ["0", "0", "oneadmin", "oneadmin"]
    _refused(core, NO_EXISTS, template, "AS_UID=77")
    _refused(core, NO_EXISTS, template, "AS_GID=77")
    core.call("template.chmod", template, *_OPEN, False)
    # The rights are those of the other user in that group alone, which may create nothing.
    _refused(core, AUTHORIZATION, template, f"AS_UID={ann}\nAS_GID=100")
    _refused(core, AUTHORIZATION, template, "AS_UID=1", "ann")
    _refused(core, AUTHORIZATION, template, "AS_GID=100", "ann")
    assert made(f"AS_UID={ann}", "ann") == [str(ann), "1", "ann", "users"]


# -- user inputs -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        ("M|text|Name?", "anything", ""),
        ("M|text|Name?", "", "a value"),
        ("O|number| | |3", "", ""),
        ("O|number| | |3", "12", ""),
        ("O|number| | |3", "-12", ""),
        ("O|number| | |3", "1.5", "an integer"),
        ("O|number-float", "1.5", ""),
        ("O|number-float", "x", "a number"),
        ("O|range| |1..10|3", "10", ""),
        ("O|range| |1..10|3", "11", "a number from 1 to 10"),
        ("O|range-float| |0.5..1|1", "0.4", "a number from 0.5 to 1"),
        ("O|range| |broken", "11", ""),
        ("M|list| |a,b|a", "b", ""),
        ("M|list| |a,b|a", "a,b", "one of a,b"),
        ("M|list-multiple| |a,b,c|a", "a,c", ""),
        ("M|list-multiple| |a,b,c|a", "a,x", "some of a,b,c"),
        ("M|boolean| | |YES", "no", ""),
        ("M|boolean| | |YES", "maybe", "YES or NO"),
        ("M|password|x", "secret", ""),
        ("M|text64|x", "!!", ""),
        ("M|future-kind|x", "?", ""),
    ],
)
def test_values_and_inputs(declared: str, value: str, expected: str) -> None:
    assert UserInput.of("X", declared).problem(value) == expected


def test_every_wrong_value_is_named() -> None:
    template = Template.parse('USER_INPUTS=[A="M|number|x",B="O|boolean|x",C="M|text|x"]')
    with pytest.raises(RequestError) as wrong:
        check(template, Template.parse("A=x\nB=y\nD=z"))
    assert "A must be an integer, found 'x'; B must be YES or NO, found 'y'" in wrong.value.message


def test_user_inputs_of_a_template(core: Core) -> None:
    template = _template(core, 'USER_INPUTS=[MEMORY="M|list| |64,128|64",NOTE="M|text|Why?"]')
    assert "MEMORY must be one of 64,128" in _refused(core, ALLOCATE, template, "MEMORY=65")
    assert _vm(core, template, "MEMORY=128\nNOTE=n").findtext("TEMPLATE/MEMORY") == "128"
    # What is not given is not asked for: clients do that.
    assert _vm(core, template).findtext("TEMPLATE/MEMORY") == "64"
