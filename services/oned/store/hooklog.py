"""Rows of the hook log: one for each run of a hook, with the record that clients get as body."""

from __future__ import annotations

from services.oned.store.db import Tx
from services.oned.store.pools import Where


def of_hook(tx: Tx, hook_id: int) -> list[str]:
    """The records of a hook's runs, oldest first."""
    rows = tx.all("SELECT body FROM hook_log WHERE hkid = ? ORDER BY exeid", hook_id)
    return [str(row[0]) for row in rows]


def record(tx: Tx, hook_id: int, execution_id: int) -> str | None:
    """The record of one run (-1: the hook's oldest), or None."""
    where = Where()
    where.also("hkid = ?", hook_id)
    if execution_id != -1:
        where.also("exeid = ?", execution_id)
    row = tx.one(f"SELECT body FROM hook_log{where.text()} ORDER BY exeid LIMIT 1", *where.params)
    return str(row[0]) if row else None


def find(tx: Tx, after: int, before: int, hook_id: int, result: int) -> list[str]:
    """The records that fit: newest hooks and runs first, the runs of one hook oldest first.

    after, before: epoch seconds, both excluded; these and hook_id do not matter when negative. result: -1
    failures, 1 successes, other values both. The order is OpenNebula's.
    """
    where = Where()
    if after >= 0:
        where.also("timestamp > ?", after)
    if before >= 0:
        where.also("timestamp < ?", before)
    if hook_id >= 0:
        where.also("hkid = ?", hook_id)
    if result in (-1, 1):
        where.also("rc <> 0" if result == -1 else "rc = 0")
    order = "exeid" if hook_id >= 0 else "hkid DESC, exeid DESC"
    rows = tx.all(f"SELECT body FROM hook_log{where.text()} ORDER BY {order}", *where.params)
    return [str(row[0]) for row in rows]


def delete(tx: Tx, hook_id: int) -> None:
    """Remove the records of a deleted hook."""
    tx.run("DELETE FROM hook_log WHERE hkid = ?", hook_id)
