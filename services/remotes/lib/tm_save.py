"""Save as: a copy of a disk, or of a snapshot of it, becomes an image (cpds)."""

from __future__ import annotations

from collections.abc import Sequence

import tm_paths
import tm_vm
from driver import DriverError
from tm_machine import call, copy, log
from tm_paths import Spot
from tm_shared import base_of
from tm_transfer import wanted

# Hypervisors whose machines we can ask for a copy of a disk that they write.
_LIVE = ("kvm", "qemu")


def cpds(arguments: Sequence[str]) -> None:
    """cpds HOST:SYSTEM_DS/disk.N SOURCE SNAP_ID VM_ID DS_ID, snapshots beside the disk (ssh)."""
    _save(arguments, is_own=True, is_layered=False)


def cpds_shared(arguments: Sequence[str]) -> None:
    """cpds of the driver shared: those of a persistent disk are beside its image."""
    _save(arguments, is_own=False, is_layered=False)


def cpds_layered(arguments: Sequence[str]) -> None:
    """cpds of the driver qcow2: all layers become one."""
    _save(arguments, is_own=False, is_layered=True)


def cpds_layered_ssh(arguments: Sequence[str]) -> None:
    """cpds.ssh of the driver qcow2: the layers are beside the disk."""
    _save(arguments, is_own=True, is_layered=True)


def _save(arguments: Sequence[str], is_own: bool, is_layered: bool) -> None:
    path, image, snap_id, vm_id, ds_id = wanted(arguments, "DISK SOURCE SNAP_ID VM_ID DS_ID")[:5]
    disk, target = tm_paths.vm_file(path, vm_id), tm_paths.image_written(image, ds_id)
    vm = tm_vm.find(vm_id)
    found = vm.disk(tm_paths.disk_id(disk))
    is_current = snap_id == "-1"
    if is_current:
        source = disk
    else:
        base = disk.path if is_own else base_of(disk, found)
        source = Spot(disk.host, f"{base}.snap/{tm_paths.number(snap_id, 'the snapshot')}")
    log(f"copying {source} to {target}")
    form = "qcow2" if is_layered else found.form
    if is_current and vm.lcm_state == tm_vm.HOTPLUG_SAVEAS:
        _save_live(vm, found, disk, target, form)
    elif is_layered or (form == "qcow2" and _is_linked(source)):
        root = tm_paths.datastores()
        folder = call(
            disk.host,
            "tm_node_chain.convert_staged",
            source=source.path,
            target=f"{disk.path}.saved",
            root=root,
            form=form,
        )
        _bring(Spot(disk.host, f"{folder}/{disk.name}.saved"), folder, target, form)
    else:
        copy(source, target, is_single=True, is_kept=True, check={"is_layered": form == "qcow2"})


def _is_linked(source: Spot) -> bool:
    return bool(call(source.host, "tm_node_copy.is_link", path=source.path))


def _save_live(vm: tm_vm.Vm, found: tm_vm.Disk, disk: Spot, target: Spot, form: str) -> None:
    hypervisor = vm.stay.findtext("VM_MAD") or ""
    if hypervisor not in _LIVE:
        raise DriverError(f"disks of running machines cannot be saved with the driver {hypervisor or 'none'}")
    folder = call(
        disk.host,
        "tm_node_live.export",
        uri=tm_vm.libvirt_uri(),
        domain=vm.deploy_id,
        device=found.get("TARGET"),
        disk=disk.path,
        target=f"{disk.path}.saved",
        form=form,
    )
    _bring(Spot(disk.host, f"{folder}/{disk.name}.saved"), folder, target, form)


def _bring(made: Spot, folder: str, target: Spot, form: str) -> None:
    try:
        copy(made, target, is_single=True, is_kept=True, check={"is_layered": form == "qcow2"})
    finally:
        call(made.host, "tm_node_copy.drop", temporary=folder)
