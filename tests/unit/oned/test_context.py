"""CONTEXT of VMs: variables, network settings, files, OneGate."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from services.common import paths, xmldoc
from services.oned.errors import RequestError
from services.oned.lifecycle.variables import file_conditions
from tests.support.core import Core
from tests.support.vm_parts import create, datastore, image, network, parts, refused_vm


def _context(vm: xmldoc.etree._Element) -> dict[str, str]:
    return parts(vm.findall("TEMPLATE/CONTEXT")[0])


@pytest.fixture
def net(core: Core) -> int:
    """A network with name servers, and a gateway that its range overrides."""
    oid = network(core, "net", "10.0.0.1", 'DNS="1.1.1.1"\nGATEWAY="10.0.0.254"\nNETWORK_MASK="255.0.0.0"')
    core.call("vn.update_ar", oid, 'AR=[AR_ID=0,GATEWAY="10.0.0.253"]')
    return oid


# -- variables ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$NAME is $vmid", "one-0 is 0"),
        ("$UID $GID $UNAME $GNAME.", "0 0 oneadmin oneadmin."),
        ("$CPU|$MEMORY|$FOO", "0.1|64|bar"),
        ("$NAME$UID", "one-00"),
        ("<$NOPE>", "<>"),
        ("#$FOO#", "#bar#"),
        ("a\\$FOO", "a\\$FOO"),
        ("$DISK[TARGET, DISK_ID=1]", "sdb"),
        ('$DISK[ target , Disk_Id = \\"1\\" ]!', "sdb!"),
        ("$DISK[TARGET]", "sda"),
        ("$DISK[TARGET, DISK_ID=7]", ""),
        ("$NIC[IP]", ""),
        ("$USER[SSH_PUBLIC_KEY]", "ssh-rsa AAA"),
        ("$NAME\n", "one-0"),
        ("plain", "plain"),
    ],
)
def test_variables(core: Core, text: str, expected: str) -> None:
    core.call("user.update", 0, 'SSH_PUBLIC_KEY="ssh-rsa AAA"', 1)
    vm = create(core, f'FOO=bar\nDISK=[TYPE=fs,SIZE=1]\nDISK=[TYPE=fs,SIZE=1]\nCONTEXT=[V="{text}"]')
    assert _context(vm)["V"] == expected


@pytest.mark.parametrize(
    "text",
    [
        "x$",
        "$ x",
        "$$",
        "$NAME, x",
        "$NAME = x",
        "$NAME]",
        "$NAME[",
        "$NAME[A",
        "${NAME}",
        "$OS[UUID]x",
        "$A[B=C]",
    ],
)
def test_variables_that_cannot_be_read(core: Core, text: str) -> None:
    assert "Error parsing" in refused_vm(core, f'CONTEXT=[V="{text}"]')


def test_variables_that_stand_for_documents(core: Core) -> None:
    vm = create(core, 'CONTEXT=[V="$TEMPLATE",U="$USER[TEMPLATE]"]')
    document = xmldoc.parse(base64.b64decode(_context(vm)["V"]).decode())
    assert (document.tag, document.findtext("TEMPLATE/CPU")) == ("VM", "0.1")
    assert base64.b64decode(_context(vm)["U"]).startswith(b"<USER>")


def test_variables_of_images_and_networks_of_the_vm(core: Core, net: int) -> None:
    store = datastore(core, "img")
    image(core, "os", store, more="NOTE=hello")
    image(core, "other", store, more="NOTE=secret")
    values = {
        "A": ("$IMAGE[NOTE, IMAGE_ID=0]", "hello"),
        "B": ("$IMAGE[NOTE, IMAGE=os]", "hello"),
        "C": ("$IMAGE[NOTE, IMAGE_ID=1]", ""),  # none of the VM's
        "D": ("$IMAGE[NOTE]", ""),
        "E": ("$NETWORK[DNS, NETWORK_ID=0]", "1.1.1.1"),
        "F": ("$NETWORK[GATEWAY, NETWORK=net]", "10.0.0.253"),  # the range's before the network's
        "G": ("$NETWORK[DNS, NIC_ID=1]", "1.1.1.1"),
        "H": ("$NETWORK[DNS, NETWORK_ID=7]", ""),
        "I": ("$NIC_ALIAS[IP]", "10.0.0.2"),
    }
    text = ",".join(f'{name}="{value}"' for name, (value, _) in values.items())
    vm = create(
        core,
        f"DISK=[IMAGE_ID=0]\nNIC=[NETWORK_ID=0]\nNIC_ALIAS=[PARENT=NIC0,NETWORK_ID=0]\nCONTEXT=[{text}]",
    )
    context = _context(vm)
    assert {name: context[name] for name in values} == {name: said for name, (_, said) in values.items()}


def test_requirements_of_the_user(core: Core) -> None:
    vm = create(core, 'SCHED_REQUIREMENTS="NAME = $NAME"\nREQUIREMENTS=old')
    user = vm.findall("USER_TEMPLATE")[0]
    assert parts(user) == {"SCHED_REQUIREMENTS": "NAME = one-0"}
    old = create(core, 'REQUIREMENTS="A = $UID"')
    assert old.findtext("USER_TEMPLATE/SCHED_REQUIREMENTS") == "A = 0"
    assert "is empty" in refused_vm(core, 'SCHED_REQUIREMENTS=""')
    assert "Only one SCHED_REQUIREMENTS" in refused_vm(core, "SCHED_REQUIREMENTS=a\nSCHED_REQUIREMENTS=b")
    assert "expected text" in refused_vm(core, "SCHED_REQUIREMENTS=[A=1]")


# -- network -----------------------------------------------------------------------------------------------
_NAMES = (
    *(
        "CONTEXT_FORCE_IPV4",
        "DNS",
        "EXTERNAL",
        "GATEWAY",
        "GATEWAY6",
        "IP",
        "IP6",
        "IP6_PREFIX_LENGTH",
        "IP6_ULA",
    ),
    *("MAC", "MASK", "METRIC", "METRIC6", "MTU", "NETWORK", "SEARCH_DOMAIN", "VLAN_ID", "VROUTER_IP"),
    *("VROUTER_IP6", "VROUTER_MANAGEMENT"),
)


def test_settings_of_interfaces(core: Core, net: int) -> None:
    vm = create(
        core,
        'NIC=[NETWORK_ID=0,SEARCH_DOMAIN="$NAME.test"]\nNIC_ALIAS=[PARENT=NIC0,NETWORK_ID=0,EXTERNAL=YES]\n'
        "CONTEXT=[NETWORK=yes,ETH0_DNS=mine,ETH7_DNS=kept]",
    )
    context = _context(vm)
    wanted = {f"{prefix}_{name}" for prefix in ("ETH0", "ETH0_ALIAS0") for name in _NAMES}
    assert wanted | {"ETH7_DNS", "NETWORK", "TARGET", "DISK_ID"} == context.keys()
    assert [context[f"ETH0_{n}"] for n in ("IP", "DNS", "GATEWAY", "MASK", "SEARCH_DOMAIN", "IP6")] == [
        "10.0.0.1",
        "1.1.1.1",
        "10.0.0.253",
        "255.0.0.0",
        "one-0.test",
        "",
    ]
    assert (context["ETH0_ALIAS0_IP"], context["ETH0_ALIAS0_EXTERNAL"]) == ("10.0.0.2", "YES")


def test_no_settings_unless_asked_for(core: Core, net: int) -> None:
    for asked in ("A=b", "NETWORK=NO", "NETWORK=1"):
        context = _context(create(core, f"NIC=[NETWORK_ID=0]\nCONTEXT=[{asked}]"))
        assert not [name for name in context if name.startswith("ETH")]
    vm = create(core, "NIC=[NETWORK_MODE=auto]\nNIC=[NETWORK_ID=0]\nCONTEXT=[NETWORK=YES]")
    prefixes = {name.partition("_")[0] for name in _context(vm) if name.startswith("ETH")}
    assert prefixes == {"ETH1"}


def test_settings_of_devices(core: Core, net: int) -> None:
    devices = "PCI=[CLASS=0403]\nPCI=[CLASS=0200,TYPE=NIC,NETWORK_ID=0]"
    context = _context(create(core, f"{devices}\nCONTEXT=[NETWORK=YES]"))
    found = {name: text for name, text in context.items() if name.startswith("PCI")}
    assert found == {
        "PCI0_ADDRESS": "01:01.0",
        "PCI1_ADDRESS": "01:02.0",
        "PCI1_GATEWAY": "10.0.0.253",
        "PCI1_IP": "10.0.0.1",
        "PCI1_MAC": "02:00:0a:00:00:01",
    }
    context = _context(create(core, f"{devices}\nCONTEXT=[A=b]"))
    assert {name for name in context if name.startswith("PCI")} == {"PCI0_ADDRESS", "PCI1_ADDRESS"}


# -- files, OneGate, virtual routers -----------------------------------------------------------------------
def test_files(core: Core) -> None:
    core.add_user("ann")
    core.call("datastore.update", 2, "DATASTORE_CAPACITY_CHECK=NO", 1)
    for name in ("a", "b"):
        image(core, name, 2, "CONTEXT")
    image(core, "kern", 2, "KERNEL")
    text = 'CONTEXT=[FILES_DS="$FILE[IMAGE_ID=0] $FILE[IMAGE=b]"]'
    assert _context(create(core, text))["FILES_DS"] == "/images/a:'a' /images/b:'b' "
    assert "USE IMAGE [0]" in refused_vm(core, text, user="ann")
    assert "expected CONTEXT" in refused_vm(core, 'CONTEXT=[FILES_DS="$FILE[IMAGE_ID=2]"]')
    for between in (", ", "  "):
        refused_vm(core, f'CONTEXT=[FILES_DS="$FILE[IMAGE_ID=0]{between}$FILE[IMAGE_ID=1]"]')
    assert "FILES_DS" not in _context(create(core, 'CONTEXT=[FILES_DS=""]'))
    # A name is its user's, and the driver reads what stands behind a blank as a file of the front-end.
    for name in ("x .one y", "a\u2003one.db"):
        core.call("image.rename", 1, name)
        told = refused_vm(core, 'CONTEXT=[FILES_DS="$FILE[IMAGE_ID=1]"]')
        assert "Image 1 cannot be a file of a CONTEXT" in told and "has blanks" in told
    core.call("image.rename", 1, "b")
    core.call("image.enable", 1, False)
    assert "expected READY" in refused_vm(core, text)


def test_what_files_can_look_like() -> None:
    assert file_conditions('\n $FILE[IMAGE="a b", image_uname=x]') == [{"IMAGE": "a b", "IMAGE_UNAME": "x"}]
    assert file_conditions("$FILE[IMAGE_ID=1]$FILE[IMAGE_ID=2]") == [{"IMAGE_ID": "1"}, {"IMAGE_ID": "2"}]
    with pytest.raises(RequestError):
        file_conditions("$FILE[IMAGE_ID]")


def test_onegate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    paths.log().mkdir(parents=True)
    core = Core(tmp_path, 'ONEGATE_ENDPOINT="http://gate:5030"')
    vm = create(core, "CONTEXT=[TOKEN=YES]")
    assert _context(vm).items() >= {"ONEGATE_ENDPOINT": "http://gate:5030", "VMID": "0"}.items()
    assert vm.findtext("TEMPLATE/CREATED_BY") == "0"
    assert "VMID" not in _context(create(core, "CONTEXT=[TOKEN=no]"))
    core.zone.close()


def test_onegate_must_be_set_up(core: Core) -> None:
    assert "onegate endpoint was not defined" in refused_vm(core, "CONTEXT=[TOKEN=YES]")


def test_virtual_routers(core: Core) -> None:
    vm = create(core, "VROUTER_ID=3\nVROUTER_KEEPALIVED_PASSWORD=x\nCONTEXT=[A=b]\nCONTEXT=[C=d]")
    assert _context(vm).items() >= {"VROUTER_ID": "3", "VROUTER_KEEPALIVED_PASSWORD": "x", "A": "b"}.items()
    assert vm.findtext("TEMPLATE/VROUTER_ID") == "3" and vm.find("USER_TEMPLATE/VROUTER_ID") is None
