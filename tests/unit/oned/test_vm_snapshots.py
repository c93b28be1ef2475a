"""Snapshots of whole machines, and of single disks."""

from __future__ import annotations

import pytest

from services.oned.lifecycle import site
from services.oned.lifecycle.site import Traits
from tests.support.cloud import Cloud
from tests.support.core import Core

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL = 0x200, 0x400, 0x800, 0x2000
CREATED, DELETED, REVERTED = "25", "26", "41"


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def _snapshots(cloud: Cloud, vm_id: int) -> list[dict[str, str]]:
    found = cloud.document(vm_id).findall("TEMPLATE/SNAPSHOT")
    return [{part.tag: part.text or "" for part in snapshot} for snapshot in found]


# -- of a machine ------------------------------------------------------------------------------------------
def test_create_revert_delete(cloud: Cloud) -> None:
    vm_id = cloud.running()
    assert cloud.call("vm.snapshotcreate", vm_id, "") == 0
    (first,) = _snapshots(cloud, vm_id)
    assert cloud.state(vm_id) == "HOTPLUG_SNAPSHOT"
    assert (first["NAME"], first["HYPERVISOR_ID"], first["ACTIVE"], first["ACTION"]) == (
        "snapshot-0",
        "",
        "YES",
        "CREATE",
    )
    cloud.end("vmm.SNAPSHOT_CREATE", output="hyp-7 more words\n")
    (first,) = _snapshots(cloud, vm_id)
    assert sorted(first) == ["HYPERVISOR_ID", "NAME", "SNAPSHOT_ID", "TIME"]
    assert (first["HYPERVISOR_ID"], cloud.state(vm_id)) == ("hyp-7", "RUNNING")
    assert cloud.call("vm.snapshotcreate", vm_id, "second") == 1
    cloud.end("vmm.SNAPSHOT_CREATE")
    for ok in (False, True):
        assert cloud.call("vm.snapshotrevert", vm_id, 0) == vm_id
        assert _snapshots(cloud, vm_id)[0]["ACTION"] == "REVERT"
        cloud.end("vmm.SNAPSHOT_REVERT", ok=ok)
        assert [sorted(each) for each in _snapshots(cloud, vm_id)] == [sorted(first)] * 2
    for ok in (False, True):
        assert cloud.call("vm.snapshotdelete", vm_id, 0) == vm_id
        cloud.end("vmm.SNAPSHOT_DELETE", ok=ok)
        assert len(_snapshots(cloud, vm_id)) == 2 - ok
    assert [each["NAME"] for each in _snapshots(cloud, vm_id)] == ["second"]
    assert cloud.call("vm.snapshotcreate", vm_id, "third") == 2
    cloud.end("vmm.SNAPSHOT_CREATE", ok=False, message="no")
    assert [each["NAME"] for each in _snapshots(cloud, vm_id)] == ["second"]
    assert len(cloud.records(vm_id)) == 1, "snapshots of machines leave no record"
    assert cloud.contradictions() == []


@pytest.mark.parametrize(
    ("method", "operation", "left"),
    [
        ("vm.snapshotcreate", 0, ["0"]),
        ("vm.snapshotcreate", 1, ["0", "1"]),
        ("vm.snapshotrevert", 0, ["0"]),
        ("vm.snapshotrevert", 1, ["0"]),
        ("vm.snapshotdelete", 0, ["0"]),
        ("vm.snapshotdelete", 1, []),
    ],
)
def test_recovery_knows_what_was_under_way(
    cloud: Cloud, method: str, operation: int, left: list[str]
) -> None:
    vm_id = cloud.running()
    cloud.call("vm.snapshotcreate", vm_id, "a")
    cloud.end("vmm.SNAPSHOT_CREATE")
    cloud.call(method, vm_id, "b" if method == "vm.snapshotcreate" else 0)
    cloud.call("vm.recover", vm_id, operation)
    assert (cloud.state(vm_id), cloud.waiting()) == ("RUNNING", [])
    assert [each["SNAPSHOT_ID"] for each in _snapshots(cloud, vm_id)] == left
    assert all("ACTIVE" not in each for each in _snapshots(cloud, vm_id))
    if left == ["0", "1"]:
        assert _snapshots(cloud, vm_id)[1]["HYPERVISOR_ID"] == "1"


def test_they_end_with_the_machine_unless_the_driver_keeps_them(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = cloud.running()
    cloud.call("vm.snapshotcreate", vm_id, "a")
    cloud.end("vmm.SNAPSHOT_CREATE")
    cloud.act("poweroff", vm_id, "vmm.SHUTDOWN")
    assert _snapshots(cloud, vm_id) == []
    cloud.act("resume", vm_id, "vmm.DEPLOY")
    monkeypatch.setattr(site, "traits", lambda name: Traits(keeps_snapshots=True, is_known=True))
    cloud.call("vm.snapshotcreate", vm_id, "a")
    cloud.end("vmm.SNAPSHOT_CREATE")
    cloud.act("poweroff", vm_id, "vmm.SHUTDOWN")
    assert len(_snapshots(cloud, vm_id)) == 1
    for ok in (False, True):
        cloud.call("vm.snapshotdelete", vm_id, 0)
        assert cloud.state(vm_id) == "HOTPLUG_SNAPSHOT"
        cloud.end("vmm.SNAPSHOT_DELETE", ok=ok)
        assert (cloud.state(vm_id), len(_snapshots(cloud, vm_id))) == ("POWEROFF", 1 - ok)


def test_refusals(cloud: Cloud) -> None:
    cloud.core.add_user("ann")
    vm_id, off = cloud.running(), cloud.off()
    cloud.refused(NO_EXISTS, "vm.snapshotcreate", 99, "a")
    for method, argument in (("create", "a"), ("revert", 0), ("delete", 0)):
        cloud.refused(AUTHORIZATION, f"vm.snapshot{method}", vm_id, argument, user="ann")
        cloud.refused(ACTION, f"vm.snapshot{method}", off, argument)
    cloud.refused(ACTION, "vm.snapshotrevert", vm_id, 0)
    cloud.refused(ACTION, "vm.snapshotdelete", vm_id, 4)
    assert cloud.waiting() == []


# -- of a disk ---------------------------------------------------------------------------------------------
def _tree(cloud: Cloud, vm_id: int) -> dict[str, dict[str, str]]:
    found = cloud.document(vm_id).findall("SNAPSHOTS[DISK_ID='0']/SNAPSHOT")
    parts = [{part.tag: part.text or "" for part in snapshot} for snapshot in found]
    return {snapshot["ID"]: snapshot for snapshot in parts}


def _disk(cloud: Cloud, vm_id: int) -> dict[str, str]:
    found = cloud.document(vm_id).find("TEMPLATE/DISK")
    assert found is not None
    return {part.tag: part.text or "" for part in found}


@pytest.mark.parametrize(
    ("make", "suffix", "driver", "then"),
    [
        ("running", "", "vmm", "RUNNING"),
        ("off", "_POWEROFF", "tm", "POWEROFF"),
        ("suspended", "_SUSPENDED", "tm", "SUSPENDED"),
    ],
)
def test_disk_snapshots(cloud: Cloud, make: str, suffix: str, driver: str, then: str) -> None:
    image = cloud.images.ready("NAME=os SIZE=10 TYPE=OS")
    vm_id = getattr(cloud, make)(f"DISK=[IMAGE_ID={image}]")
    assert cloud.call("vm.disksnapshotcreate", vm_id, 0, "bad") == 0
    assert cloud.state(vm_id) == f"DISK_SNAPSHOT{suffix}"
    disk = _disk(cloud, vm_id)
    assert (disk["DISK_SNAPSHOT_ACTIVE"], disk["DISK_SNAPSHOT_ID"], disk["DISK_SNAPSHOT_TOTAL_SIZE"]) == (
        "YES",
        "0",
        "10",
    )
    assert cloud.contradictions() == []
    cloud.end(f"{driver}.DISK_SNAPSHOT_CREATE", ok=False, message="no")
    assert (cloud.state(vm_id), _tree(cloud, vm_id)) == (then, {})
    assert _disk(cloud, vm_id)["DISK_SNAPSHOT_TOTAL_SIZE"] == "0"
    for name in ("one", "two"):
        cloud.call("vm.disksnapshotcreate", vm_id, 0, name)
        cloud.end(f"{driver}.DISK_SNAPSHOT_CREATE")
    tree = _tree(cloud, vm_id)
    assert [(each["NAME"], each["PARENT"]) for each in tree.values()] == [("one", "-1"), ("two", "0")]
    assert (tree["1"]["ACTIVE"], "ACTIVE" in tree["0"], tree["0"]["CHILDREN"]) == ("YES", False, "1")
    assert _disk(cloud, vm_id)["DISK_SNAPSHOT_TOTAL_SIZE"] == "20"
    assert not {"DISK_SNAPSHOT_ACTIVE", "DISK_SNAPSHOT_ID"} & set(_disk(cloud, vm_id))
    assert cloud.call("vm.disksnapshotrename", vm_id, 0, 0, "first") == vm_id
    assert _tree(cloud, vm_id)["0"]["NAME"] == "first"
    if then == "RUNNING":
        cloud.refused(ACTION, "vm.disksnapshotrevert", vm_id, 0, 0)
    else:
        for ok in (False, True):
            assert cloud.call("vm.disksnapshotrevert", vm_id, 0, 0) == vm_id
            assert cloud.state(vm_id) == f"DISK_SNAPSHOT_REVERT{suffix}"
            cloud.end("tm.DISK_SNAPSHOT_REVERT", ok=ok)
            assert _tree(cloud, vm_id)[str(1 - ok)].get("ACTIVE") == "YES"
        for ok in (False, True):
            assert cloud.call("vm.disksnapshotdelete", vm_id, 0, 1) == vm_id
            assert cloud.state(vm_id) == f"DISK_SNAPSHOT_DELETE{suffix}"
            cloud.end("tm.DISK_SNAPSHOT_DELETE", ok=ok)
            assert ("1" in _tree(cloud, vm_id)) != ok
        records = [record["ACTION"] for record in cloud.records(vm_id)]
        assert records[:3] == [CREATED] * 3 and records[3:5] == [REVERTED] * 2
        # The record of a deletion holds the VM with the snapshot; only that of a revert shows it still off.
        copies = cloud.copies(vm_id)
        assert [copy.findtext("STATE") for copy in copies[3:7]] == [
            {"POWEROFF": "8", "SUSPENDED": "5"}[then]
        ] * 2 + ["3"] * 2
        assert [each.text for each in copies[6].findall("SNAPSHOTS/SNAPSHOT/ID")] == ["0", "1"]
    cloud.refused(ACTION, "vm.disksnapshotdelete", vm_id, 0, 0)
    assert (cloud.state(vm_id), cloud.contradictions()) == (then, [])


def test_deleting_while_running(cloud: Cloud) -> None:
    image = cloud.images.ready("NAME=os SIZE=10 TYPE=OS")
    vm_id = cloud.running(f'DISK=[IMAGE_ID={image},ALLOW_ORPHANS="YES"]')
    cloud.call("vm.disksnapshotcreate", vm_id, 0, "one")
    cloud.end("vmm.DISK_SNAPSHOT_CREATE")
    if _tree(cloud, vm_id)["0"].get("ACTIVE") == "YES" and "ALLOW_ORPHANS" not in _disk(cloud, vm_id):
        pytest.fail("the disk's own mode was not taken over")
    cloud.call("vm.disksnapshotdelete", vm_id, 0, 0)
    assert cloud.state(vm_id) == "DISK_SNAPSHOT_DELETE"
    cloud.end("tm.DISK_SNAPSHOT_DELETE")
    assert (cloud.state(vm_id), _tree(cloud, vm_id)) == ("RUNNING", {})
    assert cloud.records(vm_id)[1]["ACTION"] == DELETED
    copy = cloud.copies(vm_id)[1]
    assert [each.text for each in copy.findall("SNAPSHOTS/SNAPSHOT/ID")] == ["0"], "as before the deletion"
    assert cloud.contradictions() == []


def test_disk_snapshot_refusals(cloud: Cloud) -> None:
    cloud.core.add_user("ann")
    image = cloud.images.ready("NAME=os SIZE=10 TYPE=OS")
    vm_id = cloud.running(
        f"DISK=[IMAGE_ID={image}]\nDISK=[TYPE=fs,SIZE=5]\nDISK=[IMAGE_ID={image},READONLY=YES]"
    )
    create = "vm.disksnapshotcreate"
    cloud.refused(NO_EXISTS, create, 99, 0, "a")
    cloud.refused(ACTION, create, vm_id, 9, "a")
    assert "volatile" in cloud.refused(ACTION, create, vm_id, 1, "a")
    assert "readonly" in cloud.refused(ACTION, create, vm_id, 2, "a")
    cloud.refused(AUTHORIZATION, create, vm_id, 0, "a", user="ann")
    cloud.refused(ACTION, create, cloud.stopped(f"DISK=[IMAGE_ID={image}]"), 0, "a")
    for method in ("revert", "delete"):
        cloud.refused(ACTION, f"vm.disksnapshot{method}", vm_id, 0, 0)
        cloud.refused(AUTHORIZATION, f"vm.disksnapshot{method}", vm_id, 0, 0, user="ann")
    cloud.refused(ACTION, "vm.disksnapshotrename", vm_id, 0, 0, "a")
    cloud.refused(ACTION, "vm.disksnapshotrename", vm_id, 9, 0, "a")
    cloud.refused(AUTHORIZATION, "vm.disksnapshotrename", vm_id, 0, 0, "a", user="ann")
    assert cloud.waiting() == [] and cloud.contradictions() == []


def test_snapshots_of_an_image_used_in_place_are_the_images(cloud: Cloud) -> None:
    image = cloud.images.ready("NAME=data SIZE=10 TYPE=DATABLOCK PERSISTENT=YES")
    vm_id = cloud.off(f"DISK=[IMAGE_ID={image},LN_TARGET=NONE]")
    cloud.call("vm.disksnapshotcreate", vm_id, 0, "one")
    cloud.end("tm.DISK_SNAPSHOT_CREATE")
    assert cloud.images.text(image, "SNAPSHOTS/SNAPSHOT/NAME") == "one"
    cloud.core.add_user("ann")
    cloud.call("vm.chown", vm_id, 2, -1)
    cloud.refused(AUTHORIZATION, "vm.disksnapshotcreate", vm_id, 0, "two", user="ann")
    cloud.act("terminate", vm_id, "tm.EPILOG")
    assert cloud.images.text(image, "SNAPSHOTS/SNAPSHOT/NAME") == "one"
    assert (cloud.images.state(image), cloud.contradictions()) == ("1", [])


def test_recreating_loses_snapshots_of_copies(cloud: Cloud) -> None:
    image = cloud.images.ready("NAME=os SIZE=10 TYPE=OS")
    vm_id = cloud.running(f"DISK=[IMAGE_ID={image}]")
    cloud.call("vm.disksnapshotcreate", vm_id, 0, "one")
    cloud.call("vm.recover", vm_id, 4)
    cloud.end("vmm.CLEANUP")
    assert (cloud.state(vm_id), _tree(cloud, vm_id)) == ("PENDING", {})
    assert not {name for name in _disk(cloud, vm_id) if name.startswith("DISK_SNAPSHOT_")}
    assert cloud.contradictions() == []
