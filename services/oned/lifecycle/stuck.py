"""The way out for a VM in a state that is under way when no driver works on it.

That must not happen; when it does (a database taken over from elsewhere, a fault), nothing else would ever
end it. The step counts as failed, and the VM says so.
"""

from __future__ import annotations

import logging
import time

from services.oned.lifecycle import disk_wait, vm_log
from services.oned.lifecycle.effects import Firing, add_job
from services.oned.lifecycle.fire import fire
from services.oned.lifecycle.numbers import whole
from services.oned.lifecycle.states import LcmState
from services.oned.lifecycle.transitions import STABLE, WAITS_FOR_IMAGE
from services.oned.lifecycle.variants import lookup
from services.oned.model.image import Image, ImageState
from services.oned.model.vm import VM
from services.oned.store import Tx, jobs

# LCM states that need no driver work: those where a VM rests, and failures, which wait for somebody.
RESTING = frozenset(
    state
    for state in LcmState
    if state.name in STABLE or state.name.endswith("_FAILURE") or state is LcmState.LCM_INIT
)
_MAKING = (ImageState.LOCKED, ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS)
_log = logging.getLogger("LCM")


def end(tx: Tx, vm_id: int) -> bool:
    """End what a VM waits for if nobody works on that; whether anything was done."""
    vm = VM.find(tx, vm_id)
    if vm is None or jobs.operations(tx, VM.KIND, vm_id):
        return False
    condition = vm.condition
    if condition in STABLE or condition.endswith("_FAILURE"):
        return False
    if condition == "CLONING":
        return _end_cloning(tx, vm)
    if condition in WAITS_FOR_IMAGE and _is_made(tx, vm):
        return False
    text = f"No driver works on {condition} any more, so it counts as failed"
    if condition.startswith("CLEANUP_"):
        _clean_again(tx, vm)
        text = f"No driver works on {condition} any more, so it begins again"
    elif lookup(tx, vm, "recover_failure") is None:
        _log.error("vm %d: is in %s, but no driver works on it", vm_id, condition)
        return False
    else:
        stamp = time.strftime("%a %b %d %H:%M:%S %Y")
        vm.user_template.set("ERROR", f"{stamp}: {text}")
        fire(tx, vm, "recover_failure", Firing(message=text))
    tx.after_commit(lambda: vm_log.append(vm_id, [vm_log.Line("E", vm_log.LCM, text)]))
    tx.after_commit(lambda: _log.error("vm %d: %s", vm_id, text))
    return True


def _end_cloning(tx: Tx, vm: VM) -> bool:
    """Look at the images again, unless one of them is still being made."""
    for disk in vm.disks():
        image_id = whole(disk.get("IMAGE_ID"))
        image = Image.find(tx, image_id) if image_id is not None else None
        if image is not None and image.state in _MAKING:
            return False
    disk_wait.image_settled(tx, vm.oid)
    return True


def _is_made(tx: Tx, vm: VM) -> bool:
    """Whether a datastore makes room for the disk that is saved."""
    marked = (whole(disk.get("HOTPLUG_SAVE_AS")) for disk in vm.disks())
    return any(oid is not None and bool(jobs.operations(tx, Image.KIND, oid)) for oid in marked)


def _clean_again(tx: Tx, vm: VM) -> None:
    if vm.history is None:
        fire(tx, vm, "cleanup_done")
    else:
        add_job(tx, vm, "vmm.CLEANUP")
