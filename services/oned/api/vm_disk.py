"""Methods on the disks of a virtual machine."""

from __future__ import annotations

import re

from services.common.template import Template
from services.oned.api import vm_call
from services.oned.api.call import Call
from services.oned.api.registry import method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError
from services.oned.lifecycle import create_rights, disks
from services.oned.model import vm_usage
from services.oned.model.datastore import Datastore
from services.oned.model.image import Image
from services.oned.model.vm import VM

_SIZE = re.compile(r"\s*[+-]?\d+\Z")


@method("one.vm.attach", "vm_id:i template:s")
def attach(call: Call, vm_id: int, text: str) -> int:
    """Add a disk to a VM."""
    vm = call.load(VM, vm_id)
    if vm.history is None:
        raise ActionError(f"VM is not running in any host; virtual machine {vm_id} is {vm.condition}", vm_id)
    vm_call.refuse_vrouter(vm)
    template = Template.parse(text)
    vm_call.require(call, vm_id, "disk-attach")
    create_rights.require(call, template)
    vm_call.refuse_restricted(call, template, "DISK")
    disks.attach(call, vm, template, vm_call.firing(call))
    return vm_id


@method("one.vm.detach", "vm_id:i disk_id:i")
def detach(call: Call, vm_id: int, disk_id: int) -> int:
    """Take a disk away from a VM."""
    vm_call.require(call, vm_id, "disk-detach")
    vm = call.load(VM, vm_id)
    vm_call.refuse_vrouter(vm)
    disks.detach(call, vm, disk_id, vm_call.firing(call))
    return vm_id


@method("one.vm.diskresize", "vm_id:i disk_id:i size:s")
def resize(call: Call, vm_id: int, disk_id: int, size: str) -> int:
    """Make a disk of a VM larger (MB); answers the disk's id."""
    if not _SIZE.match(size):
        raise ActionError(f"Disk SIZE is not a valid integer, found {size[:40]!r}", vm_id)
    vm = call.load(VM, vm_id)
    disk = disks.require_larger(vm, disk_id, int(size))
    _authorize_image(call, disks.charged_image(call, disk))
    vm_call.require(call, vm_id, "disk-resize")
    disks.resize(call, vm, disk, int(size), vm_call.firing(call))
    return disk_id


@method("one.vm.disksaveas", "vm_id:i disk_id:i name:s type:s snapshot_id:i")
def save_as(call: Call, vm_id: int, disk_id: int, name: str, kind: str, snapshot_id: int) -> int:
    """Make a new image of a VM's disk, or of a snapshot of it; answers the image's id."""
    vm = call.load(VM, vm_id)

    def authorize(datastore_id: int) -> None:
        vm_call.require(call, vm_id, "disk-saveas")
        call.authorize_create(Image)
        call.authorize(Datastore, Right.USE, datastore_id)

    return disks.save_as(call, vm, disk_id, name, kind, snapshot_id, authorize)


# -- snapshots ---------------------------------------------------------------------------------------------
@method("one.vm.disksnapshotcreate", "vm_id:i disk_id:i name:s")
def create_snapshot(call: Call, vm_id: int, disk_id: int, name: str) -> int:
    """Take a snapshot of a disk; answers the snapshot's id."""
    vm = call.load(VM, vm_id)
    disk = disks.of(vm, disk_id)
    if vm_usage.is_volatile(disk):
        raise ActionError(f"Cannot make snapshots on volatile disks; disk {disk_id} is one", vm_id)
    _authorize_image(call, disks.charged_image(call, disk))
    vm_call.require(call, vm_id, "disk-snapshot-create")
    return disks.create_snapshot(call, vm, disk_id, name, vm_call.firing(call))


@method("one.vm.disksnapshotrevert", "vm_id:i disk_id:i snapshot_id:i")
def revert_snapshot(call: Call, vm_id: int, disk_id: int, snapshot_id: int) -> int:
    """Bring a disk back to a snapshot."""
    vm_call.require(call, vm_id, "disk-snapshot-revert")
    disks.revert_snapshot(call, call.load(VM, vm_id), disk_id, snapshot_id, vm_call.firing(call))
    return vm_id


@method("one.vm.disksnapshotdelete", "vm_id:i disk_id:i snapshot_id:i")
def delete_snapshot(call: Call, vm_id: int, disk_id: int, snapshot_id: int) -> int:
    """Delete a snapshot of a disk."""
    vm = call.load(VM, vm_id)
    disk = disks.of(vm, disk_id)
    if disk.get("PERSISTENT", "").upper() == "YES":
        _authorize_image(call, disks.charged_image(call, disk))
    vm_call.require(call, vm_id, "disk-snapshot-delete")
    disks.delete_snapshot(call, vm, disk_id, snapshot_id, vm_call.firing(call))
    return vm_id


@method("one.vm.disksnapshotrename", "vm_id:i disk_id:i snapshot_id:i name:s")
def rename_snapshot(call: Call, vm_id: int, disk_id: int, snapshot_id: int, name: str) -> int:
    """Rename a snapshot of a disk."""
    vm_call.require(call, vm_id, "disk-snapshot-rename")
    vm = call.load(VM, vm_id)
    disks.rename_snapshot(vm, disk_id, snapshot_id, name)
    vm.save(call.tx)
    return vm_id


def _authorize_image(call: Call, image_id: int | None) -> None:
    if image_id is not None:
        call.authorize(Image, Right.MANAGE, image_id)
