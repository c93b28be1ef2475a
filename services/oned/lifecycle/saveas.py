"""A disk of a VM becomes an image: first the datastore makes room for it, then the disk is copied there.

While that goes on the VM is in one of the HOTPLUG_SAVEAS states and its DISK carries HOTPLUG_SAVE_AS_ACTIVE;
the image is LOCKED and says SAVE_AS_HOT. Source: VM states reference and save-as of release 6.0.
"""

from __future__ import annotations

import logging

from services.common.template import Template, Vector
from services.oned.lifecycle import image_fire
from services.oned.model.image import Image
from services.oned.model.vm import VM
from services.oned.store import Tx

_log = logging.getLogger("LCM")


def is_saving(template: Template) -> bool:
    """Whether an image's template says that it is being made from the disk of a VM."""
    return (template.get("SAVE_AS_HOT") or "").upper() == "YES"


def source_made(tx: Tx, image_id: int, vm_id: int, source: str) -> bool:
    """The datastore has made room at ``source``: the VM's drivers copy the disk there.

    False when no VM waits for it any more; the image is of no use then, and in ERROR.
    """
    from services.oned.lifecycle.fire import fire  # whose effects end here, too

    vm = _waiting(tx, vm_id, image_id)
    if vm is None:
        settle_image(tx, image_id, ok=False)
        return False
    _disk(vm, image_id)["HOTPLUG_SAVE_AS_SOURCE"] = source
    fire(tx, vm, "saveas_source")
    return True


def source_failed(tx: Tx, image_id: int, vm_id: int) -> None:
    """The datastore cannot make room: the VM goes on as before, the image is in ERROR."""
    from services.oned.lifecycle.fire import fire  # whose effects end here, too

    vm = _waiting(tx, vm_id, image_id)
    if vm is not None:
        fire(tx, vm, "saveas_failed")
    settle_image(tx, image_id, ok=False)


def settle_image(tx: Tx, image_id: int, *, ok: bool) -> None:
    """End the making of an image: it is READY, or in ERROR. Nothing when it is gone or settled already."""
    image = Image.find(tx, image_id) if image_id >= 0 else None
    if image is None or not image_fire.can(image, "done"):
        return
    image_fire.fire(tx, image, "done" if ok else "failed")


def _waiting(tx: Tx, vm_id: int, image_id: int) -> VM | None:
    """The VM, if it waits for room for that image."""
    vm = VM.find(tx, vm_id)
    if vm is None or not vm.condition.startswith("HOTPLUG_SAVEAS") or not _disk(vm, image_id):
        _log.warning("vm %d does not wait for image %d any more", vm_id, image_id)
        return None
    return vm


def _disk(vm: VM, image_id: int) -> Vector:
    """The disk that becomes that image; an empty vector when there is none."""
    return next((disk for disk in vm.disks() if disk.get("HOTPLUG_SAVE_AS") == str(image_id)), {})
