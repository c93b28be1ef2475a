"""What is done to single disks of a VM: attached, detached, resized, saved as images, and their snapshots.

Each function marks the disk, counts the change against the quotas and fires the event; the rights are the
caller's business. Source: order of the checks of the disk methods of release 6.0.0.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from services.common.template import Template, Vector, is_yes
from services.oned.errors import ActionError, NotFoundError, RequestError
from services.oned.lifecycle import create, image_create, resources
from services.oned.lifecycle.actions import HistoryAction
from services.oned.lifecycle.effects import Firing
from services.oned.lifecycle.fire import fire, refusal
from services.oned.lifecycle.numbers import whole
from services.oned.lifecycle.variants import lookup
from services.oned.model import quota, vm_usage
from services.oned.model.datastore import Datastore
from services.oned.model.image import Image, ImageType
from services.oned.model.snapshots import Orphans, Snapshots
from services.oned.model.vm import VM
from services.oned.store import pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call


def of(vm: VM, disk_id: int) -> Vector:
    """The disk of that id. Raises ActionError."""
    disk = vm.find_disk(disk_id)
    if disk is None:
        have = ", ".join(found.get("DISK_ID", "?") for found in vm.disks()) or "none"
        raise ActionError(
            f"VM disk does not exist: virtual machine {vm.oid} has no disk {disk_id}, it has {have}", vm.oid
        )
    return disk


def charged_image(call: Call, disk: Vector) -> int | None:
    """The image whose owner pays for what a disk grows by, None when the VM's owner does.

    Raises NotFoundError when it is gone.
    """
    counts = is_yes(disk.get("PERSISTENT", "NO")) or vm_usage.disk_target(disk) == "NONE"
    image_id = whole(disk.get("IMAGE_ID"))
    if vm_usage.is_volatile(disk) or not counts or image_id is None:
        return None
    if pools.body(call.tx, Image.TABLE, image_id) is None:
        raise NotFoundError(f"Error getting image [{image_id}].", image_id)
    return image_id


# -- attach and detach -------------------------------------------------------------------------------------
def attach(call: Call, vm: VM, template: Template, firing: Firing) -> None:
    """Add the DISK of a template to the VM, and on its host.

    Raises ActionError, AuthorizationError (quotas).
    """
    given = template.get_vector("DISK")
    if given is None:
        raise ActionError("Wrong format or missing DISK attribute", vm.oid)
    with create.refused_as(ActionError):
        resources.add_disk(call, vm, given)
    vm_usage.account(call.tx, vm)
    firing.action = HistoryAction.DISK_ATTACH
    fire(call.tx, vm, "attach_disk", firing)


def detach(call: Call, vm: VM, disk_id: int, firing: Firing) -> None:
    """Take a disk away from the VM and its host. Raises ActionError."""
    of(vm, disk_id)["ATTACH"] = "YES"
    firing.action = HistoryAction.DISK_DETACH
    fire(call.tx, vm, "detach_disk", firing)


# -- size --------------------------------------------------------------------------------------------------
def require_larger(vm: VM, disk_id: int, size_mb: int) -> Vector:
    """The disk, if it can become that large. Raises ActionError."""
    disk = of(vm, disk_id)
    present = whole(disk.get("SIZE")) or 0
    if size_mb <= present:
        raise ActionError(
            f"New disk size has to be greater than current one: disk {disk_id} has {present} MB, found "
            f"{size_mb}",
            vm.oid,
        )
    if disk_id in vm.snapshots:
        raise ActionError(f"Cannot resize a disk with snapshots; disk {disk_id} has some", vm.oid)
    return disk


def resize(call: Call, vm: VM, disk: Vector, size_mb: int, firing: Firing) -> None:
    """Make a disk larger. Raises AuthorizationError (quotas), ActionError."""
    disk["SIZE_PREV"], disk["SIZE"], disk["RESIZE"] = disk.get("SIZE", "0"), str(size_mb), "YES"
    vm_usage.account(call.tx, vm)
    firing.action = HistoryAction.DISK_RESIZE
    fire(call.tx, vm, "resize_disk", firing)


# -- snapshots ---------------------------------------------------------------------------------------------
def create_snapshot(call: Call, vm: VM, disk_id: int, name: str, firing: Firing) -> int:
    """Take a snapshot of a disk; its id. Raises ActionError, AuthorizationError (quotas)."""
    disk = of(vm, disk_id)
    size_mb = whole(disk.get("SIZE"))
    if size_mb is None:
        raise ActionError(f"Wrong size in disk {disk_id}: {disk.get('SIZE', '')[:40]!r}", vm.oid)
    if is_yes(disk.get("READONLY", "NO")):
        raise ActionError(f"Cannot make snapshots on readonly disks; disk {disk_id} is one", vm.oid)
    tree = vm.snapshots.get(disk_id) or Snapshots(disk_id, Orphans.of(disk.get("ALLOW_ORPHANS", "")))
    snapshot_id = tree.create(name, size_mb)
    if snapshot_id < 0:
        raise ActionError(f"The active snapshot of disk {disk_id} does not exist", vm.oid)
    vm.snapshots[disk_id] = tree
    _mark_snapshot(disk, snapshot_id)
    disk["DISK_SNAPSHOT_TOTAL_SIZE"] = str(tree.total_size_mb)
    vm_usage.account(call.tx, vm)
    firing.action = HistoryAction.DISK_SNAPSHOT_CREATE
    fire(call.tx, vm, "disk_snapshot_create", firing)
    return snapshot_id


def revert_snapshot(call: Call, vm: VM, disk_id: int, snapshot_id: int, firing: Firing) -> None:
    """Bring a disk back to a snapshot. Raises ActionError."""
    if snapshot_id not in _tree(vm, disk_id):
        raise ActionError(f"Snapshot {snapshot_id} of disk {disk_id} does not exist", vm.oid)
    _mark_snapshot(of(vm, disk_id), snapshot_id)
    firing.action = HistoryAction.DISK_SNAPSHOT_REVERT
    fire(call.tx, vm, "disk_snapshot_revert", firing)


def delete_snapshot(call: Call, vm: VM, disk_id: int, snapshot_id: int, firing: Firing) -> None:
    """Forget a snapshot of a disk. Raises ActionError."""
    refused = _tree(vm, disk_id).refusal_to_delete(snapshot_id)
    if refused:
        raise ActionError(f"{refused}: snapshot {snapshot_id} of disk {disk_id}", vm.oid)
    _mark_snapshot(of(vm, disk_id), snapshot_id)
    firing.action = HistoryAction.DISK_SNAPSHOT_DELETE
    fire(call.tx, vm, "disk_snapshot_delete", firing)


def rename_snapshot(vm: VM, disk_id: int, snapshot_id: int, name: str) -> None:
    """Give a snapshot of a disk another name. Raises ActionError."""
    if not _tree(vm, disk_id).rename(snapshot_id, name):
        raise ActionError(f"Snapshot {snapshot_id} of disk {disk_id} does not exist", vm.oid)


def _tree(vm: VM, disk_id: int) -> Snapshots:
    of(vm, disk_id)
    tree = vm.snapshots.get(disk_id)
    if tree is None:
        raise ActionError(
            f"Snapshot does not exist: disk {disk_id} of virtual machine {vm.oid} has none", vm.oid
        )
    return tree


def _mark_snapshot(disk: Vector, snapshot_id: int) -> None:
    disk["DISK_SNAPSHOT_ACTIVE"], disk["DISK_SNAPSHOT_ID"] = "YES", str(snapshot_id)


# -- save as an image --------------------------------------------------------------------------------------
def save_as(
    call: Call, vm: VM, disk_id: int, name: str, kind: str, snapshot_id: int, authorize: Callable[[int], None]
) -> int:
    """Make an image of a disk, or of a snapshot of it (-1: none); the image's id.

    authorize: called once it is known which datastore gets the image; raises AuthorizationError.
    Raises RequestError, NotFoundError, ActionError, AuthorizationError, AllocateError.
    """
    if lookup(call.tx, vm, "saveas") is None:
        raise RequestError(refusal(vm, "saveas"), vm.oid)
    disk = _saved_disk(vm, disk_id, snapshot_id)
    origin = call.load(Image, whole(disk.get("IMAGE_ID")) or 0)
    if origin.type.is_file:
        raise RequestError(f"Cannot save_as image of type {origin.type.name}", vm.oid)
    store = call.load(Datastore, origin.datastore_id)
    size_mb = whole(disk.get("SIZE")) or 0
    image_create.require_space(call.conf, store, size_mb)
    template = _image_template(call, vm, disk, origin, name, kind, size_mb)
    authorize(store.oid)
    quota.change(call.tx, call.caller.uid, call.caller.gid, image_create.space(store.oid, size_mb))
    image = image_create.create(call, template, store)
    disk["HOTPLUG_SAVE_AS_ACTIVE"], disk["HOTPLUG_SAVE_AS"] = "YES", str(image.oid)
    disk["HOTPLUG_SAVE_AS_SNAPSHOT_ID"] = str(snapshot_id)
    fire(call.tx, vm, "saveas")
    return image.oid


def _saved_disk(vm: VM, disk_id: int, snapshot_id: int) -> Vector:
    """The disk that is to be saved. Raises RequestError."""
    disk = vm.find_disk(disk_id)
    if disk is None:
        raise RequestError(f"Cannot use DISK. DISK {disk_id} does not exist.", vm.oid)
    if whole(disk.get("IMAGE_ID")) is None:
        raise RequestError(f"Cannot use DISK. DISK {disk_id} does not have a valid IMAGE_ID.", vm.oid)
    if snapshot_id != -1 and snapshot_id not in (vm.snapshots.get(disk_id) or Snapshots()):
        raise RequestError(f"Cannot use DISK. Snapshot {snapshot_id} does not exist.", vm.oid)
    return disk


def _image_template(
    call: Call, vm: VM, disk: Vector, origin: Image, name: str, kind: str, size_mb: int
) -> Template:
    template = Template(
        [
            ("NAME", name),
            ("SIZE", str(size_mb)),
            ("SAVED_IMAGE_ID", str(origin.oid)),
            ("SAVED_DISK_ID", disk.get("DISK_ID", "")),
            ("SAVED_VM_ID", str(vm.oid)),
            ("SAVE_AS_HOT", "YES"),
            ("TYPE", kind or ImageType(origin.type).name),
        ]
    )
    for inherited in ("TARGET", "DEV_PREFIX"):
        text = origin.template.get(inherited)
        if text:
            template.set(inherited, text)
    image_create.settle_persistent(call, template, is_new=False)
    return template
