"""Scheduled actions as calls: which there are, what their ARGS say, and making the call as oneadmin.

Source: actions of the scheduler of release 6.0.0.3; scheduled actions of its virtual machine guide.
"""

from __future__ import annotations

from typing import Any

from services.common.template import Vector
from services.oned.api import vm, vm_disk, vm_snapshot
from services.oned.api.execute import perform
from services.oned.api.registry import METHODS
from services.oned.auth import session
from services.oned.config import OnedConf
from services.oned.errors import ActionError, OneError
from services.oned.lifecycle.numbers import whole
from services.oned.store import DatabaseError, Tx

# The modules whose methods are called; importing them puts those into the registry.
_MODULES = (vm, vm_disk, vm_snapshot)
_RESCHEDULING = frozenset({"resched", "unresched"})  # what the scheduler does by itself
# Words of release 4, which one.vm.action refuses by itself.
_OLD = frozenset({"shutdown", "shutdown-hard", "delete"})
# action: (method, kinds of its arguments, what ARGS has to be)
_WITH_ARGUMENTS: dict[str, tuple[str, str, str]] = {
    "snapshot-create": ("one.vm.snapshotcreate", "s", "snapshot-name"),
    "snapshot-revert": ("one.vm.snapshotrevert", "i", "snapshot-id"),
    "snapshot-delete": ("one.vm.snapshotdelete", "i", "snapshot-id"),
    "disk-snapshot-create": ("one.vm.disksnapshotcreate", "is", "disk-id, snapshot-name"),
    "disk-snapshot-revert": ("one.vm.disksnapshotrevert", "ii", "disk-id, snapshot-id"),
    "disk-snapshot-delete": ("one.vm.disksnapshotdelete", "ii", "disk-id, snapshot-id"),
}
_PLAIN = (frozenset(vm.ACTIONS) - _RESCHEDULING) | _OLD
ACTIONS = frozenset(_WITH_ARGUMENTS) | _PLAIN


def run(tx: Tx, conf: OnedConf, vm_id: int, action: Vector) -> None:
    """Do what a SCHED_ACTION says, in oneadmin's name and in this transaction.

    Raises OneError with the text that the call would have answered; nothing may be kept then.
    """
    name = action.get("ACTION", "").lower()
    if name not in ACTIONS:
        raise ActionError(f"This action is not supported: {name[:40]!r}", vm_id)
    if name in _PLAIN:
        _call(tx, conf, "one.vm.action", [name, vm_id])
        return
    method, kinds, expected = _WITH_ARGUMENTS[name]
    found = _arguments(action.get("ARGS", ""), kinds)
    if found is None:
        raise ActionError(f"Missing or malformed ARGS for: {name}. Format: {expected}", vm_id)
    _call(tx, conf, method, [vm_id, *found])


def _call(tx: Tx, conf: OnedConf, method: str, values: list[Any]) -> None:
    try:
        perform(tx, METHODS[method], session.oneadmin(tx, conf), conf, values)
    except DatabaseError:
        raise
    except OneError as error:
        error.message = f"[{method}] {error.message}"
        raise


def _arguments(text: str, kinds: str) -> list[Any] | None:
    """The arguments in ARGS, those beyond the kinds asked for left out; None when one is missing or wrong."""
    pieces = [piece.strip() for piece in text.split(",")]
    found: list[Any] = []
    for piece, kind in zip(pieces, kinds, strict=False):
        value = whole(piece, 2**31 - 1) if kind == "i" else piece or None
        if value is None:
            return None
        found.append(value)
    return found if len(found) == len(kinds) else None
