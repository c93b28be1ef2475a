"""History records for accounting, and the monthly cost records that are made from them (showback)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.oned.store.db import Tx
from services.oned.store.pools import Where

_END = "</HISTORY>"
_COPY_END = f"</VM>{_END}"


def history(tx: Tx, vms: Where | None, after_s: int | None, before_s: int | None) -> Iterator[list[str]]:
    """The history records of VMs, by VM and number, each with the VM inside; some at a time.

    vms: which VMs of the pool; None takes every record, those of VMs that the pool no longer has too.
    Only records that were open after ``after_s`` and began before ``before_s`` (epoch seconds). A record
    without its own copy of the VM gets the present one.
    """
    where = Where(vms.sql, vms.params) if vms is not None else Where()
    if after_s is not None:
        where.also("history.etime > ? OR history.etime = 0", after_s)
    if before_s is not None:
        where.also("history.stime < ?", before_s)
    # A copy ends the document, so the end says whether there is one.
    end = f"SUBSTR(history.body, -{len(_COPY_END)})"
    query = (
        f"SELECT history.body, CASE WHEN {end} = ? THEN NULL ELSE vm_pool.body END FROM history "
        f"{'LEFT' if vms is None else 'INNER'} JOIN vm_pool ON history.vid = vm_pool.oid{where.text()} "
        "ORDER BY history.vid, history.seq"
    )
    for rows in tx.batches(query, _COPY_END, *where.params):
        yield [body if vm is None else _with_copy(body, vm) for body, vm in rows]


def _with_copy(body: str, vm: str) -> str:
    start, end = vm.find("<HISTORY_RECORDS>"), vm.rfind("</HISTORY_RECORDS>")
    if start >= 0 and end >= 0:
        vm = f"{vm[:start]}<HISTORY_RECORDS/>{vm[end + len('</HISTORY_RECORDS>') :]}"
    return f"{body.removesuffix(_END)}{vm}{_END}"


def first_stime(tx: Tx) -> int | None:
    """When the oldest record began, in epoch seconds; None without records."""
    row = tx.one("SELECT MIN(stime) FROM history")
    return None if row is None or row[0] is None else int(row[0])


# -- showback ----------------------------------------------------------------------------------------------
def showback(
    tx: Tx, vms: Where, first: tuple[int, int] | None, last: tuple[int, int] | None
) -> Iterator[list[str]]:
    """The cost records of the VMs that ``vms`` selects, by month and VM; first, last: (year, month)."""
    where = Where(vms.sql, vms.params)
    if first is not None:
        where.also("year > ? OR (year = ? AND month >= ?)", first[0], *first)
    if last is not None:
        where.also("year < ? OR (year = ? AND month <= ?)", last[0], *last)
    query = "SELECT vm_showback.body FROM vm_showback INNER JOIN vm_pool ON vm_showback.vmid = vm_pool.oid"
    for rows in tx.batches(f"{query}{where.text()} ORDER BY year, month, vmid", *where.params):
        yield [row[0] for row in rows]


def save_showback(tx: Tx, records: Iterable[tuple[int, int, int, str]]) -> None:
    """Store cost records (VM, year, month, document), in place of those of the same VM and month."""
    for vm_id, year, month, body in records:
        tx.run(
            "REPLACE INTO vm_showback (vmid, year, month, body) VALUES (?, ?, ?, ?)", vm_id, year, month, body
        )
