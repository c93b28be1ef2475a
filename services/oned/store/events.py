"""The event log: an ordered, durable record that hooks, flow, the scheduler and watchers read."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from services.oned.store.db import Tx

_GAP_SETTLED_S = 2


@dataclass(frozen=True, slots=True)
class Event:
    """One event. time: epoch seconds. kind: STATE, CHANGE, API, SERVICE or RETRY. object: VM, HOST, …"""

    id: int
    time: int
    kind: str
    object: str
    oid: int
    payload: dict[str, Any]


def add(tx: Tx, kind: str, object_kind: str, oid: int, payload: dict[str, Any]) -> None:
    """Record an event in this transaction."""
    tx.run(
        "INSERT INTO onebox_event (time, kind, object, oid, payload) VALUES (?, ?, ?, ?, ?)",
        int(time.time()),
        kind,
        object_kind,
        oid,
        json.dumps(payload, separators=(",", ":")),
    )


def after(tx: Tx, last_id: int, limit: int = 1000) -> list[Event]:
    """Events newer than ``last_id``, oldest first; a reader that goes on from the last one misses none.

    With several writers a lower id may be committed after a higher one. So what lies behind a gap is held
    back until it is old enough for the gap to be a transaction that was undone.
    """
    rows = tx.all(
        "SELECT id, time, kind, object, oid, payload FROM onebox_event WHERE id > ? "
        f"ORDER BY id LIMIT {int(limit)}",
        last_id,
    )
    found = [Event(row[0], row[1], row[2], row[3], row[4], json.loads(row[5])) for row in rows]
    if tx.dialect == "sqlite":
        return found  # one writer at a time
    settled = int(time.time()) - _GAP_SETTLED_S
    for position, event in enumerate(found):
        before = found[position - 1].id if position else last_id
        if event.id != before + 1 and event.time > settled:
            return found[:position]
    return found


def last_id(tx: Tx) -> int:
    """The id of the newest event, 0 when there is none."""
    row = tx.one("SELECT MAX(id) FROM onebox_event")
    return int(row[0] or 0) if row else 0


def expire(tx: Tx, before: int) -> int:
    """Remove events older than an epoch second, never the newest; how many."""
    newest = last_id(tx)
    return tx.run("DELETE FROM onebox_event WHERE time < ? AND id < ?", before, newest)


def last_change(tx: Tx, object_kind: str, oid: int) -> int | None:
    """When an object last came to another state, in epoch seconds; None when that is not known any more."""
    row = tx.one(
        "SELECT MAX(time) FROM onebox_event WHERE object = ? AND oid = ? AND kind = 'STATE'", object_kind, oid
    )
    return None if row is None or row[0] is None else int(row[0])
