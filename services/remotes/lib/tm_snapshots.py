"""Snapshots that are full copies of a disk (drivers ssh and shared): disk.N.snap/ID, or IMAGE.snap/ID."""

from __future__ import annotations

from collections.abc import Sequence

import tm_paths
import tm_vm
from tm_machine import call
from tm_paths import Spot
from tm_shared import base_of
from tm_transfer import wanted


def _known(arguments: Sequence[str], is_own: bool) -> tuple[Spot, Spot, tm_vm.Vm]:
    """The disk, the file of the snapshot, the VM; is_own: beside the disk, whatever its image is."""
    disk, snap_id, vm_id = wanted(arguments, "DISK SNAP_ID VM_ID")[:3]
    place = tm_paths.vm_file(disk, vm_id)
    vm = tm_vm.find(vm_id)
    base = place.path if is_own else base_of(place, vm.disk(tm_paths.disk_id(place)))
    return place, Spot(place.host, f"{base}.snap/{tm_paths.number(snap_id, 'the snapshot')}"), vm


def _create(arguments: Sequence[str], is_own: bool) -> None:
    disk, snapshot, _ = _known(arguments, is_own)
    call(disk.host, "tm_node_copy.copy_file", source=disk.path, target=snapshot.path)


def _delete(arguments: Sequence[str], is_own: bool) -> None:
    disk, snapshot, _ = _known(arguments, is_own)
    call(disk.host, "tm_node.erase", path=snapshot.path)


def _revert(arguments: Sequence[str], is_own: bool) -> None:
    disk, snapshot, _ = _known(arguments, is_own)
    call(disk.host, "tm_node_copy.copy_file", source=snapshot.path, target=disk.path, is_through=not is_own)


def snap_create(arguments: Sequence[str]) -> None:
    """snap_create HOST:SYSTEM_DS/disk.N SNAP_ID VM_ID DS_ID: a copy of the disk beside it."""
    _create(arguments, is_own=True)


def snap_create_shared(arguments: Sequence[str]) -> None:
    """snap_create of the driver shared: that of a persistent disk is beside its image."""
    _create(arguments, is_own=False)


def snap_create_live(arguments: Sequence[str]) -> None:
    """snap_create_live HOST:SYSTEM_DS/disk.N SNAP_ID VM_ID DS_ID: the hypervisor makes the copy."""
    disk, snapshot, vm = _known(arguments, is_own=True)
    found = vm.disk(tm_paths.disk_id(disk))
    call(
        disk.host,
        "tm_node_live.copy_snapshot",
        uri=tm_vm.libvirt_uri(),
        domain=vm.deploy_id,
        device=found.get("TARGET"),
        disk=disk.path,
        snap_id=int(snapshot.name),
        form=found.form,
    )


def snap_delete(arguments: Sequence[str]) -> None:
    """snap_delete HOST:SYSTEM_DS/disk.N SNAP_ID VM_ID DS_ID: the copy goes; done when it is not there."""
    _delete(arguments, is_own=True)


def snap_delete_shared(arguments: Sequence[str]) -> None:
    """snap_delete of the driver shared."""
    _delete(arguments, is_own=False)


def snap_revert(arguments: Sequence[str]) -> None:
    """snap_revert HOST:SYSTEM_DS/disk.N SNAP_ID VM_ID DS_ID: the disk becomes a copy of the snapshot."""
    _revert(arguments, is_own=True)


def snap_revert_shared(arguments: Sequence[str]) -> None:
    """snap_revert of the driver shared: of a persistent disk the image itself."""
    _revert(arguments, is_own=False)
