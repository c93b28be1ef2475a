"""Interfaces and aliases that come to a VM and leave it."""

from __future__ import annotations

import pytest

from services.oned.lifecycle import site
from services.oned.lifecycle.site import Traits
from services.oned.model.vm import VM
from services.oned.store import Tx
from tests.support.cloud import Cloud
from tests.support.core import Core

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL = 0x200, 0x400, 0x800, 0x2000
CONTEXT = 'CONTEXT=[NETWORK="YES"]'
ATTACH, DETACH, ALIAS_ATTACH, ALIAS_DETACH = "23", "24", "46", "47"


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def _nics(cloud: Cloud, vm_id: int, kind: str = "NIC") -> list[dict[str, str]]:
    found = cloud.document(vm_id).findall(f"TEMPLATE/{kind}")
    return [{part.tag: part.text or "" for part in nic} for nic in found]


def _held(cloud: Cloud, net: int) -> list[str]:
    leases = cloud.info("vn.info", net).iterfind("AR_POOL/AR/LEASES/LEASE")
    return [lease.findtext("IP") or "" for lease in leases]


def test_attach_and_detach_while_running(cloud: Cloud) -> None:
    net = cloud.lan()
    vm_id = cloud.running(CONTEXT)
    assert cloud.call("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net}]") == vm_id
    (nic,) = _nics(cloud, vm_id)
    assert (cloud.state(vm_id), nic["ATTACH"], nic["NIC_ID"], nic["IP"]) == (
        "HOTPLUG_NIC",
        "YES",
        "0",
        "10.0.0.1",
    )
    assert cloud.text(vm_id, "TEMPLATE/CONTEXT/ETH0_IP") == "10.0.0.1"
    assert cloud.contradictions() == []
    cloud.end("vmm.ATTACH_NIC")
    (nic,) = _nics(cloud, vm_id)
    assert (cloud.state(vm_id), "ATTACH" in nic) == ("RUNNING", False)
    cloud.call("vm.attachnic", vm_id, 'NIC_ALIAS=[NETWORK_ID=0,PARENT="NIC0"]')
    cloud.end("vmm.ATTACH_NIC")
    (alias,) = _nics(cloud, vm_id, "NIC_ALIAS")
    assert (alias["PARENT_ID"], alias["NIC_ID"], _nics(cloud, vm_id)[0]["ALIAS_IDS"]) == ("0", "1", "1")
    assert _held(cloud, net) == ["10.0.0.1", "10.0.0.2"]

    cloud.call("vm.detachnic", vm_id, 1)
    cloud.end("vmm.DETACH_NIC")
    assert _nics(cloud, vm_id, "NIC_ALIAS") == [] and _held(cloud, net) == ["10.0.0.1"]
    cloud.call("vm.detachnic", vm_id, 0)
    cloud.end("vmm.DETACH_NIC")
    assert (_nics(cloud, vm_id), _held(cloud, net), cloud.state(vm_id)) == ([], [], "RUNNING")
    assert cloud.text(vm_id, "TEMPLATE/CONTEXT/ETH0_IP") is None
    actions = [record["ACTION"] for record in cloud.records(vm_id)]
    assert actions == [ATTACH, ALIAS_ATTACH, ALIAS_DETACH, DETACH, "0"]
    assert cloud.contradictions() == []


def test_what_a_driver_cannot_do_changes_nothing(cloud: Cloud) -> None:
    net = cloud.lan()
    vm_id = cloud.running()
    cloud.call("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net}]")
    cloud.end("vmm.ATTACH_NIC", ok=False, message="no bridge")
    assert (cloud.state(vm_id), _nics(cloud, vm_id), _held(cloud, net)) == ("RUNNING", [], [])
    cloud.call("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net}]")
    cloud.end("vmm.ATTACH_NIC")
    cloud.call("vm.detachnic", vm_id, 0)
    cloud.end("vmm.DETACH_NIC", ok=False)
    (nic,) = _nics(cloud, vm_id)
    assert ("ATTACH" in nic, cloud.state(vm_id), _held(cloud, net)) == (False, "RUNNING", ["10.0.0.1"])
    assert cloud.contradictions() == []


def test_while_powered_off_no_driver_is_asked(cloud: Cloud) -> None:
    net = cloud.lan()
    vm_id = cloud.off()
    cloud.call("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net}]")
    (nic,) = _nics(cloud, vm_id)
    assert (cloud.state(vm_id), "ATTACH" in nic, cloud.waiting()) == ("POWEROFF", False, [])
    cloud.call("vm.detachnic", vm_id, 0)
    assert (cloud.state(vm_id), _nics(cloud, vm_id), _held(cloud, net)) == ("POWEROFF", [], [])
    records = cloud.records(vm_id)
    assert [record["ACTION"] for record in records] == [ATTACH, DETACH, "19"]
    assert all(record["RETIME"] != "0" for record in records)
    assert cloud.contradictions() == []


def test_a_driver_that_wants_to_know_is_asked_when_off_too(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = cloud.lan()
    vm_id = cloud.off()
    monkeypatch.setattr(site, "traits", lambda name: Traits(attaches_nics_cold=True, is_known=True))
    for ok in (False, True):
        cloud.call("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net}]")
        assert cloud.state(vm_id) == "HOTPLUG_NIC_POWEROFF"
        cloud.end("vmm.ATTACH_NIC", ok=ok)
        assert (cloud.state(vm_id), len(_nics(cloud, vm_id))) == ("POWEROFF", int(ok))
    for ok in (False, True):
        cloud.call("vm.detachnic", vm_id, 0)
        cloud.end("vmm.DETACH_NIC", ok=ok)
        assert (cloud.state(vm_id), len(_nics(cloud, vm_id))) == ("POWEROFF", 1 - ok)
    assert cloud.contradictions() == []


def test_the_guest_hears_of_it_when_its_context_is_made_anew(cloud: Cloud) -> None:
    """Without a driver to ask, the next boot writes the settings of the interface into CONTEXT."""
    net = cloud.lan()
    vm_id = cloud.off(CONTEXT)
    cloud.call("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net}]")
    assert cloud.text(vm_id, "TEMPLATE/CONTEXT/ETH0_IP") is None
    cloud.call("vm.action", "resume", vm_id)
    assert cloud.text(vm_id, "TEMPLATE/CONTEXT/ETH0_IP") == "10.0.0.1"
    cloud.end("vmm.DEPLOY")
    cloud.call("vn.update", net, 'DNS="10.0.0.53"', 1)
    assert cloud.text(vm_id, "TEMPLATE/CONTEXT/ETH0_DNS") == ""
    cloud.act("suspend", vm_id, "vmm.SAVE")
    cloud.call("vm.action", "resume", vm_id)
    assert cloud.text(vm_id, "TEMPLATE/CONTEXT/ETH0_DNS") == "10.0.0.53"


@pytest.mark.parametrize("operation", [0, 1])
def test_recovery_says_how_it_ended(cloud: Cloud, operation: int) -> None:
    net = cloud.lan()
    vm_id = cloud.running()
    cloud.call("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net}]")
    cloud.call("vm.recover", vm_id, operation)
    assert (cloud.state(vm_id), len(_nics(cloud, vm_id))) == ("RUNNING", operation)
    if operation:
        cloud.call("vm.detachnic", vm_id, 0)
        cloud.call("vm.recover", vm_id, operation)
        assert _nics(cloud, vm_id) == []
    assert cloud.contradictions() == []


def test_refusals(cloud: Cloud) -> None:
    cloud.core.add_user("ann")
    net = cloud.lan()
    nic = f"NIC=[NETWORK_ID={net}]"
    vm_id, mine = cloud.running(), cloud.running(user="ann")
    cloud.refused(NO_EXISTS, "vm.attachnic", 99, nic)
    cloud.refused(INTERNAL, "vm.attachnic", vm_id, "NIC=[")
    cloud.refused(ACTION, "vm.attachnic", vm_id, "")
    cloud.refused(ACTION, "vm.attachnic", vm_id, "NIC=[NETWORK_ID=99]")
    cloud.refused(ACTION, "vm.attachnic", vm_id, 'NIC_ALIAS=[NETWORK_ID=0,PARENT="NIC5"]')
    cloud.refused(ACTION, "vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net},IP=192.168.1.1]")
    cloud.refused(AUTHORIZATION, "vm.attachnic", vm_id, nic, user="ann")
    group = cloud.call("secgroup.allocate", "NAME=closed")
    guarded = f"NIC=[NETWORK_ID={net},SECURITY_GROUPS={group}]"
    cloud.refused(AUTHORIZATION, "vm.attachnic", mine, guarded, user="ann")
    cloud.call("vn.chmod", net, 1, 1, 0, 0, 0, 0, 1, 0, 0)
    cloud.refused(
        AUTHORIZATION, "vm.attachnic", mine, f"NIC=[NETWORK_ID={net},MAC=02:00:0a:00:00:05]", user="ann"
    )
    cloud.refused(ACTION, "vm.attachnic", cloud.vm(), nic)
    cloud.refused(ACTION, "vm.attachnic", cloud.suspended(), nic)
    assert "has none" in cloud.refused(ACTION, "vm.detachnic", vm_id, 0)
    cloud.refused(NO_EXISTS, "vm.detachnic", 99, 0)
    cloud.refused(AUTHORIZATION, "vm.detachnic", vm_id, 0, user="ann")
    assert (_held(cloud, net), cloud.waiting()) == ([], [])


def test_leases_count_against_quotas(cloud: Cloud) -> None:
    ann = cloud.core.add_user("ann")
    net = cloud.lan()
    cloud.call("vn.chmod", net, 1, 1, 0, 0, 0, 0, 1, 0, 0)
    vm_id = cloud.running(user="ann")
    cloud.call("user.quota", ann, f"NETWORK=[ID={net},LEASES=1]")
    cloud.call("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net}]", user="ann")
    cloud.end("vmm.ATTACH_NIC")
    cloud.refused(AUTHORIZATION, "vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net}]", user="ann")
    cloud.call("vm.detachnic", vm_id, 0, user="ann")
    cloud.end("vmm.DETACH_NIC")
    cloud.call("vm.attachnic", vm_id, f"NIC=[NETWORK_ID={net}]", user="ann")
    assert cloud.contradictions() == []


def test_routers_manage_their_machines_themselves(cloud: Cloud) -> None:
    net = cloud.lan()
    vm_id = cloud.running()

    def give_to_router(tx: Tx) -> None:
        vm = VM.load(tx, vm_id)
        vm.template.set("VROUTER_ID", "0")
        vm.save(tx)

    cloud.core.store.run(give_to_router)
    for method, args in (
        ("vm.attachnic", (f"NIC=[NETWORK_ID={net}]",)),
        ("vm.detachnic", (0,)),
        ("vm.attach", ("DISK=[TYPE=fs,SIZE=1]",)),
        ("vm.detach", (0,)),
    ):
        assert "router" in cloud.refused(ACTION, method, vm_id, *args)
