"""A disk of a VM becomes an image: the datastore makes room, the driver copies, the image can be used."""

from __future__ import annotations

import pytest

from tests.support.cloud import Cloud
from tests.support.core import Core

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL, ALLOCATE = 0x200, 0x400, 0x800, 0x2000, 0x4000
READY, LOCKED, ERROR = "1", "4", "5"


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def _os(cloud: Cloud) -> int:
    image = cloud.images.ready("NAME=os SIZE=10 TYPE=OS DEV_PREFIX=vd")
    cloud.call("image.chmod", image, 1, 1, 0, 0, 0, 0, 1, 0, 0)
    return image


def _marks(cloud: Cloud, vm_id: int) -> dict[str, str]:
    disk = cloud.document(vm_id).find("TEMPLATE/DISK")
    assert disk is not None
    return {part.tag: part.text or "" for part in disk if part.tag.startswith("HOTPLUG_SAVE_AS")}


@pytest.mark.parametrize(
    ("make", "through"),
    [
        ("running", "HOTPLUG_SAVEAS"),
        ("off", "HOTPLUG_SAVEAS_POWEROFF"),
        ("suspended", "HOTPLUG_SAVEAS_SUSPENDED"),
        ("undeployed", "HOTPLUG_SAVEAS_UNDEPLOYED"),
        ("stopped", "HOTPLUG_SAVEAS_STOPPED"),
    ],
)
def test_save(cloud: Cloud, make: str, through: str) -> None:
    vm_id = getattr(cloud, make)(f"DISK=[IMAGE_ID={_os(cloud)}]")
    before = cloud.state(vm_id)
    saved = cloud.call("vm.disksaveas", vm_id, 0, "copy", "", -1)
    assert (cloud.state(vm_id), cloud.images.state(saved)) == (through, LOCKED)
    assert _marks(cloud, vm_id)["HOTPLUG_SAVE_AS_ACTIVE"] == "YES"
    assert cloud.contradictions() == []
    cloud.end("ds.MKFS", output="/ds/saved\n")
    assert _marks(cloud, vm_id) == {
        "HOTPLUG_SAVE_AS_ACTIVE": "YES",
        "HOTPLUG_SAVE_AS": str(saved),
        "HOTPLUG_SAVE_AS_SNAPSHOT_ID": "-1",
        "HOTPLUG_SAVE_AS_SOURCE": "/ds/saved",
    }
    assert ("local" in cloud.job()[3]) == (before in ("UNDEPLOYED", "STOPPED"))
    cloud.end("tm.SAVEAS")
    assert (cloud.state(vm_id), _marks(cloud, vm_id)) == (before, {})
    assert (cloud.images.state(saved), cloud.images.text(saved, "NAME")) == (READY, "copy")
    assert cloud.images.text(saved, "TEMPLATE/DEV_PREFIX") == "vd"
    assert cloud.images.text(saved, "TEMPLATE/SAVED_VM_ID") == str(vm_id)
    assert (cloud.images.text(saved, "SIZE"), cloud.images.text(saved, "SOURCE")) == ("10", "/ds/saved")
    assert cloud.contradictions() == []


@pytest.mark.parametrize("failing", ["ds.MKFS", "tm.SAVEAS"])
def test_what_fails_leaves_an_image_in_error(cloud: Cloud, failing: str) -> None:
    vm_id = cloud.off(f"DISK=[IMAGE_ID={_os(cloud)}]")
    saved = cloud.call("vm.disksaveas", vm_id, 0, "copy", "DATABLOCK", -1)
    if failing == "tm.SAVEAS":
        cloud.end("ds.MKFS")
    cloud.end(failing, ok=False, message="no space")
    assert (cloud.state(vm_id), _marks(cloud, vm_id)) == ("POWEROFF", {})
    assert cloud.images.state(saved) == ERROR
    assert (cloud.waiting(), cloud.contradictions()) == ([], [])


@pytest.mark.parametrize(
    ("made", "operation", "image"), [(False, 0, ERROR), (False, 1, ERROR), (True, 0, ERROR), (True, 1, READY)]
)
def test_recovery(cloud: Cloud, made: bool, operation: int, image: str) -> None:
    """Before the datastore has made room there is nothing that could be a success."""
    vm_id = cloud.running(f"DISK=[IMAGE_ID={_os(cloud)}]")
    saved = cloud.call("vm.disksaveas", vm_id, 0, "copy", "", -1)
    if made:
        cloud.end("ds.MKFS")
    cloud.call("vm.recover", vm_id, operation)
    assert (cloud.state(vm_id), _marks(cloud, vm_id), cloud.images.state(saved)) == ("RUNNING", {}, image)
    again = cloud.call("vm.disksaveas", vm_id, 0, "copy2", "", -1)
    while cloud.waiting():
        cloud.end(cloud.job()[0])
    assert (cloud.images.state(saved), cloud.images.state(again)) == (image, READY)
    assert cloud.contradictions() == []


def test_the_vm_may_end_meanwhile(cloud: Cloud) -> None:
    vm_id = cloud.running(f"DISK=[IMAGE_ID={_os(cloud)}]")
    saved = cloud.call("vm.disksaveas", vm_id, 0, "copy", "", -1)
    cloud.end("ds.MKFS")
    cloud.call("vm.recover", vm_id, 3)
    cloud.end("vmm.CLEANUP")
    assert (cloud.state(vm_id), cloud.images.state(saved)) == ("DONE", ERROR)
    assert cloud.contradictions() == []


def test_refusals(cloud: Cloud) -> None:
    cloud.core.add_user("ann")
    vm_id = cloud.running(f"DISK=[IMAGE_ID={_os(cloud)}]\nDISK=[TYPE=fs,SIZE=5]")
    save = "vm.disksaveas"
    cloud.refused(NO_EXISTS, save, 99, 0, "copy", "", -1)
    assert "PENDING" in cloud.refused(INTERNAL, save, cloud.vm(), 0, "copy", "", -1)
    cloud.refused(INTERNAL, save, vm_id, 9, "copy", "", -1)
    assert "IMAGE_ID" in cloud.refused(INTERNAL, save, vm_id, 1, "copy", "", -1)
    cloud.refused(INTERNAL, save, vm_id, 0, "copy", "", 0)
    cloud.refused(AUTHORIZATION, save, vm_id, 0, "copy", "", -1, user="ann")
    cloud.refused(ALLOCATE, save, vm_id, 0, "", "", -1)
    cloud.refused(ALLOCATE, save, vm_id, 0, "os", "", -1)
    assert (cloud.state(vm_id), cloud.waiting(), cloud.contradictions()) == ("RUNNING", [], [])


def test_space_counts_for_who_saves(cloud: Cloud) -> None:
    ann = cloud.core.add_user("ann")
    vm_id = cloud.running(f"DISK=[IMAGE_ID={_os(cloud)}]", user="ann")
    cloud.call("user.quota", ann, f"DATASTORE=[ID={cloud.images.store},SIZE=5,IMAGES=-2]")
    cloud.refused(AUTHORIZATION, "vm.disksaveas", vm_id, 0, "copy", "", -1, user="ann")
    cloud.call("user.quota", ann, f"DATASTORE=[ID={cloud.images.store},SIZE=10,IMAGES=-2]")
    saved = cloud.call("vm.disksaveas", vm_id, 0, "copy", "", -1, user="ann")
    assert cloud.images.text(saved, "UNAME") == "ann"
    assert cloud.contradictions() == []
