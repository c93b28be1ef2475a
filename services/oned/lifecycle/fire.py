"""The only function that changes a VM's state, and what turns driver results into events."""

from __future__ import annotations

import logging
import time

from services.common import paths
from services.oned.errors import ActionError
from services.oned.lifecycle.effects import EFFECTS, Firing, add_job
from services.oned.lifecycle.states import LcmState, VmState
from services.oned.lifecycle.transitions import STABLE, TABLE, allowed_conditions
from services.oned.model.vm import VM
from services.oned.store import Tx, events, pools
from services.oned.store.jobs import Job

_log = logging.getLogger("LCM")

# operation of a finished job: (event of success, event of failure)
RESULTS: dict[str, tuple[str, str]] = {
    "tm.PROLOG": ("tm_ok", "tm_failed"),
    "tm.PROLOG_RESUME": ("tm_ok", "tm_failed"),
    "tm.EPILOG": ("tm_ok", "tm_failed"),
    "tm.EPILOG_STOP": ("tm_ok", "tm_failed"),
    "tm.EPILOG_DELETE": ("cleanup_done", "cleanup_done"),
    "vmm.DEPLOY": ("deploy_ok", "deploy_failed"),
    "vmm.RESTORE": ("restore_ok", "restore_failed"),
    "vmm.SHUTDOWN": ("shutdown_ok", "shutdown_failed"),
    "vmm.CANCEL": ("shutdown_ok", "shutdown_failed"),
    "vmm.SAVE": ("save_ok", "save_failed"),
    "vmm.REBOOT": ("reboot_ok", "reboot_failed"),
    "vmm.RESET": ("reboot_ok", "reboot_failed"),
    "vmm.CLEANUP": ("cleanup_done", "cleanup_done"),
}


def fire(tx: Tx, vm: VM, event: str, firing: Firing | None = None, *, new: bool = False) -> None:
    """Apply an event to a VM: look the row up, run its effects, store the VM, record the change.

    vm: as loaded (and so locked) in this transaction; with ``new`` it is inserted instead of updated.
    Raises ActionError naming the VM, its condition and the conditions that allow the event.
    """
    firing = firing or Firing()
    before = vm.condition
    row = TABLE.get((before, event))
    if row is None:
        word = event.replace("_", "-")
        allowed = ", ".join(allowed_conditions(event)) or "none"
        raise ActionError(
            f'Error performing action "{word}": virtual machine {vm.oid} is in state {before}, '
            f"this action is available for {allowed}",
            vm.oid,
        )
    # The new state is set between the effects that look back and the jobs that look ahead: a job's
    # document and a closed record both show the VM as its clients will see it.
    for name in row.effects:
        if not name.startswith("job:"):
            EFFECTS[name](tx, vm, firing)
    if row.target != "=":
        _enter(vm, row.target)
    for name in row.effects:
        if name.startswith("job:"):
            add_job(tx, vm, name.removeprefix("job:"))
    if new:
        pools.insert(tx, vm.TABLE, {"oid": vm.oid, **vm.columns()})
    else:
        vm.save(tx)
    if vm.history is not None and vm.state != VmState.DONE:
        vm.history.store(tx, "")
    if vm.condition != before:
        _record_change(tx, vm)
    lines = _log_lines(vm, before, firing)
    if lines:
        tx.after_commit(lambda: append_log(vm.oid, lines))


def job_finished(tx: Tx, job: Job, ok: bool, message: str, output: str) -> None:
    """Fire the event that a driver's result stands for.

    A result that no longer fits the VM's state (somebody recovered it meanwhile) is logged and dropped.
    """
    vm = VM.find(tx, job.oid)
    if vm is None:
        _log.warning("vm %d is gone, dropping the result of %s", job.oid, job.operation)
        return
    event = RESULTS[job.operation][0 if ok else 1]
    if (vm.condition, event) not in TABLE:
        _log.warning("vm %d is %s, dropping the result of %s", vm.oid, vm.condition, job.operation)
        return
    if not ok:
        text = f"Error executing {job.operation} on {job.host or 'the front-end'}: {message}"
        tx.after_commit(lambda: append_log(vm.oid, [("E", job.operation.split(".")[0].upper(), text)]))
    fire(tx, vm, event, Firing(message=message, output=output))


def _enter(vm: VM, condition: str) -> None:
    if condition in VmState.__members__:
        vm.state, vm.lcm_state = VmState[condition], LcmState.LCM_INIT
    else:
        vm.state, vm.lcm_state = VmState.ACTIVE, LcmState[condition]
    if condition in STABLE:
        vm.prev_state, vm.prev_lcm_state = int(vm.state), int(vm.lcm_state)


def _record_change(tx: Tx, vm: VM) -> None:
    payload = {
        "state": int(vm.state),
        "lcm_state": int(vm.lcm_state),
        "host": vm.history.hid if vm.history else -1,
    }
    events.add(tx, "STATE", "VM", vm.oid, payload)


def _log_lines(vm: VM, before: str, firing: Firing) -> list[tuple[str, str, str]]:
    if vm.condition == before:
        return []
    lines = []
    if vm.state != VmState.ACTIVE or before in VmState.__members__:
        lines.append(("I", "VM", f"New state is {vm.state.name}"))
    if vm.state == VmState.ACTIVE:
        lines.append(("I", "VM", f"New LCM state is {vm.lcm_state.name}"))
    return lines


def append_log(vm_id: int, lines: list[tuple[str, str, str]]) -> None:
    """Add (level letter, module, text) lines to the VM's own log, in OpenNebula's layout and place."""
    stamp = time.strftime("%a %b %d %H:%M:%S %Y")
    text = "".join(f"{stamp} [Z0][{module}][{level}]: {line}\n" for level, module, line in lines)
    with open(paths.log() / f"{vm_id}.log", "a", encoding="utf-8") as log:
        log.write(text)
