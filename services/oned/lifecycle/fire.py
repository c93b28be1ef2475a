"""The only function that changes a VM's state, and what turns driver results into events."""

from __future__ import annotations

import logging
import time

from services.oned.errors import ActionError, AuthorizationError
from services.oned.lifecycle import vm_log
from services.oned.lifecycle.effects import EFFECTS, Firing, add_job
from services.oned.lifecycle.states import LcmState, VmState
from services.oned.lifecycle.transitions import STABLE, allowed_conditions
from services.oned.lifecycle.variants import lookup
from services.oned.model import vm_usage
from services.oned.model.vm import VM
from services.oned.store import Tx, due, events, pools
from services.oned.store.jobs import Job

_log = logging.getLogger("LCM")

# operation of a finished job: (event of success, event of failure)
RESULTS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("tm.PROLOG", "tm.PROLOG_RESUME", "tm.PROLOG_MIGRATE", "tm.EPILOG", "tm.EPILOG_STOP"),
        ("tm_ok", "tm_failed"),
    ),
    **dict.fromkeys(("tm.EPILOG_DELETE", "vmm.CLEANUP"), ("cleanup_done", "cleanup_done")),
    "vmm.DEPLOY": ("deploy_ok", "deploy_failed"),
    "vmm.RESTORE": ("restore_ok", "restore_failed"),
    "vmm.MIGRATE": ("migrate_ok", "migrate_failed"),
    **dict.fromkeys(("vmm.SHUTDOWN", "vmm.CANCEL"), ("shutdown_ok", "shutdown_failed")),
    "vmm.SAVE": ("save_ok", "save_failed"),
    **dict.fromkeys(("vmm.REBOOT", "vmm.RESET"), ("reboot_ok", "reboot_failed")),
    **dict.fromkeys(("vmm.ATTACH_DISK", "tm.PROLOG_ATTACH"), ("attach_disk_ok", "attach_disk_failed")),
    **dict.fromkeys(("vmm.DETACH_DISK", "tm.EPILOG_DETACH"), ("detach_disk_ok", "detach_disk_failed")),
    "vmm.ATTACH_NIC": ("attach_nic_ok", "attach_nic_failed"),
    "vmm.DETACH_NIC": ("detach_nic_ok", "detach_nic_failed"),
    "vmm.SNAPSHOT_CREATE": ("snapshot_create_ok", "snapshot_create_failed"),
    "vmm.SNAPSHOT_REVERT": ("snapshot_revert_ok", "snapshot_revert_failed"),
    "vmm.SNAPSHOT_DELETE": ("snapshot_delete_ok", "snapshot_delete_failed"),
    **dict.fromkeys(
        ("vmm.DISK_SNAPSHOT_CREATE", "tm.DISK_SNAPSHOT_CREATE"),
        ("disk_snapshot_create_ok", "disk_snapshot_create_failed"),
    ),
    "tm.DISK_SNAPSHOT_REVERT": ("disk_snapshot_revert_ok", "disk_snapshot_revert_failed"),
    "tm.DISK_SNAPSHOT_DELETE": ("disk_snapshot_delete_ok", "disk_snapshot_delete_failed"),
    **dict.fromkeys(("vmm.RESIZE_DISK", "tm.RESIZE"), ("resize_disk_ok", "resize_disk_failed")),
    "vmm.RESIZE": ("resize_ok", "resize_failed"),
    "vmm.UPDATE_CONF": ("updateconf_ok", "updateconf_failed"),
    "tm.SAVEAS": ("saveas_ok", "saveas_failed"),
}


def fire(tx: Tx, vm: VM, event: str, firing: Firing | None = None, *, new: bool = False) -> None:
    """Apply an event to a VM: look the row up, run its effects, store the VM, record the change.

    vm: as loaded (and so locked) in this transaction; with ``new`` it is inserted instead of updated.
    Raises ActionError naming the VM, its condition and the conditions that allow the event.
    """
    firing = firing or Firing()
    before = vm.condition
    row = lookup(tx, vm, event)
    if row is None:
        raise ActionError(refusal(vm, event), vm.oid)
    # Unless the row says so with ``enter``, effects see the VM as its clients will.
    if "enter" not in row.effects:
        _enter(vm, row.target)
    for name in row.effects:
        if name == "enter":
            _enter(vm, row.target)
        elif name.startswith("job:"):
            add_job(tx, vm, name.removeprefix("job:"))
        else:
            EFFECTS[name](tx, vm, firing)
    if new:
        pools.insert(tx, vm.TABLE, {"oid": vm.oid, **vm.columns()})
        vm.queue_actions(tx)
    else:
        vm.save(tx)
    if vm.history is not None:
        vm.history.store(tx)
    _count(tx, vm, event, new)
    if vm.condition != before:
        _record_change(tx, vm)
        _hasten_actions(tx, vm)
    # As in OpenNebula, a VM's log begins with its first change, not with the state that it is created in.
    lines = [] if new else vm_log.of_change(vm, before)
    if lines:
        tx.after_commit(lambda: vm_log.append(vm.oid, lines))


def refusal(vm: VM, event: str) -> str:
    """Why an event is refused, naming the VM, its condition and those that allow the event."""
    allowed = ", ".join(allowed_conditions(event)) or "none"
    return (
        f'Error performing action "{event.replace("_", "-")}": virtual machine {vm.oid} is in state '
        f"{vm.condition}, this action is available for {allowed}"
    )


def job_finished(tx: Tx, job: Job, ok: bool, message: str, output: str) -> None:
    """Fire the event that a driver's result stands for.

    A result that no longer fits the VM's state (somebody recovered it meanwhile) is logged and dropped.
    """
    vm = VM.find(tx, job.oid)
    if vm is None:
        _log.warning("vm %d is gone, dropping the result of %s", job.oid, job.operation)
        return
    event = RESULTS[job.operation][0 if ok else 1]
    if lookup(tx, vm, event) is None:
        _log.warning("vm %d is %s, dropping the result of %s", vm.oid, vm.condition, job.operation)
        return
    lines = vm_log.of_result(job.operation, ok, message)
    if lines:
        tx.after_commit(lambda: vm_log.append(vm.oid, lines))
    fire(tx, vm, event, Firing(message=vm_log.failure(job.operation, message), output=output))


def _count(tx: Tx, vm: VM, event: str, new: bool) -> None:
    """Count the change against the quotas of the VM's owner; what drivers report is never refused.

    Ending, or deploying what was stopped, is not refused either, although it counts as running again: as
    OpenNebula, which lets an administrator and the way out pass.
    """
    if new:
        vm_usage.account_all(tx, vm)
        return
    if event != "resume":
        vm_usage.account(tx, vm, check=False)
        return
    try:
        vm_usage.account_all(tx, vm)
    except AuthorizationError as error:
        # OpenNebula's code for a resume that a quota forbids.
        raise ActionError(error.message, vm.oid) from None


def _enter(vm: VM, condition: str) -> None:
    if condition == "=":
        return
    if condition in VmState.__members__:
        vm.state, vm.lcm_state = VmState[condition], LcmState.LCM_INIT
    else:
        vm.state, vm.lcm_state = VmState.ACTIVE, LcmState[condition]


def _record_change(tx: Tx, vm: VM) -> None:
    payload = {
        "state": int(vm.state),
        "lcm_state": int(vm.lcm_state),
        "host": vm.history.hid if vm.history else -1,
    }
    events.add(tx, "STATE", "VM", vm.oid, payload)


def _hasten_actions(tx: Tx, vm: VM) -> None:
    """Let scheduled actions that were refused be tried again where a VM comes to rest."""
    if vm.condition in STABLE:
        now = int(time.time())
        if any(action.due_at <= now for action in vm.planned()):
            due.hasten(tx, vm.oid, now)
