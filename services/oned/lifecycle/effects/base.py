"""What effects share: the firing they belong to, their registry, the records they work on.

An effect changes the VM in memory, its host's share, its images, or adds rows in the same transaction. It
never starts a process and never decides the next state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.common.template import Vector
from services.oned.lifecycle.actions import HistoryAction
from services.oned.model import history
from services.oned.model.history import HistoryRecord
from services.oned.model.vm import VM
from services.oned.store import Tx


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a deployment or a migration goes. A public cloud has no datastore: ds_id -1, tm_mad empty."""

    host_id: int
    hostname: str
    cluster_id: int
    vm_mad: str
    tm_mad: str
    ds_id: int


@dataclass(slots=True)
class Firing:
    """What comes with an event: who asked (uid -1: the system), where to, what a driver said.

    previous: the record before the newest, once an effect has needed it.
    """

    uid: int = -1
    gid: int = -1
    request_id: int = -1
    action: HistoryAction = HistoryAction.NONE
    placement: Placement | None = None
    message: str = ""
    output: str = ""
    previous: HistoryRecord | None = None


Effect = Callable[[Tx, VM, Firing], None]
EFFECTS: dict[str, Effect] = {}


def effect(function: Effect) -> Effect:
    """Register a function under its name, which rows use."""
    if function.__name__ in EFFECTS:
        raise ValueError(f"effect {function.__name__} is defined twice")
    EFFECTS[function.__name__] = function
    return function


def now_s() -> int:
    """Epoch seconds."""
    return int(time.time())


def record(vm: VM) -> HistoryRecord:
    """The VM's newest record. Raises ValueError for one that never had a host."""
    if vm.history is None:
        raise ValueError(f"vm {vm.oid} has no history record in {vm.condition}")
    return vm.history


def previous(tx: Tx, vm: VM, firing: Firing) -> HistoryRecord:
    """The record before the newest. Raises ValueError when there is none."""
    if firing.previous is None:
        firing.previous = history.before(tx, record(vm))
    if firing.previous is None:
        raise ValueError(f"vm {vm.oid} has no previous history record in {vm.condition}")
    return firing.previous


def marked(vectors: list[Vector], mark: str) -> Vector | None:
    """The vector that carries a mark (``ATTACH``, ``RESIZE``, …), or None."""
    return next((vector for vector in vectors if vector.get(mark, "").upper() == "YES"), None)
