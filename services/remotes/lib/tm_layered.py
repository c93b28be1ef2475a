"""Disks of layers (driver qcow2): an image is not copied, a new layer over it is written.

On a system datastore of ssh (the variants *.ssh) the disk is a copy with all layers of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import tm_paths
import tm_vm
from tm_machine import call, copy, log
from tm_paths import Spot
from tm_shared import base_of, ends
from tm_transfer import wanted

_MONITORED_THERE = "ssh"


def clone(arguments: Sequence[str]) -> None:
    """clone FE:SOURCE HOST:SYSTEM_DS/disk.N VM_ID DS_ID: an empty layer over the image."""
    source, target, vm_id = ends(arguments)
    found = tm_vm.find(vm_id).disk(tm_paths.disk_id(target))
    log(f"making {target} over {source}")
    call(
        target.host,
        "tm_node_chain.clone",
        image=source.path,
        target=target.path,
        root=tm_paths.datastores(),
        size_mb=found.grown_to_mb,
        form=tm_vm.image_form(found),
        options=tm_vm.layer_options(),
    )


def ln(arguments: Sequence[str]) -> None:
    """ln FE:SOURCE HOST:SYSTEM_DS/disk.N VM_ID DS_ID: a link to the newest layer of the image."""
    source, target, _ = ends(arguments)
    log(f"linking {target} to {source}")
    call(target.host, "tm_node_chain.link", image=source.path, target=target.path, is_layered=True)


# -- on a system datastore of ssh ---------------------------------------------------------------------------
def clone_ssh(arguments: Sequence[str]) -> None:
    """clone.ssh FE:SOURCE HOST:SYSTEM_DS/disk.N VM_ID DS_ID: a copy of the image as one layer."""
    image, disk, vm_id, _ = wanted(arguments, "SOURCE DISK VM_ID DS_ID")[:4]
    source, target = tm_paths.image_read(image), tm_paths.vm_file(disk, vm_id)
    found = tm_vm.find(vm_id).disk(tm_paths.disk_id(target))
    size_mb, form, root = found.grown_to_mb, tm_vm.image_form(found), tm_paths.datastores()
    log(f"copying {source} to {target}")
    if call(source.host, "tm_node_chain.is_iso", path=source.path) or not tm_paths.disk_id(target):
        copy(source, target, monitor=_MONITORED_THERE)
    elif call(source.host, "tm_node_chain.is_alone", path=source.path, root=root, form=form):
        copy(source, target, layers=[source.name], monitor=_MONITORED_THERE, size_mb=size_mb)
    else:
        flat = tm_paths.scratch(source, vm_id)
        folder = call(
            source.host,
            "tm_node_chain.convert_staged",
            source=source.path,
            target=flat.path,
            root=root,
            form=form,
        )
        made = Spot(source.host, f"{folder}/{flat.name}")
        try:
            copy(made, target, layers=[made.name], monitor=_MONITORED_THERE, size_mb=size_mb)
        finally:
            call(source.host, "tm_node_copy.drop", temporary=folder)


def ln_ssh(arguments: Sequence[str]) -> None:
    """ln.ssh FE:SOURCE HOST:SYSTEM_DS/disk.N VM_ID DS_ID: a copy of the image with all layers."""
    image, disk, vm_id, _ = wanted(arguments, "SOURCE DISK VM_ID DS_ID")[:4]
    source, target = tm_paths.image_read(image), tm_paths.vm_file(disk, vm_id)
    log(f"copying {source} to {target}")
    if call(source.host, "tm_node_chain.is_iso", path=source.path):
        copy(source, target, monitor=_MONITORED_THERE)
        return
    layers = call(source.host, "tm_node_chain.parts", path=source.path)
    copy(source, target, layers=layers, monitor=_MONITORED_THERE)


def mvds_ssh(arguments: Sequence[str]) -> None:
    """mvds.ssh HOST:SYSTEM_DS/disk.N SOURCE VM_ID DS_ID: the image becomes what the disk is."""
    disk, image, vm_id, ds_id = wanted(arguments, "DISK SOURCE VM_ID DS_ID")[:4]
    source, target = tm_paths.vm_file(disk, vm_id), tm_paths.image_written(image, ds_id)
    log(f"saving {source} as {target}")
    layers = call(source.host, "tm_node_chain.parts", path=source.path)
    copy(source, target, layers=layers, is_kept=True)


# -- snapshots ---------------------------------------------------------------------------------------------
def _on_snapshot(arguments: Sequence[str], is_own: bool) -> tuple[Spot, str, int, tm_vm.Vm]:
    """The disk, what its layers' names begin with, the snapshot, the VM; is_own: whatever its image is."""
    disk, snap_id, vm_id = wanted(arguments, "DISK SNAP_ID VM_ID")[:3]
    target = tm_paths.vm_file(disk, vm_id)
    vm = tm_vm.find(vm_id)
    base = target.path if is_own else base_of(target, vm.disk(tm_paths.disk_id(target)))
    return target, base, int(tm_paths.number(snap_id, "the snapshot")), vm


def _create(arguments: Sequence[str], is_own: bool) -> None:
    disk, base, snap_id, _ = _on_snapshot(arguments, is_own)
    options = tm_vm.layer_options()
    call(disk.host, "tm_node_chain.snapshot", disk=disk.path, base=base, snap_id=snap_id, options=options)


def _create_live(arguments: Sequence[str], is_own: bool) -> None:
    disk, base, snap_id, vm = _on_snapshot(arguments, is_own)
    device = vm.disk(tm_paths.disk_id(disk)).get("TARGET")
    others = [each for each in vm.devices() if each != device]
    call(
        disk.host,
        "tm_node_live.layer_snapshot",
        uri=tm_vm.libvirt_uri(),
        domain=vm.deploy_id,
        device=device,
        others=others,
        disk=disk.path,
        base=base,
        snap_id=snap_id,
        options=tm_vm.layer_options(),
    )


def _delete(arguments: Sequence[str], is_own: bool) -> None:
    disk, base, snap_id, _ = _on_snapshot(arguments, is_own)
    call(disk.host, "tm_node_chain.delete_snapshot", base=base, snap_id=snap_id)


def _revert(arguments: Sequence[str], is_own: bool) -> None:
    disk, base, snap_id, _ = _on_snapshot(arguments, is_own)
    options = tm_vm.layer_options()
    call(disk.host, "tm_node_chain.revert", disk=disk.path, base=base, snap_id=snap_id, options=options)


def snap_create(arguments: Sequence[str]) -> None:
    """snap_create HOST:SYSTEM_DS/disk.N SNAP_ID VM_ID DS_ID: a new layer is written from here on."""
    _create(arguments, is_own=False)


def snap_create_ssh(arguments: Sequence[str]) -> None:
    """snap_create.ssh: the same, with layers beside the disk."""
    _create(arguments, is_own=True)


def snap_create_live(arguments: Sequence[str]) -> None:
    """snap_create_live HOST:SYSTEM_DS/disk.N SNAP_ID VM_ID DS_ID: the same, while the machine runs."""
    _create_live(arguments, is_own=False)


def snap_create_live_ssh(arguments: Sequence[str]) -> None:
    """snap_create_live.ssh: the same, with layers beside the disk."""
    _create_live(arguments, is_own=True)


def snap_delete(arguments: Sequence[str]) -> None:
    """snap_delete HOST:SYSTEM_DS/disk.N SNAP_ID VM_ID DS_ID: a layer that none stands on goes."""
    _delete(arguments, is_own=False)


def snap_delete_ssh(arguments: Sequence[str]) -> None:
    """snap_delete.ssh: the same, with layers beside the disk."""
    _delete(arguments, is_own=True)


def snap_revert(arguments: Sequence[str]) -> None:
    """snap_revert HOST:SYSTEM_DS/disk.N SNAP_ID VM_ID DS_ID: what was written since then is dropped."""
    _revert(arguments, is_own=False)


def snap_revert_ssh(arguments: Sequence[str]) -> None:
    """snap_revert.ssh: the same, with layers beside the disk."""
    _revert(arguments, is_own=True)
