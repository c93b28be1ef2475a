"""VMs that are to be moved to another host, and VMs that come back with their disks."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.scheduler.plan import plan

from .clouds import cloud, conf, hosts, stores, vm, where
from .front_end import FakeVM, FrontEnd
from .test_loop import scheduler


def test_a_marked_vm_goes_to_any_host_but_its_own() -> None:
    found = hosts({"vms": [1]}, {"vms": [7, 8, 9]})
    made = plan(cloud([vm(1, resched=True, host_id=0, ds_id=0, has_disks=True)], found), conf(), 1)
    (one,) = made.dispatches
    assert (one.host_id, one.ds_id, one.is_move) == (1, 0, True)


def test_it_stays_when_there_is_no_other() -> None:
    found = hosts({"vms": [1]}, {"cpu": 50})
    made = plan(cloud([vm(1, resched=True, host_id=0, ds_id=0, has_disks=True)], found), conf(), 1)
    assert made.dispatches == []
    assert made.refusals[1].counts == {"current": 1, "cpu": 1}


def test_it_keeps_its_datastore_and_needs_no_room_there_when_it_is_shared() -> None:
    found = hosts({"vms": [1]}, {"cluster": 1}, {"cluster": 0})
    full = stores({"total": 9, "free": 0, "clusters": [0]}, {"clusters": [0, 1]})
    moved = vm(1, resched=True, host_id=0, ds_id=0, has_disks=True, disk_mb=500)
    (one,) = plan(cloud([moved], found, full), conf(), 1).dispatches
    assert (one.host_id, one.ds_id) == (2, 0), "cluster 1 does not have the datastore"


def test_a_datastore_on_hosts_needs_room_on_the_new_host() -> None:
    local = stores({"shared": "NO"})
    small = "<DS><ID>0</ID><FREE_MB>{}</FREE_MB></DS>"
    found = hosts({"vms": [1]}, {"datastores": small.format(499)}, {"datastores": small.format(500)})
    moved = vm(1, resched=True, host_id=0, ds_id=0, has_disks=True, disk_mb=500)
    assert where(plan(cloud([moved], found, local), conf(), 1)) == {1: 2}


def test_a_vm_that_comes_back_needs_no_room_on_shared_datastores() -> None:
    full = stores({"total": 9, "free": 1})
    snapshot = cloud([vm(1, has_disks=True, disk_mb=500), vm(2, disk_mb=500)], hosts({}), full)
    made = plan(snapshot, conf(), 1)
    assert where(made) == {1: 0} and not made.dispatches[0].is_move


@pytest.mark.parametrize(("is_live", "mode"), [(True, 0), (False, 0), (False, 2)])
def test_the_front_end_is_asked_to_migrate(tmp_path: Path, is_live: bool, mode: int) -> None:
    with FrontEnd(2) as front_end:
        front_end.vms[5] = FakeVM(5, state=3, host_id=1, is_marked=True)
        front_end.vms[6] = FakeVM(6, state=3, host_id=1)
        with scheduler(front_end, tmp_path, conf(live_rescheds=is_live, cold_migrate_mode=mode)):
            assert front_end.wait_for(lambda: front_end.vms[5].host_id == 0)
        calls = [args for method, args in front_end.calls if method == "one.vm.migrate"]
        assert calls == [(5, 0, is_live, False, -1, mode)]
        assert front_end.vms[6].host_id == 1 and front_end.count("one.vm.deploy") == 0
