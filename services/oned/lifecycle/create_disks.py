"""Disks of a new VM: images and volatile ones, numbered and with device names, and the context disk.

Source: disk section of the virtual machine template reference of release 6.0; documents of real databases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.template import Vector
from services.oned.errors import RequestError
from services.oned.lifecycle import image_use
from services.oned.lifecycle.disk_targets import Targets
from services.oned.lifecycle.numbers import whole
from services.oned.lifecycle.use_rights import on_behalf
from services.oned.model.image import ImageType
from services.oned.model.vm import VM

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_DISKS_MAX = 20
_VOLATILE = ("FS", "SWAP")
# Where copies lie, and who pays for what a disk takes: users who say it pay for nothing.
_OF_THE_IMAGE = ("CLONE_TARGET", "LN_TARGET", "PERSISTENT")
_LOCAL = ("FILE", "BLOCK", "CDROM")


def settle(call: Call, vm: VM) -> None:
    """Move CONTEXT and the disks into the core's part; take their images, number and name them.

    Raises RequestError for too many disks, one that says neither image nor volatile, two of the same device
    name, and for images that cannot be used.
    """
    user, core = vm.user_template, vm.template
    contexts, disks = user.vectors("CONTEXT"), user.vectors("DISK")
    user.remove("CONTEXT")
    user.remove("DISK")
    if len(disks) > _DISKS_MAX:
        raise RequestError(f"Exceeded the maximum number of disks ({_DISKS_MAX}), found {len(disks)}.")
    mode = user.get("TM_MAD_SYSTEM")
    if mode is not None:
        user.remove("TM_MAD_SYSTEM")
        core.add("TM_MAD_SYSTEM", mode)
    targets = Targets()
    for number, given in enumerate(disks):
        disk = dict(given)
        kind = take(call, vm, disk, number)
        targets.add(disk, kind, disk.get("DEV_PREFIX", ""))
        disks[number] = disk
    made = [dict(given) for given in contexts]
    if made:
        context = made[0]
        context["DISK_ID"] = str(len(disks))
        prefix = context.get("DEV_PREFIX") or image_use.device_prefix(call.conf, ImageType.CDROM)
        targets.add(context, ImageType.CDROM, prefix)
    targets.assign()
    for context in made:
        core.add("CONTEXT", context)
    for disk in disks:
        core.add("DISK", disk)


def take(call: Call, vm: VM, disk: Vector, number: int, *, attach: bool = False) -> ImageType:
    """Make a vector disk ``number`` of a VM: with its image, or volatile; the image's kind (DATABLOCK: none).

    attach: the VM is deployed already. Raises RequestError naming the disk.
    """
    mode = vm.template.get("TM_MAD_SYSTEM")
    disk.pop("TM_MAD_SYSTEM", None)
    if mode:
        disk["TM_MAD_SYSTEM"] = mode
    try:
        if names_image(disk):
            kind = _take_image(call, vm, disk, number, attach)
        else:
            kind = _make_volatile(call, disk)
    except RequestError as error:
        raise RequestError(f"DISK {number}: {error.message}", vm.oid) from None
    disk["DISK_ID"] = str(number)
    return kind


def names_image(disk: Vector) -> bool:
    """Whether a disk is one of an image, and not volatile."""
    return whole(disk.get("IMAGE_ID")) is not None or "IMAGE" in disk


def _take_image(call: Call, vm: VM, disk: Vector, number: int, attach: bool) -> ImageType:
    for name in _OF_THE_IMAGE:
        disk.pop(name, None)
    image_id = image_use.resolve(on_behalf(call, vm.uid), disk)
    image = image_use.acquire(call, image_id, vm.oid, disk, attach=attach)
    if len(image.snapshots) and image.type is not ImageType.CDROM:
        snapshots = image.snapshots.copy()
        snapshots.disk_id = number
        vm.snapshots[number] = snapshots
    return image.type


def _make_volatile(call: Call, disk: Vector) -> ImageType:
    kind = disk.get("TYPE", "").upper()
    if kind not in _VOLATILE:
        raise RequestError(f"Unknown disk type {kind!r}, expected an image, or TYPE fs or swap")
    size = whole(disk.get("SIZE"))
    if size is None or size <= 0:
        raise RequestError(
            f"SIZE attribute must be a positive integer value, found {disk.get('SIZE', '')[:40]!r}."
        )
    # One of type RBD would be the image of that name in the pool, or whatever a server of the user's says.
    # Its datastore tells of what type it is.
    disk.pop("SOURCE", None)
    if disk.get("DISK_TYPE", "").upper() not in _LOCAL:
        disk.pop("DISK_TYPE", None)
    if not disk.get("DEV_PREFIX"):
        disk["DEV_PREFIX"] = image_use.device_prefix(call.conf, ImageType.DATABLOCK)
    return ImageType.DATABLOCK
