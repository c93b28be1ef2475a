"""Disks that come to a VM and leave it, and that grow."""

from __future__ import annotations

import pytest

from tests.support.cloud import Cloud
from tests.support.core import Core

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL = 0x200, 0x400, 0x800, 0x2000
VOLATILE = "DISK=[TYPE=fs,SIZE=10,FORMAT=raw]"
ATTACH, DETACH, RESIZE = "21", "22", "29"


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def _disks(cloud: Cloud, vm_id: int) -> list[dict[str, str]]:
    found = cloud.document(vm_id).findall("TEMPLATE/DISK")
    return [{part.tag: part.text or "" for part in disk} for disk in found]


# -- attach ------------------------------------------------------------------------------------------------
def test_attach_and_detach_while_running(cloud: Cloud) -> None:
    image = cloud.images.ready('NAME="data" TYPE=DATABLOCK SIZE=20')
    vm_id = cloud.running(VOLATILE)
    assert cloud.call("vm.attach", vm_id, f"DISK=[IMAGE_ID={image}]") == vm_id
    assert cloud.state(vm_id) == "HOTPLUG"
    new = _disks(cloud, vm_id)[1]
    assert (new["ATTACH"], new["DISK_ID"], new["IMAGE"], new["SIZE"]) == ("YES", "1", "data", "20")
    assert cloud.images.ids(image, "VMS") == [str(vm_id)]
    assert cloud.contradictions() == []
    cloud.end("vmm.ATTACH_DISK")
    assert cloud.state(vm_id) == "RUNNING" and "ATTACH" not in _disks(cloud, vm_id)[1]
    first, now = cloud.records(vm_id)
    assert (first["ACTION"], first["UID"], first["ETIME"] == first["RETIME"]) == (ATTACH, "0", True)
    assert (now["ACTION"], now["UID"], now["ETIME"], now["RETIME"]) == ("0", "-1", "0", "0")
    assert cloud.copies(vm_id)[0].findtext("LCM_STATE") == "17"
    assert cloud.copies(vm_id)[0].findtext("PREV_LCM_STATE") == "3"

    assert cloud.call("vm.detach", vm_id, 1) == vm_id
    assert (cloud.state(vm_id), _disks(cloud, vm_id)[1]["ATTACH"]) == ("HOTPLUG", "YES")
    cloud.end("vmm.DETACH_DISK")
    assert [disk["DISK_ID"] for disk in _disks(cloud, vm_id)] == ["0"]
    assert cloud.images.ids(image, "VMS") == [] and cloud.images.state(image) == "1"
    assert [record["ACTION"] for record in cloud.records(vm_id)] == [ATTACH, DETACH, "0"]
    # The record of a detach holds the VM as it was before: with the disk, and running.
    copy = cloud.copies(vm_id)[1]
    assert copy.findtext("LCM_STATE") == "3"
    assert [disk.text for disk in copy.findall("TEMPLATE/DISK/DISK_ID")] == ["0", "1"]
    assert cloud.contradictions() == []


def test_what_a_driver_cannot_do_changes_nothing(cloud: Cloud) -> None:
    image = cloud.images.ready('NAME="data" TYPE=DATABLOCK SIZE=20 PERSISTENT=YES')
    vm_id = cloud.running(VOLATILE)
    cloud.call("vm.attach", vm_id, f"DISK=[IMAGE_ID={image}]")
    cloud.end("vmm.ATTACH_DISK", ok=False, message="no slot")
    assert (cloud.state(vm_id), len(_disks(cloud, vm_id))) == ("RUNNING", 1)
    assert (cloud.images.state(image), cloud.images.ids(image, "VMS")) == ("1", [])
    assert "no slot" in (cloud.text(vm_id, "USER_TEMPLATE/ERROR") or "")
    cloud.call("vm.detach", vm_id, 0)
    cloud.end("vmm.DETACH_DISK", ok=False)
    assert (cloud.state(vm_id), _disks(cloud, vm_id)[0].get("ATTACH")) == ("RUNNING", None)
    assert cloud.contradictions() == []


def test_while_powered_off(cloud: Cloud) -> None:
    vm_id = cloud.off(VOLATILE)
    for ok in (False, True):
        cloud.call("vm.attach", vm_id, VOLATILE)
        assert cloud.state(vm_id) == "HOTPLUG_PROLOG_POWEROFF"
        cloud.end("tm.PROLOG_ATTACH", ok=ok)
        assert (cloud.state(vm_id), len(_disks(cloud, vm_id))) == ("POWEROFF", 1 + ok)
    for ok in (False, True):
        cloud.call("vm.detach", vm_id, 1)
        assert cloud.state(vm_id) == "HOTPLUG_EPILOG_POWEROFF"
        cloud.end("tm.EPILOG_DETACH", ok=ok)
        assert (cloud.state(vm_id), len(_disks(cloud, vm_id))) == ("POWEROFF", 2 - ok)
    records = cloud.records(vm_id)
    assert [record["ACTION"] for record in records] == [ATTACH, ATTACH, DETACH, DETACH, "19"]
    assert all(record["RETIME"] != "0" for record in records), "it does not run"
    assert cloud.contradictions() == []


@pytest.mark.parametrize("operation", [0, 1])
def test_recovery_says_how_it_ended(cloud: Cloud, operation: int) -> None:
    vm_id = cloud.running(VOLATILE)
    cloud.call("vm.attach", vm_id, VOLATILE)
    cloud.call("vm.recover", vm_id, operation)
    assert (cloud.state(vm_id), len(_disks(cloud, vm_id)), cloud.waiting()) == ("RUNNING", 1 + operation, [])
    cloud.call("vm.detach", vm_id, 0)
    cloud.call("vm.recover", vm_id, operation)
    assert (cloud.state(vm_id), len(_disks(cloud, vm_id))) == ("RUNNING", 1)
    assert cloud.contradictions() == []


def test_recreate_while_a_disk_is_on_its_way(cloud: Cloud) -> None:
    vm_id = cloud.running(VOLATILE)
    cloud.call("vm.attach", vm_id, VOLATILE)
    cloud.call("vm.recover", vm_id, 4)
    assert all("ATTACH" not in disk for disk in _disks(cloud, vm_id))
    cloud.end("vmm.CLEANUP")
    assert (cloud.state(vm_id), cloud.contradictions()) == ("PENDING", [])


def test_attach_refusals(cloud: Cloud) -> None:
    cloud.core.add_user("ann")
    image = cloud.images.ready('NAME="data" TYPE=DATABLOCK SIZE=20 PERSISTENT=YES')
    vm_id = cloud.running(VOLATILE)
    assert "not running" in cloud.refused(ACTION, "vm.attach", cloud.vm(), VOLATILE)
    cloud.refused(NO_EXISTS, "vm.attach", 99, VOLATILE)
    cloud.refused(INTERNAL, "vm.attach", vm_id, "DISK=[")
    cloud.refused(ACTION, "vm.attach", vm_id, "")
    cloud.refused(ACTION, "vm.attach", vm_id, "DISK=[IMAGE_ID=99]")
    cloud.refused(ACTION, "vm.attach", vm_id, f"DISK=[IMAGE_ID={image},SIZE=5]")
    cloud.refused(ACTION, "vm.attach", vm_id, "DISK=[TYPE=fs,SIZE=10,TARGET=sda]")
    cloud.refused(AUTHORIZATION, "vm.attach", vm_id, VOLATILE, user="ann")
    mine = cloud.running(user="ann")
    cloud.refused(AUTHORIZATION, "vm.attach", mine, f"DISK=[IMAGE_ID={image}]", user="ann")
    cloud.refused(AUTHORIZATION, "vm.attach", mine, "DISK=[TYPE=fs,SIZE=1,TOTAL_BYTES_SEC=9]", user="ann")
    cloud.refused(ACTION, "vm.attach", cloud.suspended(), VOLATILE)
    cloud.call("vm.attach", vm_id, VOLATILE)
    assert "HOTPLUG" in cloud.refused(ACTION, "vm.attach", vm_id, VOLATILE)
    assert len(_disks(cloud, vm_id)) == 2
    assert cloud.contradictions() == []


def test_detach_refusals(cloud: Cloud) -> None:
    cloud.core.add_user("ann")
    vm_id = cloud.running(VOLATILE)
    assert "has no disk 7, it has 0" in cloud.refused(ACTION, "vm.detach", vm_id, 7)
    cloud.refused(NO_EXISTS, "vm.detach", 99, 0)
    cloud.refused(AUTHORIZATION, "vm.detach", vm_id, 0, user="ann")
    cloud.refused(ACTION, "vm.detach", cloud.suspended(VOLATILE), 0)
    assert cloud.waiting() == []


def test_attach_counts_against_quotas(cloud: Cloud) -> None:
    ann = cloud.core.add_user("ann")
    vm_id = cloud.running(VOLATILE, user="ann")
    cloud.call("user.quota", ann, "VM=[SYSTEM_DISK_SIZE=15]")
    cloud.refused(AUTHORIZATION, "vm.attach", vm_id, VOLATILE, user="ann")
    cloud.call("user.quota", ann, "VM=[SYSTEM_DISK_SIZE=20]")
    cloud.call("vm.attach", vm_id, VOLATILE, user="ann")
    cloud.end("vmm.ATTACH_DISK", ok=False)
    cloud.call("vm.attach", vm_id, VOLATILE, user="ann")
    cloud.end("vmm.ATTACH_DISK")
    assert cloud.contradictions() == []


# -- size --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "through", "operation", "then"),
    [
        ("running", "DISK_RESIZE", "vmm.RESIZE_DISK", "RUNNING"),
        ("off", "DISK_RESIZE_POWEROFF", "tm.RESIZE", "POWEROFF"),
        ("undeployed", "DISK_RESIZE_UNDEPLOYED", "tm.RESIZE", "UNDEPLOYED"),
    ],
)
def test_resize(cloud: Cloud, make: str, through: str, operation: str, then: str) -> None:
    vm_id = getattr(cloud, make)(VOLATILE)
    for ok, size in ((False, "10"), (True, "30")):
        assert cloud.call("vm.diskresize", vm_id, 0, "30") == 0
        disk = _disks(cloud, vm_id)[0]
        assert (cloud.state(vm_id), disk["SIZE"], disk["SIZE_PREV"], disk["RESIZE"]) == (
            through,
            "30",
            "10",
            "YES",
        )
        assert cloud.contradictions() == []
        assert ("local" in cloud.job()[3]) == (then == "UNDEPLOYED")
        cloud.end(operation, ok=ok)
        disk = _disks(cloud, vm_id)[0]
        assert (cloud.state(vm_id), disk["SIZE"]) == (then, size)
        assert "SIZE_PREV" not in disk and "RESIZE" not in disk
    assert [record["ACTION"] for record in cloud.records(vm_id)][:2] == [RESIZE, RESIZE]
    assert cloud.contradictions() == []


def test_an_undeployed_vm_comes_back_after_its_disk_has_grown(cloud: Cloud) -> None:
    vm_id = cloud.undeployed(VOLATILE)
    cloud.call("vm.diskresize", vm_id, 0, "30")
    cloud.end("tm.RESIZE")
    assert cloud.records(vm_id)[-1]["ACTION"] == "5"
    cloud.act("resume", vm_id)
    cloud.call("vm.deploy", vm_id, cloud.other, False, -1, "")
    assert cloud.state(vm_id) == "PROLOG_UNDEPLOY"
    cloud.end("tm.PROLOG_RESUME")
    cloud.end("vmm.DEPLOY")
    assert all(record["ETIME"] != "0" for record in cloud.records(vm_id)[:-1])
    cloud.call("vm.migrate", vm_id, cloud.host, True, False, -1, 0)
    assert cloud.contradictions() == []


def test_resize_refusals(cloud: Cloud) -> None:
    ann = cloud.core.add_user("ann")
    vm_id = cloud.running(VOLATILE, user="ann")
    for size in ("", "x", "20x", "1.5"):
        cloud.refused(ACTION, "vm.diskresize", vm_id, 0, size)
    cloud.refused(NO_EXISTS, "vm.diskresize", 99, 0, "30")
    cloud.refused(ACTION, "vm.diskresize", vm_id, 3, "30")
    assert "greater" in cloud.refused(ACTION, "vm.diskresize", vm_id, 0, "10")
    cloud.core.add_user("bob")
    cloud.refused(AUTHORIZATION, "vm.diskresize", vm_id, 0, "30", user="bob")
    cloud.call("user.quota", ann, "VM=[SYSTEM_DISK_SIZE=15]")
    cloud.refused(AUTHORIZATION, "vm.diskresize", vm_id, 0, "30", user="ann")
    cloud.refused(ACTION, "vm.diskresize", cloud.suspended(VOLATILE), 0, "30")
    assert (cloud.state(vm_id), _disks(cloud, vm_id)[0]["SIZE"]) == ("RUNNING", "10")
    assert cloud.contradictions() == []


def test_an_image_used_in_place_grows_with_its_disk(cloud: Cloud) -> None:
    image = cloud.images.ready('NAME="data" TYPE=DATABLOCK SIZE=20 PERSISTENT=YES')
    vm_id = cloud.running(f"DISK=[IMAGE_ID={image},LN_TARGET=NONE]")
    cloud.call("vm.diskresize", vm_id, 0, "50")
    cloud.end("vmm.RESIZE_DISK")
    assert _disks(cloud, vm_id)[0]["LN_TARGET"] == "NONE"
    assert cloud.images.text(image, "SIZE") == "50"
    assert cloud.contradictions() == []
