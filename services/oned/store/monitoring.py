"""Monitoring samples of hosts and virtual machines: one row for each report, newest wins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.oned.store.db import Tx
from services.oned.store.pools import Where

# kind: (table of samples, its id, its time, pool table)
_TABLES = {
    "HOST": ("host_monitoring", "hid", "last_mon_time", "host_pool"),
    "VM": ("vm_monitoring", "vmid", "last_poll", "vm_pool"),
}

_IDS_AT_ONCE = 500
_ROWS_AT_ONCE = 200


def add_host_sample(tx: Tx, host_id: int, time_s: int, body: str) -> None:
    """Keep a sample of a host; a second one in the same second replaces the first."""
    add_samples(tx, "HOST", [(host_id, time_s, body)])


def add_samples(tx: Tx, kind: str, rows: Sequence[tuple[int, int, str]]) -> None:
    """Keep samples (object, epoch second, document) of a kind (HOST, VM), as add_host_sample() does."""
    table, key, moment, _ = _TABLES[kind]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        marks = ",".join(["(?,?,?)"] * len(some))
        tx.run(
            f"REPLACE INTO {table} ({key}, {moment}, body) VALUES {marks}",
            *(value for row in some for value in row),
        )


def latest(tx: Tx, kind: str, ids: Sequence[int]) -> dict[int, str]:
    """The newest sample of each of some objects of a kind; those that have none are left out."""
    table, key, moment, _ = _TABLES[kind]
    found: dict[int, str] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        marks = ",".join("?" * len(some))
        for oid, body in tx.all(
            f"SELECT s.{key}, s.body FROM {table} s INNER JOIN (SELECT {key} AS k, MAX({moment}) AS m "
            f"FROM {table} WHERE {key} IN ({marks}) GROUP BY {key}) n ON s.{key} = n.k AND s.{moment} = n.m",
            *some,
        ):
            found[int(oid)] = body
    return found


def latest_vm_sample(tx: Tx, vm_id: int) -> str | None:
    """The newest sample of a VM, or None."""
    return latest(tx, "VM", [vm_id]).get(vm_id)


def latest_host_sample(tx: Tx, host_id: int) -> str | None:
    """The newest sample of a host, or None."""
    row = tx.one(
        "SELECT body FROM host_monitoring WHERE hid = ? ORDER BY last_mon_time DESC LIMIT 1", host_id
    )
    return row[0] if row else None


def host_samples(tx: Tx, host_id: int) -> list[str]:
    """Every sample of a host, oldest first."""
    rows = tx.all("SELECT body FROM host_monitoring WHERE hid = ? ORDER BY last_mon_time", host_id)
    return [row[0] for row in rows]


def samples(
    tx: Tx, kind: str, objects: Where, *, after_s: int | None = None, latest_only: bool = False
) -> Iterator[list[str]]:
    """The samples of the objects of a kind (HOST, VM) that ``objects`` selects, by object and time.

    after_s: only samples newer than this epoch second. They come some at a time.
    """
    table, key, moment, pool = _TABLES[kind]
    where = Where(objects.sql, objects.params)
    if latest_only:
        newest = f"SELECT MAX(n.{moment}) FROM {table} n WHERE n.{key} = {table}.{key}"
        where.also(f"{table}.{moment} = ({newest})")
    elif after_s is not None:
        where.also(f"{table}.{moment} > ?", after_s)
    query = f"SELECT {table}.body FROM {table} INNER JOIN {pool} ON {table}.{key} = {pool}.oid"
    order = f" ORDER BY {table}.{key}, {table}.{moment}"
    for rows in tx.batches(f"{query}{where.text()}{order}", *where.params):
        yield [row[0] for row in rows]


def forget_host(tx: Tx, host_id: int) -> None:
    """Remove every sample of a host."""
    tx.run("DELETE FROM host_monitoring WHERE hid = ?", host_id)


def expire_some(tx: Tx, kind: str, after_id: int, objects: int, before_s: int) -> tuple[int | None, int]:
    """Remove samples older than an epoch second of the next ``objects`` objects behind an id.

    The last object that was looked at, None behind the last one of all, and how many samples are gone. Object
    by object, because the tables are ordered so: looking for old samples in all of it would read all of it.
    """
    table, key, moment, _ = _TABLES[kind]
    gone = 0
    for _ in range(objects):
        row = tx.one(f"SELECT {key} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT 1", after_id)
        if row is None:
            return None, gone
        after_id = int(row[0])
        gone += tx.run(f"DELETE FROM {table} WHERE {key} = ? AND {moment} < ?", after_id, before_s)
    return after_id, gone


def hosts(tx: Tx, ids: Sequence[int]) -> dict[int, tuple[int, str]]:
    """STATE and document of hosts by id; those that do not exist are left out."""
    found: dict[int, tuple[int, str]] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        marks = ",".join("?" * len(some))
        for oid, state, body in tx.all(
            f"SELECT oid, state, body FROM host_pool WHERE oid IN ({marks})", *some
        ):
            found[int(oid)] = (int(state), body)
    return found


def host_states(tx: Tx) -> dict[int, int]:
    """STATE of every host by id."""
    return {int(oid): int(state) for oid, state in tx.all("SELECT oid, state FROM host_pool ORDER BY oid")}


def imported_vm(tx: Tx, deploy_id: str) -> int | None:
    """The VM that a machine found on a host was imported as, or None."""
    row = tx.one("SELECT vmid FROM vm_import WHERE deploy_id = ?", deploy_id)
    return int(row[0]) if row else None


def vm_conditions(tx: Tx, vm_ids: list[int]) -> dict[int, tuple[int, int]]:
    """STATE and LCM_STATE of VMs by id, in the order of the ids; those that do not exist are left out."""
    found: dict[int, tuple[int, int]] = {}
    ordered = sorted(vm_ids)
    for start in range(0, len(ordered), _IDS_AT_ONCE):
        some = ordered[start : start + _IDS_AT_ONCE]
        marks = ",".join("?" * len(some))
        for oid, state, lcm_state in tx.all(
            f"SELECT oid, state, lcm_state FROM vm_pool WHERE oid IN ({marks}) ORDER BY oid", *some
        ):
            found[int(oid)] = (int(state), int(lcm_state))
    return found
