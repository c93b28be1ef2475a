"""A VM's own log, ``<vm id>.log``: what it says of states and results, in OpenNebula's layout and words.

Source: log files of release 6.0, which operators and their tools search.
"""

from __future__ import annotations

import logging
import time
from typing import NamedTuple

from services.common import paths
from services.oned.lifecycle import site
from services.oned.lifecycle.states import VmState
from services.oned.lifecycle.waiting import next_step
from services.oned.model.vm import VM

_log = logging.getLogger("VM")
VMM, TRM, LCM = "VMM", "TrM", "LCM"
# States that are entered after the LCM state has ended.
_LATE = (VmState.PENDING, VmState.DONE)
_WELL: dict[str, tuple[str, str]] = {
    "vmm.RESET": (VMM, "VM successfully rebooted-hard."),
    "vmm.REBOOT": (VMM, "VM successfully rebooted."),
    "vmm.CLEANUP": (VMM, "Host successfully cleaned."),
    "vmm.ATTACH_DISK": (VMM, "VM Disk successfully attached."),
    "vmm.DETACH_DISK": (VMM, "VM Disk successfully detached."),
    "vmm.ATTACH_NIC": (VMM, "VM NIC Successfully attached."),
    "vmm.DETACH_NIC": (VMM, "VM NIC Successfully detached."),
    "vmm.SNAPSHOT_CREATE": (VMM, "VM Snapshot successfully created."),
    "vmm.SNAPSHOT_REVERT": (VMM, "VM Snapshot successfully reverted."),
    "vmm.SNAPSHOT_DELETE": (VMM, "VM Snapshot successfully deleted."),
    "vmm.DISK_SNAPSHOT_CREATE": (VMM, "VM disk snapshot successfully created."),
    "vmm.RESIZE_DISK": (VMM, "VM disk successfully resized"),
    "vmm.RESIZE": (VMM, "VM hotplug resize successful"),
    "tm.PROLOG_ATTACH": (LCM, "VM Disk successfully attached."),
    "tm.EPILOG_DETACH": (LCM, "VM Disk successfully detached."),
    "tm.DISK_SNAPSHOT_CREATE": (LCM, "VM disk snapshot operation completed."),
    "tm.DISK_SNAPSHOT_REVERT": (LCM, "VM disk snapshot operation completed."),
    "tm.DISK_SNAPSHOT_DELETE": (LCM, "VM disk snapshot deleted."),
    "tm.RESIZE": (LCM, "VM disk resize operation completed."),
}


class Line(NamedTuple):
    """One line: the letter of its level (I, W, E, D), the part of the front-end that speaks, the text."""

    level: str
    module: str
    text: str


def append(vm_id: int, lines: list[Line]) -> None:
    """Add lines to a VM's log. That it cannot be written is said in the program's log, and stops nothing."""
    if not lines:
        return
    head = f"{time.strftime('%a %b %d %H:%M:%S %Y')} [Z{site.zone_id()}]"
    text = "".join(f"{head}[{line.module}][{line.level}]: {_flat(line.text)}\n" for line in lines)
    try:
        with open(paths.log() / f"{vm_id}.log", "a", encoding="utf-8") as log:
            log.write(text)
    except OSError as error:
        _log.error("the log of vm %d cannot be written: %s", vm_id, error)


def _flat(text: str) -> str:
    return " ".join(text.split()) if "\n" in text else text


def of_change(vm: VM, before: str) -> list[Line]:
    """What is said of a VM that has come from a condition to its present one, which may be the same."""
    if vm.condition == before:
        return []
    state = Line("I", "VM", f"New state is {vm.state.name}")
    lcm_state = Line("I", "VM", f"New LCM state is {vm.lcm_state.name}")
    was_active = before not in VmState.__members__
    if vm.state == VmState.ACTIVE:
        lines = [lcm_state] if was_active else [state, lcm_state]
    elif was_active:
        lines = [lcm_state, state] if vm.state in _LATE else [state, lcm_state]
    else:
        lines = [state]
    if vm.condition.endswith("_FAILURE"):
        lines.append(Line("E", LCM, f"Next step: {next_step(vm.condition, vm.oid)}"))
    return lines


def of_result(operation: str, ok: bool, message: str) -> list[Line]:
    """What is said of a driver's result."""
    if ok:
        return [Line("I", *_WELL[operation])] if operation in _WELL else []
    module = TRM if operation.startswith("tm.") else VMM
    return [Line("E", module, failure(operation, message))]


def failure(operation: str, message: str) -> str:
    """The text of a failed operation, for the log and for ERROR of the VM."""
    subsystem, _, name = operation.partition(".")
    what = "Error executing image transfer script" if subsystem == "tm" else name.replace("_", "")
    return f"{what}: {message}" if message else what
