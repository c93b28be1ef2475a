"""Scheduled actions of VMs and templates: do repetition and end make sense, and is their queue right.

Source: scheduled actions of the virtual machine template reference of release 6.0.
"""

from __future__ import annotations

from enum import IntEnum

from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.lifecycle.numbers import INT_LARGEST, ids, whole
from services.oned.model.sched_action import ATTRIBUTE, EndOn, Repeat
from services.oned.model.vm import VM
from services.oned.store import Tx, due

# (least, most, what a refusal says)
_DAYS = {
    Repeat.WEEKLY: (0, 6, "Days in a week have to be in [0,6] range"),
    Repeat.MONTHLY: (1, 31, "Days in a month have to be in [1,31] range"),
    Repeat.YEARLY: (0, 365, "Days in a year have to be in [0,365] range"),
    Repeat.HOURLY: (1, 167, "Hours have to be one number in [0,168] range"),
}


def check(template: Template, *, forget_results: bool) -> None:
    """Raise RequestError for a SCHED_ACTION whose REPEAT, DAYS or END_… cannot be.

    Only actions with a number as TIME are looked at, one for each TIME, as OpenNebula does.
    forget_results: remove DONE and MESSAGE, which say what became of an action.
    """
    seen: dict[int, Vector] = {}
    for action in template.vectors(ATTRIBUTE):
        time = whole(action.get("TIME"), INT_LARGEST)
        if time is not None:
            seen.setdefault(time, action)
    for _, action in sorted(seen.items()):
        _check(action)
        if forget_results:
            action.pop("DONE", None)
            action.pop("MESSAGE", None)


def _check(action: Vector) -> None:
    repeat = _choice(action, "REPEAT", Repeat)
    end = _choice(action, "END_TYPE", EndOn)
    _check_end(action, end)
    if "DAYS" not in action:
        return
    days = ids(action["DAYS"])
    if not days:
        raise RequestError(f"Wrong format of DAYS attribute, found {action['DAYS'][:40]!r}")
    if repeat is None:
        raise RequestError("SCHED_ACTION has DAYS but no REPEAT.")
    least, most, refusal = _DAYS[Repeat(repeat)]
    if days[0] < least or days[-1] > most or (repeat == Repeat.HOURLY and len(days) != 1):
        raise RequestError(f"{refusal}, found {action['DAYS'][:40]!r}")


def _choice(action: Vector, name: str, choices: type[IntEnum]) -> int | None:
    if not action.get(name):
        return None
    number = whole(action[name])
    if number is None or number not in set(choices):
        raise RequestError(f"Error parsing {name} attribute, found {action[name][:40]!r}")
    return number


def _check_end(action: Vector, end: int | None) -> None:
    value = whole(action.get("END_VALUE"))
    if end is None:
        if value is not None:
            raise RequestError("Error END_VALUE defined but not valid END_TYPE found")
    elif value is None:
        if end != EndOn.NEVER:
            raise RequestError("Missing END_VALUE")
    elif end == EndOn.TIMES and value <= 0:
        raise RequestError("Error parsing END_VALUE, times has to be greater than 0")


# -- the queue ---------------------------------------------------------------------------------------------
def is_queued(tx: Tx, vm_id: int) -> bool:
    """Whether the queue holds of a VM's actions what its document says."""
    vm = VM.find(tx, vm_id)
    planned = vm.planned() if vm is not None else []
    return [(row.seq, row.due_at) for row in sorted(due.of(tx, vm_id))] == planned


def queue_again(tx: Tx, vm_id: int) -> None:
    """Let the queue hold of a VM's actions what its document says; nothing for a VM that is gone."""
    vm = VM.find(tx, vm_id)
    due.replace(tx, vm_id, vm.planned() if vm is not None else [])
