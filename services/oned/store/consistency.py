"""What the consistency check asks the tables: columns beside documents, counters, rows without an object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from services.oned.store.db import Tx

_DONE = 6
# Tables whose rows belong to objects: (table, its key, pool of the objects, their condition).
_DEPENDENT: tuple[tuple[str, str, str, str], ...] = (
    ("history", "vid", "vm_pool", ""),
    ("vm_import", "vmid", "vm_pool", "state <> 6"),
    ("user_quotas", "user_oid", "user_pool", ""),
    ("group_quotas", "group_oid", "group_pool", ""),
    ("hook_log", "hkid", "hook_pool", ""),
    ("cluster_vnc_bitmap", "id", "cluster_pool", ""),
)
_KEYS = {
    "pool_control": "tablename",
    "user_quotas": "user_oid",
    "group_quotas": "group_oid",
    "cluster_vnc_bitmap": "id",
    "network_vlan_bitmap": "id",
}
_PARENTS = {table: (key, pool, condition) for table, key, pool, condition in _DEPENDENT}


class OpenRecord(NamedTuple):
    """A history row that has no end; ``newest`` is the highest SEQ of its VM, which ``has_ended`` or not."""

    vid: int
    seq: int
    newest: int
    has_ended: bool


def lock_rows(tx: Tx, table: str) -> None:
    """Hold every row of a table until the commit, so that nobody else changes what it counts."""
    lock, key = tx.for_update(), _KEYS.get(table, "oid")
    if lock:
        tx.all(f"SELECT {key} FROM {table} ORDER BY {key}{lock}")


def is_slave(tx: Tx) -> bool:
    """Whether the shared tables are copies of a master zone's."""
    row = tx.one("SELECT is_slave FROM local_db_versioning ORDER BY oid DESC LIMIT 1")
    return bool(row and row[0])


# -- documents and their columns ---------------------------------------------------------------------------
def rows(tx: Tx, table: str, columns: Iterable[str], where: str = "") -> Iterator[tuple[Any, ...]]:
    """(oid, document, columns...) of every object of a pool, by id."""
    listed = ", ".join(("oid", "body", *columns))
    condition = f" WHERE {where}" if where else ""
    for batch in tx.batches(f"SELECT {listed} FROM {table}{condition} ORDER BY oid"):
        yield from batch


def locked_row(tx: Tx, table: str, oid: int, columns: Iterable[str]) -> tuple[Any, ...] | None:
    """(oid, document, columns...) of one object, its row locked until the commit."""
    listed = ", ".join(("oid", "body", *columns))
    return tx.one(f"SELECT {listed} FROM {table} WHERE oid = ?{tx.for_update()}", oid)


def has_name(tx: Tx, table: str, name: str, uid: int | None, but: int) -> bool:
    """Whether an object of the pool but that one has a name; of that owner's, or (None) of all."""
    owner = "" if uid is None else " AND uid = ?"
    params = (name, but) if uid is None else (name, but, uid)
    return tx.one(f"SELECT 1 FROM {table} WHERE name = ? AND oid <> ?{owner} LIMIT 1", *params) is not None


# -- counters ----------------------------------------------------------------------------------------------
def last_given(tx: Tx, table: str) -> int | None:
    """The counter of a pool, its row locked in a writing transaction; None without a row."""
    row = tx.one(f"SELECT last_oid FROM pool_control WHERE tablename = ?{tx.for_update()}", table)
    # An empty pool of OpenNebula's has -1, as an unsigned number.
    return None if row is None else int(row[0]) if int(row[0]) < 2**63 else -1


def newest_oid(tx: Tx, table: str) -> int:
    """The highest id of a pool, -1 when it is empty."""
    row = tx.one(f"SELECT MAX(oid) FROM {table}")
    return -1 if row is None or row[0] is None else int(row[0])


def set_last_given(tx: Tx, table: str, oid: int) -> None:
    """Make a pool count on from an id."""
    if not tx.run("UPDATE pool_control SET last_oid = ? WHERE tablename = ?", oid, table):
        tx.run("INSERT INTO pool_control (tablename, last_oid) VALUES (?, ?)", table, oid)


def ids(tx: Tx, table: str) -> list[int]:
    """The ids of a pool, those of virtual machines that have ended too."""
    return [int(row[0]) for row in tx.all(f"SELECT oid FROM {table}")]


# -- rows without their object -----------------------------------------------------------------------------
def dependent_tables() -> list[str]:
    """The tables whose rows belong to objects of a pool."""
    return list(_PARENTS)


def orphans(tx: Tx, table: str) -> list[int]:
    """The objects that rows of a dependent table belong to, and that do not exist (any more)."""
    key, pool, condition = _PARENTS[table]
    alive = f" WHERE {condition}" if condition else ""
    found = tx.all(f"SELECT DISTINCT {key} FROM {table} WHERE {key} NOT IN (SELECT oid FROM {pool}{alive})")
    return sorted(int(row[0]) for row in found)


def remove_orphan(tx: Tx, table: str, oid: int) -> None:
    """Remove the rows of a dependent table that belong to an object."""
    tx.run(f"DELETE FROM {table} WHERE {_PARENTS[table][0]} = ?", oid)


def missing_dependents(tx: Tx, table: str) -> list[int]:
    """The objects of a dependent table's pool that have no row there."""
    key, pool, _ = _PARENTS[table]
    found = tx.all(f"SELECT oid FROM {pool} WHERE oid NOT IN (SELECT {key} FROM {table}) ORDER BY oid")
    return [int(row[0]) for row in found]


def relations(tx: Tx, table: str) -> set[tuple[int, int]]:
    """Every (cluster, member) of cluster_datastore_relation or cluster_network_relation."""
    return {(int(cid), int(oid)) for cid, oid in tx.all(f"SELECT cid, oid FROM {table}")}


# -- history -----------------------------------------------------------------------------------------------
def open_records(tx: Tx) -> list[OpenRecord]:
    """Every history row without an end."""
    found = tx.all(
        "SELECT h.vid, h.seq, (SELECT MAX(n.seq) FROM history n WHERE n.vid = h.vid), "
        "(SELECT v.state FROM vm_pool v WHERE v.oid = h.vid) FROM history h "
        "WHERE h.etime = 0 ORDER BY h.vid, h.seq"
    )
    return [OpenRecord(int(vid), int(seq), int(newest), state == _DONE) for vid, seq, newest, state in found]


def record_body(tx: Tx, vm_id: int, seq: int) -> str | None:
    """The document of a history record, or None."""
    row = tx.one("SELECT body FROM history WHERE vid = ? AND seq = ?", vm_id, seq)
    return str(row[0]) if row else None


def write_record(tx: Tx, vm_id: int, seq: int, body: str, stime: int, etime: int) -> None:
    """Replace a history record."""
    tx.run(
        "UPDATE history SET body = ?, stime = ?, etime = ? WHERE vid = ? AND seq = ?",
        body,
        stime,
        etime,
        vm_id,
        seq,
    )


def newest_records(tx: Tx) -> dict[int, tuple[int, int, int]]:
    """SEQ, STIME and ETIME of the newest history row of each VM that has not ended."""
    found = tx.all(
        "SELECT h.vid, h.seq, h.stime, h.etime FROM history h INNER JOIN "
        "(SELECT vid, MAX(seq) AS seq FROM history GROUP BY vid) n ON h.vid = n.vid AND h.seq = n.seq "
        "WHERE h.vid IN (SELECT oid FROM vm_pool WHERE state <> 6)"
    )
    return {int(vid): (int(seq), int(stime), int(etime)) for vid, seq, stime, etime in found}


# -- driver work -------------------------------------------------------------------------------------------
def working(tx: Tx, kind: str) -> set[int]:
    """The objects of a kind that driver work is waiting or under way for."""
    # The agent of a host that has just been deleted is stopped after the host is gone.
    found = tx.all(
        "SELECT DISTINCT oid FROM onebox_job WHERE kind = ? AND state <> 3 AND operation <> 'im.STOP'", kind
    )
    return {int(oid) for (oid,) in found}


def kinds_with_work(tx: Tx) -> list[str]:
    """The kinds of objects that have driver work."""
    return [
        str(row[0]) for row in tx.all("SELECT DISTINCT kind FROM onebox_job WHERE state <> 3 ORDER BY kind")
    ]


def remove_work(tx: Tx, kind: str, oid: int) -> None:
    """Drop the driver work of an object that does not exist."""
    tx.run("DELETE FROM onebox_job WHERE kind = ? AND oid = ?", kind, oid)
