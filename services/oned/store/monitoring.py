"""Monitoring samples of hosts and virtual machines: one row for each report, newest wins."""

from __future__ import annotations

from collections.abc import Iterator

from services.oned.store.db import Tx
from services.oned.store.pools import Where

# kind: (table of samples, its id, its time, pool table)
_TABLES = {
    "HOST": ("host_monitoring", "hid", "last_mon_time", "host_pool"),
    "VM": ("vm_monitoring", "vmid", "last_poll", "vm_pool"),
}

_IDS_AT_ONCE = 500


def add_host_sample(tx: Tx, host_id: int, time_s: int, body: str) -> None:
    """Keep a sample of a host; a second one in the same second replaces the first."""
    changed = tx.run(
        "UPDATE host_monitoring SET body = ? WHERE hid = ? AND last_mon_time = ?", body, host_id, time_s
    )
    if not changed:
        tx.run(
            "INSERT INTO host_monitoring (hid, last_mon_time, body) VALUES (?, ?, ?)", host_id, time_s, body
        )


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


def expire_host_samples(tx: Tx, before_s: int) -> int:
    """Remove the samples of all hosts that are older than an epoch second; how many."""
    return tx.run("DELETE FROM host_monitoring WHERE last_mon_time < ?", before_s)


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
