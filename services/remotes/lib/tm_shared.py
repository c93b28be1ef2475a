"""Disks in datastores that every machine sees: images are linked, or copied where the VM is (shared)."""

from __future__ import annotations

from collections.abc import Sequence

import tm_paths
import tm_vm
from tm_machine import call, copy, log
from tm_paths import Spot
from tm_transfer import wanted


def ends(arguments: Sequence[str]) -> tuple[Spot, Spot, str]:
    """The image as the node sees it, the disk, and the VM's id. Raises DriverError."""
    image, disk, vm_id, _ = wanted(arguments, "SOURCE DISK VM_ID DS_ID")[:4]
    target = tm_paths.vm_file(disk, vm_id)
    return Spot(target.host, tm_paths.image_shared(image)), target, vm_id


def clone(arguments: Sequence[str]) -> None:
    """clone FE:SOURCE HOST:SYSTEM_DS/disk.N VM_ID DS_ID: a copy, made by the node."""
    source, target, vm_id = ends(arguments)
    disk = tm_vm.find(vm_id).disk(tm_paths.disk_id(target))
    log(f"copying {source} to {target}")
    copy(source, target, is_single=True, size_mb=disk.grown_to_mb, form=disk.form)


def ln(arguments: Sequence[str]) -> None:
    """ln FE:SOURCE HOST:SYSTEM_DS/disk.N VM_ID DS_ID: a link to the image."""
    source, target, _ = ends(arguments)
    log(f"linking {target} to {source}")
    call(target.host, "tm_node_chain.link", image=source.path, target=target.path, is_layered=False)


def mvds(arguments: Sequence[str]) -> None:
    """mvds HOST:SYSTEM_DS/disk.N SOURCE VM_ID DS_ID: nothing, the disk is the image."""


def mv(arguments: Sequence[str]) -> None:
    """mv HOST_A:SYSTEM_DS/VM HOST_B:SYSTEM_DS/VM VM_ID DS_ID: a new name, if the datastore is another one."""
    first, second, vm_id, _ = wanted(arguments, "FROM TO VM_ID DS_ID")[:4]
    if tm_paths.is_vm_file(second):
        return
    source, target = tm_paths.vm_folder(first, vm_id), tm_paths.vm_folder(second, vm_id)
    if source.path == target.path:
        return
    log(f"moving {source.path} to {target}")
    if call(target.host, "tm_node_copy.move", source=source.path, target=target.path):
        return
    here = Spot(target.host, source.path)  # every machine sees it
    copy(here, target, is_folder=True, is_kept=True)
    call(target.host, "tm_node.remove", path=source.path)


def base_of(disk: Spot, found: tm_vm.Disk) -> str:
    """What the names of a disk's snapshots begin with: the disk, or the image that it is."""
    source = found.get("SOURCE")
    return disk.path if found.is_clone or not source else tm_paths.image_shared(source)
