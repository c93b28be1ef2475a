"""Monitoring samples of hosts: one row for each report, newest wins."""

from __future__ import annotations

from services.oned.store.db import Tx
from services.oned.store.pools import Where

_LATEST = (
    "last_mon_time = (SELECT MAX(newest.last_mon_time) FROM host_monitoring newest "
    "WHERE newest.hid = host_monitoring.hid)"
)


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


def pool_samples(tx: Tx, hosts: Where, after_s: int | None, latest_only: bool = False) -> list[str]:
    """The samples of the hosts that ``hosts`` selects, by host and time.

    after_s: only samples newer than this epoch second, None for all.
    """
    where = Where()
    if hosts.sql:
        where.also(f"hid IN (SELECT oid FROM host_pool{hosts.text()})", *hosts.params)
    if latest_only:
        where.also(_LATEST)
    elif after_s is not None:
        where.also("last_mon_time > ?", after_s)
    rows = tx.all(
        f"SELECT body FROM host_monitoring{where.text()} ORDER BY hid, last_mon_time", *where.params
    )
    return [row[0] for row in rows]


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
