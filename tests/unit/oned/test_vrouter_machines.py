"""The machines of virtual routers: made from a template, sharing cards, and ending with their router."""

from __future__ import annotations

import pytest

from services.common.template import Template
from tests.support.core import Core
from tests.support.played import Played

AUTHORIZATION, NO_EXISTS, ACTION, ALLOCATE = 0x200, 0x400, 0x800, 0x4000
LAN = "NAME=lan\nVN_MAD=dummy\nBRIDGE=br0\nAR=[TYPE=IP4,IP=10.0.0.1,SIZE=20]"
ROUTER = "NAME=r\nKEEPALIVED_PASSWORD=pw\nNIC=[NETWORK_ID=0,FLOATING_IP=YES]"
IMAGE_OF_ROUTER = "NAME=t\nCPU=0.5\nMEMORY=64\nVROUTER=YES\nCONTEXT=[NETWORK=YES]\nNIC=[NETWORK_ID=0]"


@pytest.fixture
def zone(core: Core) -> Played:
    """Network 0, router 0 of ann with a floating address, router template 0, plain template 1."""
    played = Played(core)
    core.call("vn.allocate", LAN, -1)
    core.call("vn.chown", 0, -1, 1)
    core.call("vn.chmod", 0, *([-1] * 3), 1, *([-1] * 5))
    core.add_user("ann")
    core.add_user("bob")
    core.call("template.allocate", IMAGE_OF_ROUTER)
    core.call("template.allocate", "NAME=plain\nCPU=1\nMEMORY=64")
    for oid in (0, 1):
        core.call("template.chmod", oid, *([-1] * 6), 1, -1, -1)
    core.call("vrouter.allocate", ROUTER)
    core.call("vrouter.chown", 0, 2, 1)
    return played


def _vms(zone: Played) -> list[int]:
    return [int(found.text or -1) for found in zone.info("vrouter.info", 0).findall("VMS/ID")]


def _two_running(zone: Played) -> None:
    zone.call("vrouter.instantiate", 0, 2, 0, "", False, "", user="ann")
    for vm_id in (0, 1):
        zone.call("vm.deploy", vm_id, zone.host, False, -1, "")
    zone.work()


def _nics(zone: Played, vm_id: int) -> list[dict[str, str]]:
    return Template.from_element(zone.info("vm.info", vm_id).find("TEMPLATE")).vectors("NIC")


def test_machines_are_made(zone: Played) -> None:
    assert zone.call("vrouter.instantiate", 0, 2, 0, "", False, "NOTE=x", user="ann") == 0
    assert _vms(zone) == [0, 1]
    for vm_id in (0, 1):
        vm = zone.info("vm.info", vm_id)
        assert (vm.findtext("NAME"), vm.findtext("UNAME"), vm.findtext("STATE")) == (
            f"vr-r-{vm_id}",
            "ann",
            "1",
        )
        template = vm.find("TEMPLATE")
        assert template is not None
        for place in ("", "CONTEXT/"):
            assert template.findtext(f"{place}VROUTER_ID") == "0"
            assert template.findtext(f"{place}VROUTER_KEEPALIVED_ID") == "1"
            assert template.findtext(f"{place}VROUTER_KEEPALIVED_PASSWORD") == "pw"
        assert vm.findtext("USER_TEMPLATE/NOTE") == "x"
        # They are made on hold, wait for each other and are then released.
        assert template.findtext("SUBMIT_ON_HOLD") == "YES"
        (nic,) = _nics(zone, vm_id)
        assert nic["VROUTER_IP"] == "10.0.0.1" and nic["IP"] == f"10.0.0.{vm_id + 2}"
        assert template.findtext("CONTEXT/ETH0_VROUTER_IP") == "10.0.0.1"
    assert zone.info("vrouter.info", 0).findtext("TEMPLATE/TEMPLATE_ID") == "0"
    # From now on the router has a default template.
    assert zone.call("vrouter.instantiate", 0, 1, -1, "m-%i-%i", True, "", user="ann") == 0
    assert _vms(zone) == [0, 1, 2]
    assert zone.info("vm.info", 2).findtext("NAME") == "m-0-0"
    assert zone.condition(2) == "2/0"
    assert zone.contradictions() == []


@pytest.mark.parametrize("user", ["ann", "oneadmin"])
def test_cards_of_a_router_have_no_more_than_those_of_vms(zone: Played, user: str) -> None:
    """Its machines get them without another look: what users may not ask for is taken out before."""
    card = "NIC=[NETWORK_ID=0,FILTER_IP_SPOOFING=NO,SCRIPT=/usr/bin/systemctl,MODEL=virtio]"
    zone.call("vrouter.attachnic", 0, card, user=user)
    zone.call("vrouter.instantiate", 0, 1, 0, "", False, "", user=user)
    is_admin = user == "oneadmin"
    nic = _nics(zone, 0)[1]
    assert nic["MODEL"] == "virtio"
    assert ("SCRIPT" in nic, "FILTER_IP_SPOOFING" in nic) == (is_admin, is_admin)


def test_addresses_of_a_router_are_for_its_machines(zone: Played) -> None:
    """VROUTER_ID in a template of somebody who may not manage the router gives no address of it."""
    card = "CPU=0.1\nMEMORY=64\nVROUTER_ID=0\nNIC=[NETWORK_ID=0,VROUTER_IP=10.0.0.1]"
    for user, has_it in (("bob", False), ("ann", True)):
        vm_id = zone.call("vm.allocate", card, True, user=user)
        assert ("VROUTER_IP" in _nics(zone, vm_id)[0]) is has_it


def test_refused_machines(zone: Played) -> None:
    def code(*args: object, user: str = "ann") -> int:
        return zone.refused("vrouter.instantiate", *args, user=user).code

    assert code(9, 1, 0, "", False, "") == NO_EXISTS
    assert code(0, 1, -1, "", False, "") == ACTION
    assert code(0, 1, -1, "", False, "", user="bob") == ACTION
    assert code(0, 1, 0, "", False, "", user="bob") == AUTHORIZATION
    assert code(0, 1, 9, "", False, "") == NO_EXISTS
    assert code(0, 1, 1, "", False, "") == ACTION
    assert code(0, 1, 0, "", False, "RAW=[TYPE=kvm,DATA=x]") == AUTHORIZATION
    assert code(0, 30, 0, "", False, "") == ALLOCATE  # more than the network has addresses
    zone.call("user.quota", 2, "VM=[VMS=1]")
    assert code(0, 2, 0, "", False, "") == AUTHORIZATION
    # All or none; but the ids of those that could be made are used up, as in OpenNebula.
    assert _vms(zone) == []
    assert zone.info("vmpool.info", -2, -1, -1, -1).findall("VM") == []
    assert zone.call("vrouter.instantiate", 0, 0, 0, "", False, "", user="ann") == 0
    assert zone.vm() == 20
    assert zone.contradictions() == []


def test_cards_reach_machines_that_run(zone: Played) -> None:
    _two_running(zone)
    card = "NIC=[NETWORK_ID=0,FLOATING_IP=YES,IP=10.0.0.15]"
    assert zone.call("vrouter.attachnic", 0, card, user="ann") == 0
    assert {zone.condition(vm_id) for vm_id in (0, 1)} == {"3/25"}  # HOTPLUG_NIC
    zone.work()
    for vm_id in (0, 1):
        assert zone.condition(vm_id) == "3/3"
        nic = _nics(zone, vm_id)[1]
        assert (nic["NIC_ID"], nic["VROUTER_IP"]) == ("1", "10.0.0.15") and nic["IP"] != "10.0.0.15"
    assert zone.refused("vm.attachnic", 0, "NIC=[NETWORK_ID=0]").code == ACTION
    assert zone.refused("vm.detachnic", 0, 0).code == ACTION
    assert zone.contradictions() == []
    assert zone.call("vrouter.detachnic", 0, 0, user="ann") == 0
    zone.work()
    assert [len(_nics(zone, vm_id)) for vm_id in (0, 1)] == [1, 1]
    assert zone.contradictions() == []


def test_a_machine_that_refuses_undoes_all(zone: Played) -> None:
    zone.call("vrouter.instantiate", 0, 2, 0, "", False, "", user="ann")
    zone.call("vm.deploy", 0, zone.host, False, -1, "")
    zone.work()
    before = zone.call("vrouter.info", 0), zone.call("vn.info", 0), zone.call("vm.info", 0)
    # The second one waits for a host: nothing can be attached to it.
    assert zone.refused("vrouter.attachnic", 0, "NIC=[NETWORK_ID=0]", user="ann").code == ACTION
    assert zone.refused("vrouter.detachnic", 0, 0, user="ann").code == ACTION
    assert (zone.call("vrouter.info", 0), zone.call("vn.info", 0), zone.call("vm.info", 0)) == before


def test_bits_and_owners_follow(zone: Played) -> None:
    _two_running(zone)
    zone.call("vrouter.chmod", 0, *([-1] * 3), 1, *([-1] * 5), user="ann")
    zone.call("vrouter.chown", 0, 3, 0)
    for vm_id in (0, 1):
        vm = zone.info("vm.info", vm_id, user="bob")
        assert vm.findtext("PERMISSIONS/GROUP_U") == "1"
        assert [vm.findtext(name) for name in ("UID", "UNAME", "GID", "GNAME")] == [
            "3",
            "bob",
            "0",
            "oneadmin",
        ]
    assert zone.contradictions() == []
    zone.call("user.quota", 2, "VM=[VMS=1]")
    assert zone.refused("vrouter.chown", 0, 2, -1).code == NO_EXISTS  # as OpenNebula
    assert zone.info("vrouter.info", 0).findtext("UNAME") == "bob"


def test_machines_that_end_leave_the_list(zone: Played) -> None:
    _two_running(zone)
    zone.act("terminate-hard", 0)
    assert _vms(zone) == [1] and zone.condition(0) == "6/0"
    zone.call("vm.recover", 1, 3)
    zone.work()
    assert _vms(zone) == []
    assert zone.contradictions() == []


def test_machines_end_with_their_router(zone: Played) -> None:
    _two_running(zone)
    zone.call("vrouter.instantiate", 0, 2, 0, "", True, "", user="ann")
    zone.act("poweroff", 1)
    zone.call("vm.deploy", 3, zone.host, False, -1, "")  # on its way: it refuses a proper end
    assert zone.call("vrouter.delete", 0, user="ann") == 0
    assert [zone.condition(vm_id) for vm_id in (2,)] == ["6/0"]
    zone.work()
    assert {zone.condition(vm_id) for vm_id in range(4)} == {"6/0"}
    assert zone.info("vn.info", 0).findtext("USED_LEASES") == "0"
    assert zone.contradictions() == []


def test_a_wrong_list_is_found(zone: Played) -> None:
    zone.call("vmgroup.allocate", "NAME=g\nROLE=[NAME=a]")
    vm_id = zone.vm("VMGROUP=[VMGROUP_ID=0,ROLE=a]")
    assert zone.contradictions() == []
    zone.call(
        "system.sql", f"UPDATE vrouter_pool SET body = REPLACE(body, '<VMS>', '<VMS><ID>{vm_id}</ID>')", False
    )
    zone.call("system.sql", "UPDATE vmgroup_pool SET body = REPLACE(body, '<VMS>', '<NOTE>')", False)
    zone.call("system.sql", "UPDATE vmgroup_pool SET body = REPLACE(body, '</VMS>', '</NOTE>')", False)
    assert zone.contradictions() == [
        f"vm group 0: role a lists the VMs [], the VMs say [{vm_id}]",
        f"virtual router 0: lists the VMs [{vm_id}], which are not its machines",
    ]
