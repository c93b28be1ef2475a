"""Effects on disks and interfaces under way: their marks come off, or they go with all that they hold."""

from __future__ import annotations

import contextlib

from services.common.template import Vector
from services.oned.errors import AllocateError
from services.oned.lifecycle import cores, resources, saveas
from services.oned.lifecycle.effects.base import Firing, effect, marked
from services.oned.lifecycle.effects.places import capacity_of
from services.oned.model.host import Host
from services.oned.model.image import Image
from services.oned.model.vm import VM
from services.oned.store import Tx

_SAVEAS = (
    "HOTPLUG_SAVE_AS_ACTIVE",
    "HOTPLUG_SAVE_AS",
    "HOTPLUG_SAVE_AS_SOURCE",
    "HOTPLUG_SAVE_AS_SNAPSHOT_ID",
)


# -- attached and detached ---------------------------------------------------------------------------------
@effect
def keep_disk(tx: Tx, vm: VM, firing: Firing) -> None:
    """The disk under way is a disk of the VM."""
    _unmark(vm.disks(), "ATTACH")


@effect
def drop_disk(tx: Tx, vm: VM, firing: Firing) -> None:
    """The disk under way is no disk of the VM (any more)."""
    disk = marked(vm.disks(), "ATTACH")
    if disk is not None:
        resources.drop_disk(tx, vm, disk)


@effect
def keep_nic(tx: Tx, vm: VM, firing: Firing) -> None:
    """The interface under way is one of the VM."""
    _unmark(vm.nics(), "ATTACH")


@effect
def drop_nic(tx: Tx, vm: VM, firing: Firing) -> None:
    """The interface under way is none of the VM (any more)."""
    nic = marked(vm.nics(), "ATTACH")
    if nic is not None:
        resources.drop_nic(tx, vm, nic)


def _unmark(vectors: list[Vector], mark: str) -> None:
    vector = marked(vectors, mark)
    if vector is not None:
        del vector[mark]


# -- sizes -------------------------------------------------------------------------------------------------
@effect
def keep_disk_size(tx: Tx, vm: VM, firing: Firing) -> None:
    """The disk has its new size, and so has a persistent image that is used where it lies."""
    disk = marked(vm.disks(), "RESIZE")
    if disk is None:
        return
    disk.pop("SIZE_PREV", None)
    del disk["RESIZE"]
    image = image_itself(tx, disk)
    if image is not None and disk.get("SIZE", "").isdigit():
        image.size_mb = int(disk["SIZE"])
        image.save(tx)


@effect
def undo_disk_size(tx: Tx, vm: VM, firing: Firing) -> None:
    """The disk has its old size."""
    disk = marked(vm.disks(), "RESIZE")
    if disk is None:
        return
    disk["SIZE"] = disk.pop("SIZE_PREV", disk.get("SIZE", ""))
    del disk["RESIZE"]


@effect
def keep_capacity(tx: Tx, vm: VM, firing: Firing) -> None:
    """The machine has its new capacity."""
    vm.template.remove("RESIZE")


@effect
def undo_capacity(tx: Tx, vm: VM, firing: Firing) -> None:
    """The machine has its old capacity, and its host counts that."""
    before = vm.template.get_vector("RESIZE")
    vm.template.remove("RESIZE")
    if before is None or vm.history is None:
        return
    host = Host.find(tx, vm.history.hid)
    counted = host is not None and host.remove_vm(vm.oid, *capacity_of(vm))
    for name in ("CPU", "MEMORY", "VCPU"):
        if before.get(name, "0") == "0":
            vm.template.remove(name)
        else:
            vm.template.set(name, before[name])
    with contextlib.suppress(AllocateError):  # it was so before
        cores.spread(vm.template, int(before.get("VCPU") or 0) or 1)
    if host is not None and counted:
        host.add_vm(vm.oid, *capacity_of(vm))
        host.save(tx)


def image_itself(tx: Tx, disk: Vector) -> Image | None:
    """The image of a persistent disk that is used in its datastore, without any copy; else None."""
    if disk.get("PERSISTENT", "").upper() != "YES" or not disk.get("IMAGE_ID", "").isdigit():
        return None
    clones = disk.get("CLONE", "").upper() == "YES"
    if disk.get("CLONE_TARGET" if clones else "LN_TARGET", "").upper() != "NONE":
        return None
    return Image.find(tx, int(disk["IMAGE_ID"]))


# -- saved as an image -------------------------------------------------------------------------------------
@effect
def saveas_done(tx: Tx, vm: VM, firing: Firing) -> None:
    """The disk is saved: its image can be used."""
    _end_saveas(tx, vm, ok=True)


@effect
def saveas_broken(tx: Tx, vm: VM, firing: Firing) -> None:
    """The disk is not saved: its image is in ERROR."""
    _end_saveas(tx, vm, ok=False)


def _end_saveas(tx: Tx, vm: VM, *, ok: bool) -> None:
    disk = marked(vm.disks(), "HOTPLUG_SAVE_AS_ACTIVE")
    if disk is None:
        return
    image_id = disk.get("HOTPLUG_SAVE_AS", "")
    # Before the datastore has made room nothing can have been copied, whatever a recovery says.
    ok = ok and bool(disk.get("HOTPLUG_SAVE_AS_SOURCE"))
    for name in _SAVEAS:
        disk.pop(name, None)
    saveas.settle_image(tx, int(image_id) if image_id.isdigit() else -1, ok=ok)
