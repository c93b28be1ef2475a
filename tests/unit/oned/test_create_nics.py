"""Interfaces of new VMs: leases, names, aliases, automatic mode, security groups, passed-through cards."""

from __future__ import annotations

import pytest

from services.common import xmldoc
from tests.support.core import Core
from tests.support.vm_parts import AUTHORIZATION, INTERNAL, create, network, parts, refused, refused_vm


@pytest.fixture
def net(core: Core) -> int:
    """A network with the addresses 10.0.0.1 to 10.0.0.10."""
    return network(core, "net", "10.0.0.1")


def _nics(vm: xmldoc.etree._Element, kind: str = "NIC") -> list[dict[str, str]]:
    return [parts(nic) for nic in vm.iterfind(f"TEMPLATE/{kind}")]


def test_an_interface(core: Core, net: int) -> None:
    vm = create(core, "NIC=[NETWORK=net]")
    assert _nics(vm) == [
        {
            "AR_ID": "0",
            "BRIDGE": "br-net",
            "BRIDGE_TYPE": "linux",
            "CLUSTER_ID": "0",
            "IP": "10.0.0.1",
            "MAC": "02:00:0a:00:00:01",
            "NAME": "NIC0",
            "NETWORK": "net",
            "NETWORK_ID": "0",
            "NIC_ID": "0",
            "SECURITY_GROUPS": "0",
            "TARGET": "one-0-0",
            "VN_MAD": "dummy",
        }
    ]
    rules = [parts(rule)["RULE_TYPE"] for rule in vm.iterfind("TEMPLATE/SECURITY_GROUP_RULE")]
    assert rules == ["OUTBOUND", "INBOUND"]
    assert core.info("secgroup.info", 0).findtext("UPDATED_VMS/ID") == "0"
    core.call("vm.action", "terminate", 0)
    assert core.info("vn.info", 0).findtext("USED_LEASES") == "0"
    assert core.info("secgroup.info", 0).find("UPDATED_VMS/ID") is None


FOREIGN = (
    "PHYDEV=eth0,VN_MAD=vxlan,BRIDGE_TYPE=openvswitch_dpdk,OUTER_VLAN_ID=9,MTU=68,VXLAN_MC=239.9.9.9,"
    'IP_LINK_CONF="id=5",CONF="vxlan_mode=evpn",BRIDGE_CONF="stp=on",VROUTER_IP=10.0.0.9,'
    'VROUTER_IP6_GLOBAL="2001:db8::9",IP6_GLOBAL="2001:db8::8",IP6_LINK="fe80::1",TARGET=one-7-0'
)


def test_what_only_the_network_says(core: Core, net: int) -> None:
    """A user's card has no PHYDEV, no VLAN and no address but those of its network and its lease."""
    core.add_user("ann")
    plain = _nics(create(core, "NIC=[NETWORK=net]"))[0]
    for text in (
        f"NIC=[NETWORK_ID=0,{FOREIGN}]",
        f"NIC=[NETWORK_ID=0]\nNIC_DEFAULT=[{FOREIGN}]",
        f"NIC=[NETWORK_ID=0,{FOREIGN}]\nVROUTER_ID=0",
    ):
        made = _nics(create(core, text, user="ann"))[0]
        assert made.keys() == plain.keys(), made.keys() ^ plain.keys()
        assert (made["VN_MAD"], made["BRIDGE_TYPE"], made["TARGET"][-2:]) == ("dummy", "linux", "-0")
        assert made["TARGET"] != "one-7-0"


def test_an_alias_has_the_addresses_of_its_lease(core: Core, net: int) -> None:
    vm = create(core, f"NIC=[NETWORK_ID=0,NAME=a]\nNIC_ALIAS=[NETWORK_ID=0,PARENT=a,{FOREIGN}]")
    (alias,) = _nics(vm, "NIC_ALIAS")
    assert not {"PHYDEV", "VROUTER_IP", "IP6_GLOBAL", "CONF"} & alias.keys()


def test_asked_addresses(core: Core, net: int) -> None:
    assert _nics(create(core, 'NIC=[NETWORK_ID=0,IP="10.0.0.7"]'))[0]["MAC"] == "02:00:0a:00:00:07"
    refused_vm(core, 'NIC=[NETWORK_ID=0,IP="10.0.0.7"]')
    refused_vm(core, 'NIC=[NETWORK_ID=0]\nNIC=[NETWORK_ID=0,IP="10.9.0.7"]')
    # A refused VM gives back what it had taken.
    assert core.info("vn.info", 0).findtext("USED_LEASES") == "1"


def test_networks_that_cannot_be_used(core: Core, net: int) -> None:
    core.add_user("ann")
    core.call("vn.chmod", net, -1, -1, -1, 0, -1, -1, 0, -1, -1)
    create(core, "NIC=[NETWORK_ID=0]", user="ann")  # the default VDC gives the right
    core.call("vdc.delgroup", 0, 1)
    refused_vm(core, "NIC=[NETWORK_ID=0]", code=AUTHORIZATION, user="ann")
    refused_vm(core, "NIC=[NETWORK=net,NETWORK_UNAME=oneadmin]", code=AUTHORIZATION, user="ann")
    # What does not exist is not a matter of rights.
    for nic in ("NETWORK_ID=9", "NETWORK=nope", "NETWORK=net,NETWORK_UNAME=nobody", "NETWORK_ID=x"):
        refused_vm(core, f"NIC=[{nic}]", code=INTERNAL, user="ann")
    core.call("secgroup.allocate", "NAME=closed\nRULE=[PROTOCOL=ALL,RULE_TYPE=inbound]")
    core.call("vn.chmod", net, -1, -1, -1, 1, -1, -1, 1, -1, -1)
    assert "SECGROUP [100]" in refused_vm(
        core, "NIC=[NETWORK_ID=0,SECURITY_GROUPS=100]", code=AUTHORIZATION, user="ann"
    )
    vm = create(core, 'NIC=[NETWORK_ID=0,SECURITY_GROUPS="100,100,x"]')
    assert _nics(vm)[0]["SECURITY_GROUPS"] == "0,100"
    assert len(vm.findall("TEMPLATE/SECURITY_GROUP_RULE")) == 3


def test_an_interface_without_a_network(core: Core) -> None:
    vm = create(core, "NIC=[BRIDGE=br7]\nNIC_DEFAULT=[MODEL=virtio,BRIDGE=other]")
    assert _nics(vm) == [{"BRIDGE": "br7", "MODEL": "virtio", "NAME": "NIC0", "NIC_ID": "0"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NIC_DEFAULT=[NETWORK=x]", "NETWORK is not allowed inside NIC_DEFAULT"),
        ("NIC_DEFAULT=[A=1]\nNIC_DEFAULT=[B=1]", "Only one NIC_DEFAULT"),
        ("NIC_DEFAULT=x", "Wrong format for NIC_DEFAULT"),
        ("NIC_ALIAS=[PARENT=NIC0]", "NIC named NIC0 not found for alias"),
        ("NIC=[BRIDGE=b]\nNIC_ALIAS=[PARENT=NIC0,NETWORK_MODE=auto]", "incompatible with auto mode"),
        ("NIC=[NETWORK_MODE=auto]\nNIC_ALIAS=[PARENT=NIC0]", "not found for alias"),
    ],
)
def test_interfaces_that_cannot_be(core: Core, text: str, message: str) -> None:
    assert message in refused_vm(core, text)


def test_names_and_aliases(core: Core, net: int) -> None:
    network(core, "two", "10.1.0.1")
    vm = create(
        core,
        "NIC=[NETWORK_ID=0]\nNIC=[NETWORK_ID=1,NAME=NIC0]\nNIC=[NETWORK_ID=0,NAME=foo]\n"
        "NIC_ALIAS=[PARENT=NIC0,NETWORK_ID=0]\nNIC_ALIAS=[PARENT=foo,NETWORK_ID=1,NAME=ali]\n"
        "NIC_ALIAS=[PARENT=NIC0,NETWORK_ID=1,NAME=NIC0_ALIAS3]",
    )
    assert [(nic["NAME"], nic["NIC_ID"], nic.get("ALIAS_IDS")) for nic in _nics(vm)] == [
        ("NIC0", "0", "3,5"),
        ("_NIC0", "1", None),
        ("foo", "2", "4"),
    ]
    names = ("NAME", "NIC_ID", "PARENT_ID", "ALIAS_ID", "IP")
    assert [tuple(alias[name] for name in names) for alias in _nics(vm, "NIC_ALIAS")] == [
        ("NIC0_ALIAS3", "3", "0", "0", "10.0.0.3"),
        ("ali", "4", "2", "0", "10.1.0.2"),
        ("_NIC0_ALIAS3", "5", "0", "1", "10.1.0.3"),
    ]


def test_automatic_mode(core: Core, net: int) -> None:
    vm = create(core, 'NIC=[NETWORK_MODE=Auto,SCHED_REQUIREMENTS="A=1"]\nNIC=[NETWORK_ID=0]')
    automatic, other = _nics(vm)
    assert automatic == {
        "NAME": "NIC0",
        "NETWORK_MODE": "Auto",
        "NIC_ID": "0",
        "SCHED_REQUIREMENTS": "A=1",
    }
    assert other["NIC_ID"] == "1"


def test_passed_through_devices(core: Core, net: int) -> None:
    vm = create(core, "PCI=[VENDOR=8086,CLASS=0403]\nPCI=[CLASS=0200,TYPE=NIC,NETWORK_ID=0]\nNIC=[BRIDGE=b]")
    plain, card = _nics(vm, "PCI")
    assert plain == {
        "CLASS": "0403",
        "PCI_ID": "0",
        "VENDOR": "8086",
        "VM_ADDRESS": "01:01.0",
        "VM_BUS": "0x01",
        "VM_DOMAIN": "0x0000",
        "VM_FUNCTION": "0",
        "VM_SLOT": "0x01",
    }
    assert (card["NIC_ID"], card["NAME"], card["IP"], card["VM_ADDRESS"]) == (
        "1",
        "NIC1",
        "10.0.0.1",
        "01:02.0",
    )
    assert "Wrong Hex value for PCI attribute VENDOR" in refused_vm(core, "PCI=[VENDOR=zz]")
    assert "must be defined for PCI" in refused_vm(core, "PCI=[A=b]")
    assert "Wrong BUS" in refused_vm(core, "PCI=[VENDOR=1,VM_BUS=q]")


def test_restricted_parts(core: Core, net: int) -> None:
    core.add_user("ann")
    text = refused_vm(core, "NIC=[MAC=a]", code=AUTHORIZATION, user="ann")
    assert "restricted attribute NIC/MAC" in text
    for restricted in ("RAW=[TYPE=kvm]", "PCI=[CLASS=1]", "DISK=[SIZE_PREV=1]", "EMULATOR=x"):
        refused_vm(core, restricted, code=AUTHORIZATION, user="ann")


# -- VM groups ---------------------------------------------------------------------------------------------
def test_roles_of_vm_groups(core: Core) -> None:
    core.add_user("ann")
    core.call("vmgroup.allocate", "NAME=g\nROLE=[NAME=a]\nROLE=[NAME=b]")
    vm = create(core, "VMGROUP=[VMGROUP_NAME=g,ROLE=a]\nVMGROUP=[VMGROUP_ID=0,ROLE=b]")
    assert [parts(group) for group in vm.iterfind("TEMPLATE/VMGROUP")] == [
        {"ROLE": "a", "VMGROUP_ID": "0", "VMGROUP_NAME": "g"}
    ]
    create(core, "VMGROUP=[VMGROUP_ID=0,ROLE=a]")
    assert core.info("vmgroup.info", 0).findtext("ROLES/ROLE/VMS") == "0,1"
    assert "Missing role name" in refused_vm(core, "VMGROUP=[VMGROUP_ID=0]")
    assert "there is no VM group with VMGROUP_ID" in refused_vm(core, "VMGROUP=[VMGROUP_ID=9,ROLE=a]")
    assert "no role 'z'" in refused_vm(core, "VMGROUP=[VMGROUP_ID=0,ROLE=z]")
    refused_vm(core, "VMGROUP=[VMGROUP_ID=0,ROLE=a]", code=AUTHORIZATION, user="ann")
    assert "no VM group with VMGROUP_NAME" in refused_vm(core, "VMGROUP=[VMGROUP_NAME=g,ROLE=a]", user="ann")
    core.call("vm.action", "terminate", 0)
    assert core.info("vmgroup.info", 0).findtext("ROLES/ROLE/VMS") == "1"
    refused(core, 0x2000, "vm.allocate", "CPU=1", True)
