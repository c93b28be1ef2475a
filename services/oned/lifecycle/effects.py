"""What a row of the life-cycle table asks for besides the new state; each is one function of the firing.

An effect changes the VM in memory, its host's share, or adds rows (jobs) in the same transaction. It never
starts a process and never decides the next state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.oned.lifecycle.actions import HistoryAction
from services.oned.model.history import HistoryRecord
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Tx, jobs


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a deployment goes."""

    host_id: int
    hostname: str
    cluster_id: int
    vm_mad: str
    tm_mad: str
    ds_id: int


@dataclass(slots=True)
class Firing:
    """What comes with an event: who asked (uid -1: the system), where to, what a driver said."""

    uid: int = -1
    gid: int = -1
    request_id: int = -1
    action: HistoryAction = HistoryAction.NONE
    placement: Placement | None = None
    message: str = ""
    output: str = ""


Effect = Callable[[Tx, VM, Firing], None]
EFFECTS: dict[str, Effect] = {}


def _effect(function: Effect) -> Effect:
    EFFECTS[function.__name__] = function
    return function


def now_s() -> int:
    """Epoch seconds."""
    return int(time.time())


def _record(vm: VM) -> HistoryRecord:
    if vm.history is None:
        raise ValueError(f"vm {vm.oid} has no history record in {vm.condition}")
    return vm.history


@_effect
def reserve_host(tx: Tx, vm: VM, firing: Firing) -> None:
    """Count the VM on the host it is deployed to."""
    assert firing.placement is not None
    host = Host.load(tx, firing.placement.host_id)
    host.add_vm(vm.oid, round(vm.cpu * 100), vm.memory_mb * 1024)
    host.save(tx)


@_effect
def release_host(tx: Tx, vm: VM, firing: Firing) -> None:
    """Take the VM off its host; nothing when the host is gone or does not count it."""
    if vm.history is None:
        return
    host = Host.find(tx, vm.history.hid)
    if host is not None and vm.oid in host.vms:
        host.remove_vm(vm.oid, round(vm.cpu * 100), vm.memory_mb * 1024)
        host.save(tx)


@_effect
def open_history(tx: Tx, vm: VM, firing: Firing) -> None:
    """Start a record for the placement."""
    assert firing.placement is not None
    place = firing.placement
    seq = vm.history.seq + 1 if vm.history else 0
    vm.history = HistoryRecord(
        vm.oid,
        seq,
        place.hostname,
        place.host_id,
        place.cluster_id,
        place.vm_mad,
        place.tm_mad,
        place.ds_id,
        stime=now_s(),
    )


@_effect
def renew_history(tx: Tx, vm: VM, firing: Firing) -> None:
    """Close the record and start another on the same host, as resuming does."""
    old = _record(vm)
    close_history(tx, vm, firing)
    vm.history = HistoryRecord(
        vm.oid, old.seq + 1, old.hostname, old.hid, old.cid, old.vm_mad, old.tm_mad, old.ds_id, stime=now_s()
    )


@_effect
def close_history(tx: Tx, vm: VM, firing: Firing) -> None:
    """End the record and keep it with a copy of the VM, which accounting reads."""
    if vm.history is None:
        return
    record = vm.history
    if record.etime == 0:
        record.etime = now_s()
        for began, ended in (("pstime", "petime"), ("rstime", "retime"), ("estime", "eetime")):
            if getattr(record, began) and not getattr(record, ended):
                setattr(record, ended, record.etime)
    record.store(tx, vm.to_xml(history=False))


@_effect
def prolog_begins(tx: Tx, vm: VM, firing: Firing) -> None:
    _record(vm).pstime = now_s()
    _record(vm).petime = 0


@_effect
def prolog_ends(tx: Tx, vm: VM, firing: Firing) -> None:
    _record(vm).petime = now_s()


@_effect
def running_begins(tx: Tx, vm: VM, firing: Firing) -> None:
    _record(vm).rstime = now_s()
    _record(vm).retime = 0


@_effect
def running_ends(tx: Tx, vm: VM, firing: Firing) -> None:
    _record(vm).retime = now_s()


@_effect
def epilog_begins(tx: Tx, vm: VM, firing: Firing) -> None:
    _record(vm).estime = now_s()
    _record(vm).eetime = 0


@_effect
def epilog_ends(tx: Tx, vm: VM, firing: Firing) -> None:
    _record(vm).eetime = now_s()


@_effect
def set_action(tx: Tx, vm: VM, firing: Firing) -> None:
    """Note in the record what was asked, and by whom."""
    if vm.history is not None:
        record = vm.history
        record.action = int(firing.action)
        record.uid, record.gid, record.request_id = firing.uid, firing.gid, firing.request_id


@_effect
def unset_action(tx: Tx, vm: VM, firing: Firing) -> None:
    """What was asked did not happen: the record goes on as before."""
    record = _record(vm)
    record.action, record.uid, record.gid, record.request_id = 0, -1, -1, -1


@_effect
def set_deploy_id(tx: Tx, vm: VM, firing: Firing) -> None:
    """Keep the hypervisor's name of the machine; a driver that prints none leaves the old one."""
    lines = firing.output.strip().splitlines()
    if lines:
        vm.deploy_id = lines[-1].strip()[:128]
    elif not vm.deploy_id:
        vm.deploy_id = f"one-{vm.oid}"


@_effect
def clear_deploy_id(tx: Tx, vm: VM, firing: Firing) -> None:
    vm.deploy_id = ""


@_effect
def mark_resched(tx: Tx, vm: VM, firing: Firing) -> None:
    vm.resched = 1


@_effect
def clear_resched(tx: Tx, vm: VM, firing: Firing) -> None:
    vm.resched = 0


@_effect
def set_error(tx: Tx, vm: VM, firing: Firing) -> None:
    """Show the driver's message where clients look for it."""
    stamp = time.strftime("%a %b %d %H:%M:%S %Y")
    vm.user_template.set("ERROR", f"{stamp} : {firing.message or 'no message from the driver'}")


@_effect
def clear_error(tx: Tx, vm: VM, firing: Firing) -> None:
    vm.user_template.remove("ERROR")
    vm.user_template.remove("SCHED_MESSAGE")


@_effect
def cancel_jobs(tx: Tx, vm: VM, firing: Firing) -> None:
    """Drop the driver work under way; results that still arrive are ignored."""
    jobs.cancel(tx, "VM", vm.oid)


@_effect
def finish(tx: Tx, vm: VM, firing: Firing) -> None:
    """The end: free the host, close the record, note the time."""
    release_host(tx, vm, firing)
    vm.etime = now_s()
    close_history(tx, vm, firing)


def add_job(tx: Tx, vm: VM, operation: str) -> None:
    """Hand an operation to the drivers of the VM's host and datastore."""
    record = _record(vm)
    spec: dict[str, object] = {}
    if operation == "vmm.SHUTDOWN_AGAIN":
        soft = record.action in (HistoryAction.TERMINATE, HistoryAction.POWEROFF, HistoryAction.UNDEPLOY)
        operation = "vmm.SHUTDOWN" if soft else "vmm.CANCEL"
    if operation == "tm.EPILOG_AGAIN":
        # A closed record: the VM was stopped or undeployed, its disks lie on the front-end.
        operation = "tm.EPILOG_LOCAL" if record.etime else "tm.EPILOG"
    if operation == "tm.EPILOG_LOCAL":
        operation, spec = "tm.EPILOG", {"local": True}
    if operation == "tm.EPILOG_DELETE" and record.etime:
        spec = {"local": True}
    driver = record.tm_mad if operation.startswith("tm.") else record.vm_mad
    jobs.add(tx, kind="VM", oid=vm.oid, operation=operation, driver=driver, host=record.hostname, spec=spec)
