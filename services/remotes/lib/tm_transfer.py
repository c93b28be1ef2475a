"""Disks that are copied: what the driver ssh does, and what all drivers do alike."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import tm_paths
import tm_vm
from driver import DriverError
from tm_machine import call, copy, log
from tm_paths import Spot


def wanted(arguments: Sequence[str], usage: str) -> list[str]:
    """As many arguments as the action has, or more. Raises DriverError."""
    if len(arguments) < len(usage.split()):
        raise DriverError(f"{len(arguments)} arguments, expected: {usage}")
    return list(arguments)


def clone(arguments: Sequence[str]) -> None:
    """clone FE:SOURCE HOST:SYSTEM_DS/disk.N VM_ID DS_ID: a copy on the node, as large as the VM wants it."""
    image, disk, vm_id, _ = wanted(arguments, "SOURCE DISK VM_ID DS_ID")[:4]
    source, target = tm_paths.image_read(image), tm_paths.vm_file(disk, vm_id)
    vm = tm_vm.find(vm_id)
    found = vm.disk(tm_paths.disk_id(target))
    log(f"copying {source} to {target}")
    copy(source, target, monitor=vm.watched_by, size_mb=found.grown_to_mb, form=found.form)


def mvds(arguments: Sequence[str]) -> None:
    """mvds HOST:SYSTEM_DS/disk.N SOURCE VM_ID DS_ID: the image becomes what the disk is; the disk stays."""
    disk, image, vm_id, ds_id = wanted(arguments, "DISK SOURCE VM_ID DS_ID")[:4]
    source, target = tm_paths.vm_file(disk, vm_id), tm_paths.image_written(image, ds_id)
    log(f"saving {source} as {target}")
    disk_form = tm_vm.find(vm_id).disk(tm_paths.disk_id(source)).form
    copy(source, target, is_kept=True, check={"is_layered": disk_form == "qcow2"})
    call(target.host, "tm_node.erase", path=f"{target.path}.md5sum")  # of copies elsewhere that are old now


def delete(arguments: Sequence[str]) -> None:
    """delete HOST:SYSTEM_DS/disk.N|HOST:SYSTEM_DS/VM VM_ID DS_ID: it goes; done when it is not there."""
    path, vm_id, _ = wanted(arguments, "PATH VM_ID DS_ID")[:3]
    place = tm_paths.vm_file if tm_paths.is_vm_file(path) else tm_paths.vm_folder
    target = place(path, vm_id)
    log(f"deleting {target}")
    call(target.host, "tm_node.remove", path=target.path)


def mv(arguments: Sequence[str]) -> None:
    """mv HOST_A:PATH HOST_B:PATH VM_ID DS_ID: the VM's folder goes to another place; disks go with it."""
    first, second, vm_id, _ = wanted(arguments, "FROM TO VM_ID DS_ID")[:4]
    if tm_paths.is_vm_file(second):
        return
    source, target = tm_paths.vm_folder(first, vm_id), tm_paths.vm_folder(second, vm_id)
    vm = tm_vm.find(vm_id)
    if vm.lcm_state == tm_vm.PROLOG_MIGRATE_UNKNOWN:
        log(f"{source} is on a host that is lost, nothing is moved")
        return
    if is_same(source, target):
        log(f"{source} and {target} are the same folder, nothing is moved")
        return
    log(f"moving {source} to {target}")
    receipt = f"{source} {vm.stay.findtext('SEQ') or ''}"
    if not call(source.host, "tm_node.is_there", path=source.path):
        if call(target.host, "tm_node_copy.has_receipt", target=target.path, receipt=receipt):
            return  # an earlier try has moved it
        raise DriverError(f"{source} is not there")
    if source.host == target.host and call(
        target.host, "tm_node_copy.move", source=source.path, target=target.path
    ):
        return
    monitor = call(source.host, "tm_node_copy.monitor_of", folder=source.path)
    told = {"monitor": monitor, "receipt": receipt, "check": vm.ways()}
    copy(source, target, is_folder=True, is_kept=True, **told)
    call(source.host, "tm_node.remove", path=source.path)


def is_same(source: Spot, target: Spot) -> bool:
    """Whether both are one folder: on the same machine, or on storage that both machines see."""
    if source.path != target.path:
        return False
    if source.host == target.host:
        return True
    name = f".same.{secrets.token_hex(8)}"
    call(target.host, "tm_node.mark", folder=target.path, name=name)
    try:
        return bool(call(source.host, "tm_node.is_marked", folder=source.path, name=name))
    finally:
        call(target.host, "tm_node.unmark", folder=target.path, name=name)
