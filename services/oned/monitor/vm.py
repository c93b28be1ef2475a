"""What monitoring says about a machine, and what becomes of the machines of a host that cannot be reached.

A machine's state is a letter of the drivers' poll action (``a`` active, ``p`` paused, ``d`` gone, ``e``
failed, ``-`` not known) or the word of a monitor message (RUNNING, SUSPENDED, POWEROFF, FAILURE, UNKNOWN).
Whatever is found is repaired in the VM: a machine that was killed behind our back, or that came back.
Source: monitoring messages and virtual machine drivers of release 6.0.
"""

from __future__ import annotations

import logging
import re
from typing import NamedTuple

from services.common.template import Template
from services.oned.lifecycle import vm_log
from services.oned.lifecycle.effects import Firing
from services.oned.lifecycle.fire import fire
from services.oned.lifecycle.numbers import is_yes, whole
from services.oned.lifecycle.states import LcmState, VmState, state_name
from services.oned.lifecycle.transitions import TABLE
from services.oned.lifecycle.variants import lookup
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Tx, jobs, monitoring

_log = logging.getLogger("InM")

EVENTS = {
    "a": "monitor_running",
    "p": "monitor_suspend",
    "d": "monitor_poweroff",
    "e": "monitor_gone",
    "RUNNING": "monitor_running",
    "SUSPENDED": "monitor_suspend",
    "POWEROFF": "monitor_poweroff",
    "FAILURE": "monitor_gone",
}
_NO_NEWS = ("-", "UNKNOWN")
_GONE = ""
# (STATE, LCM_STATE) of VMs whose machines must be on their host.
_MISSED = {
    (int(VmState.ACTIVE), int(state))
    for state in (
        *(LcmState.RUNNING, LcmState.UNKNOWN),
        *(LcmState.SHUTDOWN, LcmState.SHUTDOWN_POWEROFF, LcmState.SHUTDOWN_UNDEPLOY),
    )
}
# What the VM's own log says of news, by condition and event.
_FOUND_AGAIN, _RUNS = "VM found again by the drivers", "VM reported RUNNING by the drivers"
_TEXTS = {
    **{(on, "monitor_poweroff"): "VM running but monitor state is POWEROFF" for on in ("RUNNING", "UNKNOWN")},
    **{(on, "monitor_suspend"): "Polling reports that the VM is suspended." for on in ("RUNNING", "UNKNOWN")},
    **{(off, "monitor_running"): _FOUND_AGAIN for off in ("POWEROFF", "SUSPENDED", "UNKNOWN")},
    **{
        (origin, event): _RUNS
        for origin, event in TABLE
        if origin[:4] == "BOOT" and event == "monitor_running"
    },
}
_STATE = re.compile(r"\bSTATE=\"?(\w+|-)")


def apply_vm_state(
    tx: Tx, vm_id: int, state: str, *, host_id: int | None = None, asked_s: int | None = None
) -> bool:
    """Take over what was found about a machine; whether that changed the VM.

    No news: what the VM's state says already, a VM that is gone, and one that a driver works on, whose result
    says how that ended. host_id: the host that reports it; it has no say about a VM that is elsewhere.
    asked_s: epoch second at which the report was asked for; what has happened since then it cannot know.
    """
    event = EVENTS.get(state)
    if event is None:
        if state not in _NO_NEWS:
            _log.warning(
                "vm %d: monitoring state %r is not known, expected one of %s", vm_id, state, list(EVENTS)
            )
        return False
    vm = VM.find(tx, vm_id)
    if vm is None or lookup(tx, vm, event) is None or jobs.has(tx, "VM", vm_id):
        return False
    if host_id is not None and (vm.history is None or vm.history.hid != host_id):
        return False
    if asked_s is not None and _changed_s(vm) >= asked_s:
        return False
    _log.info("vm %d: %s, monitoring reports %s", vm_id, vm.condition, state)
    text = _TEXTS.get((vm.condition, event), "")
    if text:
        tx.after_commit(lambda: vm_log.append(vm_id, [vm_log.Line("I", vm_log.LCM, text)]))
    fire(tx, vm, event, Firing(message=f"monitoring reports {state}"))
    return True


def _changed_s(vm: VM) -> int:
    """When the machine was last started or stopped, in epoch seconds."""
    record = vm.history
    if record is None:
        return 0
    return max(record.stime, record.etime, record.rstime, record.retime)


# -- all machines of a host --------------------------------------------------------------------------------
class Machines(NamedTuple):
    """The machines that a host's report lists.

    states: by VM, what it says of each. missing: the state of those that it does not list; empty when the
    list is not whole.
    """

    states: dict[int, str]
    missing: str

    def zombies(self, host: Host) -> list[int]:
        """VMs whose machines are on the host although they belong elsewhere."""
        return sorted(set(self.states) - set(host.vms)) if self.missing else []


def machines(tx: Tx, report: Template) -> Machines:
    """The machines of a report: those of ours, and imported ones."""
    states: dict[int, str] = {}
    for machine in report.vectors("VM"):
        vm_id = whole(machine.get("ID"))
        if vm_id is None or vm_id < 0:
            vm_id = monitoring.imported_vm(tx, machine.get("DEPLOY_ID", ""))
        if vm_id is not None and "STATE" in machine:
            states[vm_id] = machine["STATE"]
    is_whole = is_yes(report.get("SYNC_STATE"))
    return Machines(states, (report.get("MISSING_STATE") or "").upper() if is_whole else "")


def apply_machines(tx: Tx, host: Host, found: Machines, asked_s: int) -> int:
    """Take over what a host's report lists; how many VMs that changed. asked_s: as for apply_vm_state()."""
    states = dict(found.states)
    if found.missing:
        states |= {vm_id: _GONE for vm_id in host.vms if vm_id not in states}
    changed = 0
    for vm_id, condition in monitoring.vm_conditions(tx, list(states)).items():
        state = states[vm_id]
        if state == _GONE:
            if condition not in _MISSED:
                continue
            state = "FAILURE" if found.missing == "UNKNOWN" else "POWEROFF"
        # The table is asked before the document is: most reports say what is known.
        if (state_name(*condition), EVENTS.get(state, "")) in TABLE:
            changed += apply_vm_state(tx, vm_id, state, host_id=host.oid, asked_s=asked_s)
    return changed


def apply_poll(tx: Tx, vm_id: int, output: str) -> bool:
    """As apply_vm_state(), of a poll action's output (``STATE=a USEDCPU=…``)."""
    found = _STATE.search(output)
    return found is not None and apply_vm_state(tx, vm_id, found[1])


def lose_host(tx: Tx, host: Host) -> None:
    """The host cannot be reached: its running machines are UNKNOWN until they are found again."""
    for vm_id in host.vms:
        vm = VM.find(tx, vm_id)
        if vm is not None and vm.condition == "RUNNING" and vm.history is not None:
            if vm.history.hid == host.oid:
                fire(tx, vm, "monitor_gone")
