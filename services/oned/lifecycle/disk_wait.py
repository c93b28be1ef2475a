"""VMs that wait in CLONING for the images of their disks.

Source: CLONING state of the VM states reference of release 6.0; documents of real databases.
"""

from __future__ import annotations

from services.oned.lifecycle.fire import fire
from services.oned.lifecycle.numbers import is_yes, whole
from services.oned.lifecycle.states import VmState
from services.oned.model.image import Image, ImageState
from services.oned.model.vm import VM
from services.oned.store import Tx

_READY = (ImageState.USED, ImageState.USED_PERS)
_WAITING = (VmState.CLONING, VmState.CLONING_FAILURE)


def image_settled(tx: Tx, vm_id: int) -> None:
    """Look at a waiting VM again: an image of one of its disks is ready, or has failed.

    The VM goes on once every image is ready, and fails while one is in ERROR.
    """
    vm = VM.find(tx, vm_id)
    if vm is None or vm.state not in _WAITING:
        return
    missing = failed = 0
    for disk in vm.template.vectors("DISK"):
        image_id = whole(disk.get("IMAGE_ID"))
        if image_id is None or not is_yes(disk.get("CLONING")):
            continue
        image = Image.find(tx, image_id)
        if image is not None and image.state in _READY:
            _take(disk, image)
            continue
        missing += 1
        failed += image is not None and image.state is ImageState.ERROR
    if not missing:
        on_hold = is_yes(vm.template.get("SUBMIT_ON_HOLD"))
        fire(tx, vm, "disks_ready_on_hold" if on_hold else "disks_ready")
    else:
        fire(tx, vm, "disks_failed" if failed else "disks_waiting")


def _take(disk: dict[str, str], image: Image) -> None:
    disk.pop("CLONING", None)
    disk["SOURCE"] = image.source
    if image.format:
        disk["DRIVER"] = disk["FORMAT"] = image.format
