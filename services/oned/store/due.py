"""The queue of scheduled actions: one row for each that is still to be run, by when it is due.

The rows are derived from the documents of the VMs, which change them in the same transaction. ``not_before``
and ``tries`` are the queue's own: an action that was refused is tried again later.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from services.oned.store.db import Tx

_DONE = 6


class Due(NamedTuple):
    """One action: its VM and its place among the VM's actions, when it is due, how often it was refused."""

    vm_id: int
    seq: int
    due_at: int
    tries: int


def replace(tx: Tx, vm_id: int, actions: Iterable[tuple[int, int]]) -> None:
    """Make (place, epoch second) all that is to be run of a VM's actions."""
    tx.run("DELETE FROM onebox_due WHERE vm_id = ?", vm_id)
    for seq, due_at in actions:
        tx.run(
            "INSERT INTO onebox_due (vm_id, seq, due_at, not_before, tries) VALUES (?, ?, ?, ?, 0)",
            vm_id,
            seq,
            due_at,
            due_at,
        )


def ready(tx: Tx, now_s: int, limit: int) -> list[Due]:
    """Some actions whose time has come, those that wait longest first."""
    rows = tx.all(
        "SELECT vm_id, seq, due_at, tries FROM onebox_due WHERE not_before <= ? "
        f"ORDER BY not_before, vm_id, seq LIMIT {int(limit)}",
        now_s,
    )
    return [_due(row) for row in rows]


def find(tx: Tx, vm_id: int, seq: int) -> Due | None:
    """The action at a place, its row locked in a writing transaction; None when there is nothing to run."""
    row = tx.one(
        f"SELECT vm_id, seq, due_at, tries FROM onebox_due WHERE vm_id = ? AND seq = ?{tx.for_update()}",
        vm_id,
        seq,
    )
    return _due(row) if row else None


def postpone(tx: Tx, refused: Due, not_before_s: int) -> None:
    """Try an action that was refused again at an epoch second."""
    tx.run(
        "UPDATE onebox_due SET not_before = ?, tries = tries + 1 WHERE vm_id = ? AND seq = ?",
        not_before_s,
        refused.vm_id,
        refused.seq,
    )


def hasten(tx: Tx, vm_id: int, now_s: int) -> None:
    """Try a VM's refused actions again at once: what stood against them may be over."""
    tx.run("UPDATE onebox_due SET not_before = due_at WHERE vm_id = ? AND due_at <= ?", vm_id, now_s)


def of(tx: Tx, vm_id: int) -> list[Due]:
    """What is still to be run of a VM's actions, the earliest first."""
    rows = tx.all(
        "SELECT vm_id, seq, due_at, tries FROM onebox_due WHERE vm_id = ? ORDER BY due_at, seq", vm_id
    )
    return [_due(row) for row in rows]


def all_rows(tx: Tx) -> dict[int, list[tuple[int, int]]]:
    """(place, epoch second) of every action that is to be run, by the id of its VM."""
    found: dict[int, list[tuple[int, int]]] = {}
    for vm_id, seq, due_at in tx.all("SELECT vm_id, seq, due_at FROM onebox_due ORDER BY vm_id, seq"):
        found.setdefault(int(vm_id), []).append((int(seq), int(due_at)))
    return found


def planning(tx: Tx) -> list[int]:
    """The VMs that have not ended and whose documents have scheduled actions, done ones too."""
    rows = tx.all(
        "SELECT oid FROM vm_pool WHERE state <> ? AND body LIKE '%<SCHED_ACTION>%' ORDER BY oid", _DONE
    )
    return [int(row[0]) for row in rows]


def _due(row: tuple[int, ...]) -> Due:
    return Due(int(row[0]), int(row[1]), int(row[2]), int(row[3]))
