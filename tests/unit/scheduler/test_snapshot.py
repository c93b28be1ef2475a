"""What is read from the front-end's documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.numa_pin import Pinning
from services.common.oca import OneError
from services.common.pci import Request
from services.common.xmldoc import XmlError
from services.scheduler.devices import Needs
from services.scheduler.records import AutoNic
from services.scheduler.snapshot import parse_hosts, parse_vms, read_vms

from .clouds import hosts, stores

POOL = (Path(__file__).parent / "vmpool.xml").read_text()


def test_a_vm_with_everything() -> None:
    vms = {vm.id: vm for vm in parse_vms(POOL, 0)}
    vm = vms[7]
    assert (vm.uid, vm.gid, vm.cpu, vm.memory_kb, vm.stime, vm.priority) == (2, 1, 29, 524288, 1795231351, 30)
    assert vm.requirements == (
        "(CLUSTER_ID = 0) & !(PUBLIC_CLOUD = YES) & !(PIN_POLICY = PINNED)", 'ARCH = "x86*"',
    )  # fmt: skip
    assert vm.ds_requirements == ('("CLUSTERS/ID" @> 0)', "ID = 0")
    assert (vm.rank, vm.ds_rank) == ("FREE_CPU", "FREE_MB")
    assert vm.disk_mb == 1024 + 16, "a clone on the system datastore and a volatile disk"
    assert vm.image_mb == ((100, 500),), (
        "two copies inside their image datastore; CLONE is YES unless it says no"
    )
    assert vm.message == "Sat Nov 21 03:14:38 2026: too bad"
    assert vm.error == ""


def test_vms_come_in_order_of_their_ids() -> None:
    assert [vm.id for vm in parse_vms(POOL, 0)] == [3, 4, 5, 6, 7, 8]


def test_a_vm_to_be_moved_knows_its_host() -> None:
    vm = parse_vms(POOL, 0)[0]
    assert vm.resched and (vm.host_id, vm.ds_id) == (9, 100) and vm.has_disks


class WithoutSearch:
    """OpenNebula on SQLite, where pools cannot be searched."""

    def call(self, method: str, *args: object) -> object:
        """The pool of waiting VMs is empty, that of active ones is not."""
        if len(args) > 4:
            raise OneError(0x2000, "Full text search is not supported by the SQL backend")
        return POOL if args[3] == 3 else "<VM_POOL></VM_POOL>"


def test_marked_vms_of_a_front_end_without_search() -> None:
    assert [vm.id for vm in read_vms(WithoutSearch(), 0)] == [3]


def test_devices_topology_and_automatic_networks() -> None:
    vm = parse_vms(POOL, 0)[3]
    automatic = '("CLUSTERS/ID" @> 0)'
    assert vm.nics == (AutoNic(0, (automatic,)), AutoNic(2, (automatic, 'TRAFFIC = "public"'), "BW"))
    assert vm.needs == Needs((Request(vendor=0x10DE, kind=0x300),), Pinning(((4, 1024),), 2, False, 2048))
    assert vm.is_cloud and not vm.has_disks


def test_a_vm_that_comes_back_brings_disks_and_networks() -> None:
    vm = parse_vms(POOL, 0)[5]
    assert vm.has_disks and vm.image_mb == () and vm.nics == () and vm.host_id is None


def test_what_cannot_be_judged_is_an_error_of_that_vm() -> None:
    errors = {vm.id: vm.error for vm in parse_vms(POOL, 0) if vm.error}
    assert errors == {
        4: "CPU must be a number from 0, found 'lots'",
        5: "MEMORY must be a number from 0 (MB), found '-1'",
    }


@pytest.mark.parametrize(("scale", "expected"), [(-1, 1040), (0, 1040), (2, 1040 + 1024)])
def test_memory_on_the_system_datastore(scale: int, expected: int) -> None:
    assert parse_vms(POOL, scale)[4].disk_mb == expected


def test_nonsense_in_a_host_makes_it_small() -> None:
    (host,) = hosts({"cpu": "lots", "memory_used": 5})
    assert (host.max_cpu, host.memory_usage_kb) == (0, 5120)


def test_an_empty_pool() -> None:
    assert parse_vms("<VM_POOL/>", 0) == []
    assert parse_hosts("<HOST_POOL></HOST_POOL>", "<CLUSTER_POOL/>") == []


def test_a_broken_answer_is_an_error_with_a_name() -> None:
    with pytest.raises(XmlError, match="vmpool"):
        parse_vms("<VM_POOL><VM>", 0)


def test_space_of_datastores() -> None:
    found = stores(
        {},
        {"total": 100, "free": 60},
        {"total": 100, "free": 60, "used": 40, "template": "<LIMIT_MB>70</LIMIT_MB>"},
        {"total": 100, "free": 10, "used": 40, "template": "<LIMIT_MB>70</LIMIT_MB>"},
        {"shared": "NO"},
    )
    assert [store.free_mb for store in found] == [None, 60, 30, 10, None]
    assert [store.is_shared for store in found] == [True, True, True, True, False]
