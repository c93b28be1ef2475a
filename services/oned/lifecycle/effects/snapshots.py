"""Effects on snapshots: of the whole machine (SNAPSHOT vectors) and of single disks (SNAPSHOTS trees)."""

from __future__ import annotations

from services.common.template import Vector
from services.oned.lifecycle import site
from services.oned.lifecycle.effects.base import Firing, effect, marked
from services.oned.lifecycle.effects.devices import (
    image_itself,
    keep_capacity,
    keep_disk,
    keep_nic,
    undo_disk_size,
)
from services.oned.model.vm import VM
from services.oned.store import Tx


# -- of the machine ----------------------------------------------------------------------------------------
@effect
def keep_new_snapshot(tx: Tx, vm: VM, firing: Firing) -> None:
    """The snapshot exists, under the hypervisor's name for it; by recovery, under its own number."""
    snapshot = marked(vm.template.vectors("SNAPSHOT"), "ACTIVE")
    if snapshot is not None:
        words = firing.output.split()
        snapshot["HYPERVISOR_ID"] = words[0] if words else snapshot.get("SNAPSHOT_ID", "")
    keep_snapshot(tx, vm, firing)


@effect
def keep_snapshot(tx: Tx, vm: VM, firing: Firing) -> None:
    """Nothing is done with the snapshot any more."""
    snapshot = marked(vm.template.vectors("SNAPSHOT"), "ACTIVE")
    if snapshot is not None:
        snapshot.pop("ACTIVE", None)
        snapshot.pop("ACTION", None)


@effect
def drop_snapshot(tx: Tx, vm: VM, firing: Firing) -> None:
    """The snapshot under way does not exist (any more)."""
    kept = vm.template.vectors("SNAPSHOT")
    gone = marked(kept, "ACTIVE")
    vm.template.remove("SNAPSHOT")
    for snapshot in kept:
        if snapshot is not gone:
            vm.template.add("SNAPSHOT", snapshot)


@effect
def lose_snapshots(tx: Tx, vm: VM, firing: Firing) -> None:
    """The machine has ended or moved: its snapshots went with it, unless the driver keeps them."""
    if vm.history is not None and not site.traits(vm.history.vm_mad).keeps_snapshots:
        vm.template.remove("SNAPSHOT")


@effect
def drop_marks(tx: Tx, vm: VM, firing: Firing) -> None:
    """Whatever was done to the VM's devices is given up; what was on its way in stays with the VM."""
    keep_disk(tx, vm, firing)
    keep_nic(tx, vm, firing)
    undo_disk_size(tx, vm, firing)
    keep_capacity(tx, vm, firing)
    keep_snapshot(tx, vm, firing)
    keep_disk_snapshot(tx, vm, firing)


# -- of disks ----------------------------------------------------------------------------------------------
@effect
def take_disk_snapshot(tx: Tx, vm: VM, firing: Firing) -> None:
    """The disk now stands on the snapshot that was made."""
    _end(tx, vm, "taken")


@effect
def revert_disk_snapshot(tx: Tx, vm: VM, firing: Firing) -> None:
    """The disk is as it was at the snapshot."""
    _end(tx, vm, "reverted")


@effect
def drop_disk_snapshot(tx: Tx, vm: VM, firing: Firing) -> None:
    """The snapshot under way does not exist (any more)."""
    _end(tx, vm, "gone")


@effect
def keep_disk_snapshot(tx: Tx, vm: VM, firing: Firing) -> None:
    """Nothing came of what was asked for the snapshot."""
    _end(tx, vm, "unchanged")


@effect
def lose_disk_snapshots(tx: Tx, vm: VM, firing: Firing) -> None:
    """The VM begins anew from its images: snapshots of disks that are made anew are gone."""
    for disk in vm.disks():
        disk_id = _disk_id(disk)
        clones = disk.get("CLONE", "").upper() == "YES"
        target = disk.get("CLONE_TARGET" if clones else "LN_TARGET", "") if disk.get("CLONE") else ""
        if disk_id not in vm.snapshots or target.upper() == "NONE":
            continue
        del vm.snapshots[disk_id]
        for name in ("DISK_SNAPSHOT_ACTIVE", "DISK_SNAPSHOT_ID", "DISK_SNAPSHOT_TOTAL_SIZE"):
            disk.pop(name, None)


def _end(tx: Tx, vm: VM, outcome: str) -> None:
    disk = marked(vm.disks(), "DISK_SNAPSHOT_ACTIVE")
    if disk is None:
        return
    tree = vm.snapshots.get(_disk_id(disk))
    text = disk.get("DISK_SNAPSHOT_ID", "")
    snapshot_id = int(text) if text.isdigit() else -1
    if tree is not None and outcome in ("taken", "reverted"):
        tree.activate(snapshot_id, revert=outcome == "reverted")
    elif tree is not None and outcome == "gone":
        tree.delete(snapshot_id)
        disk["DISK_SNAPSHOT_TOTAL_SIZE"] = str(tree.total_size_mb)
        if not len(tree):
            del vm.snapshots[_disk_id(disk)]
    del disk["DISK_SNAPSHOT_ACTIVE"]
    disk.pop("DISK_SNAPSHOT_ID", None)
    image = image_itself(tx, disk)
    if image is not None and tree is not None:
        image.snapshots = tree.copy()
        image.snapshots.disk_id = -1
        image.save(tx)


def _disk_id(disk: Vector) -> int:
    text = disk.get("DISK_ID", "")
    return int(text) if text.isdigit() else -1
