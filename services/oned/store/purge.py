"""Removing what is past: virtual machines that have ended, and old history records of those that have not."""

from __future__ import annotations

from services.oned.store.db import Tx

_DONE = 6


def ended_vms(tx: Tx, after: int, limit: int) -> list[tuple[int, str]]:
    """(id, document) of some virtual machines that have ended, with ids above one."""
    rows = tx.all(
        "SELECT oid, body FROM vm_pool WHERE state = ? AND oid > ? ORDER BY oid LIMIT ?", _DONE, after, limit
    )
    return [(int(oid), str(body)) for oid, body in rows]


def remove_vm(tx: Tx, vm_id: int) -> bool:
    """Remove a virtual machine that has ended, with its history and samples; whether it was there."""
    if not tx.run("DELETE FROM vm_pool WHERE oid = ? AND state = ?", vm_id, _DONE):
        return False
    tx.run("DELETE FROM history WHERE vid = ?", vm_id)
    tx.run("DELETE FROM vm_monitoring WHERE vmid = ?", vm_id)
    return True


def vms_with_records(tx: Tx, least: int) -> list[int]:
    """The virtual machines that have not ended and have at least so many history records."""
    rows = tx.all(
        "SELECT vid FROM history WHERE vid IN (SELECT oid FROM vm_pool WHERE state <> ?) "
        "GROUP BY vid HAVING COUNT(*) >= ? ORDER BY vid",
        _DONE,
        least,
    )
    return [int(row[0]) for row in rows]


def remove_records(tx: Tx, vm_id: int, below: int) -> int:
    """Remove the history records of a virtual machine with a lower SEQ; how many."""
    return tx.run("DELETE FROM history WHERE vid = ? AND seq < ?", vm_id, below)


def renumber_record(tx: Tx, vm_id: int, seq: int, new_seq: int, body: str) -> None:
    """Give a history record another SEQ, and the document that says so."""
    tx.run("UPDATE history SET seq = ?, body = ? WHERE vid = ? AND seq = ?", new_seq, body, vm_id, seq)
