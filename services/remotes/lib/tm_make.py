"""Disks that are made: volatile ones and swap; and disks that grow."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import tm_paths
import tm_vm
from driver import DriverError
from tm_machine import call, log
from tm_transfer import wanted

_FORMATS = ("raw", "qcow2", "swap")


def mkimage(arguments: Sequence[str]) -> None:
    """mkimage SIZE_MB FORMAT HOST:SYSTEM_DS/disk.N VM_ID DS_ID: an empty disk, formatted if it has an FS."""
    size, form, disk, vm_id, _ = wanted(arguments, "SIZE FORMAT DISK VM_ID DS_ID")[:5]
    target = tm_paths.vm_file(disk, vm_id)
    form = form.lower()
    if form not in _FORMATS:
        # As OpenNebula: a name of its own or of a filesystem is a raw disk.
        form = "raw"
    size_mb = int(tm_paths.number(size, "the size in MB"))
    filesystem = "" if form == "swap" else tm_vm.find(vm_id).disk(tm_paths.disk_id(target)).get("FS")
    options = _filesystem_options(filesystem) if filesystem else []
    log(f"making {target} of {size_mb} MB, {form}")
    call(
        target.host,
        "tm_node_make.make",
        target=target.path,
        size_mb=size_mb,
        form=form,
        filesystem=filesystem,
        options=options,
        monitor=monitor_word(),
    )


def mkswap(arguments: Sequence[str]) -> None:
    """mkswap SIZE_MB HOST:SYSTEM_DS/disk.N VM_ID DS_ID: a swap disk."""
    size, *rest = wanted(arguments, "SIZE DISK VM_ID DS_ID")
    mkimage([size, "swap", *rest])


def monitor_word() -> str:
    """What .monitor says of a datastore of the driver that runs; only ssh's are watched by their nodes."""
    return "ssh" if driver_name() == "ssh" else ""


def driver_name() -> str:
    """The driver that runs, by the folder of its action."""
    return os.path.basename(os.path.dirname(os.path.abspath(sys.argv[0])))


def _filesystem_options(filesystem: str) -> list[str]:
    """The options of mkfs for a filesystem that the administrator allows. Raises DriverError."""
    known = tm_vm.setting("datastore/datastore.conf", "SUPPORTED_FS").get("SUPPORTED_FS", "")
    if filesystem not in known.replace(" ", "").split(",") or not filesystem.isalnum():
        raise DriverError(f"filesystem {filesystem[:40]!r} is not among SUPPORTED_FS ({known})")
    name = f"FS_OPTS_{filesystem}"
    return tm_vm.setting("datastore/datastore.conf", name).get(name, "").split()


def resize(arguments: Sequence[str]) -> None:
    """resize HOST:SYSTEM_DS/disk.N SIZE_MB VM_ID [DS_ID]: the disk grows, unless its machine runs: then the
    hypervisor does it.
    """
    disk, size, vm_id = wanted(arguments, "DISK SIZE VM_ID")[:3]
    target = tm_paths.vm_file(disk, vm_id)
    size_mb = int(tm_paths.number(size, "the size in MB"))
    vm = tm_vm.find(vm_id)
    if vm.lcm_state == tm_vm.DISK_RESIZE:
        log(f"{target} is used by a running machine, its hypervisor resizes it")
        return
    form = vm.disk(tm_paths.disk_id(target)).form
    call(target.host, "tm_node_copy.grow", path=target.path, size_mb=size_mb, form=form)
