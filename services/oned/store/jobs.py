"""Jobs: work for drivers, added in the transaction that needs it, claimed and finished by the engine.

A finished job is deleted in the transaction that applies its result, so a result counts exactly once.
Jobs of one object run one after the other in the order of their ids; limits per host and per driver keep
a hung host from holding up others.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import Any

from services.oned.store.db import Tx
from services.oned.store.job_limits import Lane, Limits, Load, lane_of

QUEUED, CLAIMED, CANCELLED = 0, 1, 3
_COLUMNS = "id, kind, oid, operation, driver, host, spec, attempt, timeout_s, created"
_WINDOW = 200  # candidates read at once; a claim looks at more only when these fill up some hosts


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work. ``attempt`` is 1 at first and grows when a dead engine's job is taken over."""

    id: int
    kind: str
    oid: int
    operation: str
    driver: str
    host: str
    spec: dict[str, Any]
    attempt: int
    timeout_s: int | None
    created: int

    def __str__(self) -> str:
        return f"job {self.id} ({self.operation} {self.kind} {self.oid})"


def add(
    tx: Tx,
    *,
    kind: str,
    oid: int,
    operation: str,
    driver: str,
    host: str,
    spec: dict[str, Any] | None = None,
    timeout_s: int | None = None,
    delay_s: float = 0,
) -> int:
    """Queue a job in this transaction; its id.

    host: the node it works on, '' for none. timeout_s: for the whole job, None leaves it to the driver table.
    delay_s: not before so many seconds from now.
    """
    now = int(time.time())
    tx.run(
        "INSERT INTO onebox_job (kind, oid, operation, driver, host, spec, state, attempt, token, created, "
        "not_before, deadline, timeout_s) VALUES (?, ?, ?, ?, ?, ?, ?, 1, 0, ?, ?, NULL, ?)",
        kind,
        oid,
        operation,
        driver,
        host,
        json.dumps(spec or {}, separators=(",", ":")),
        QUEUED,
        now,
        now + math.ceil(delay_s),
        timeout_s,
    )
    row = tx.one("SELECT LAST_INSERT_ID()" if tx.dialect == "mysql" else "SELECT last_insert_rowid()")
    assert row is not None
    return int(row[0])


def cancel(tx: Tx, kind: str, oid: int) -> int:
    """Drop an object's jobs; how many. Queued ones vanish, running ones are killed and their results dropped.

    A job added afterwards waits until the cancelled one's processes are gone.
    """
    marked = tx.run(
        "UPDATE onebox_job SET state = ? WHERE kind = ? AND oid = ? AND state = ?",
        CANCELLED,
        kind,
        oid,
        CLAIMED,
    )
    return marked + tx.run(
        "DELETE FROM onebox_job WHERE kind = ? AND oid = ? AND state = ?", kind, oid, QUEUED
    )


def has(tx: Tx, kind: str, oid: int, operation: str | None = None) -> bool:
    """Whether an object has a job, of that operation when given."""
    only = " AND operation = ?" if operation else ""
    params: tuple[Any, ...] = (kind, oid, operation) if operation else (kind, oid)
    return tx.one(f"SELECT 1 FROM onebox_job WHERE kind = ? AND oid = ?{only} LIMIT 1", *params) is not None


def operations(tx: Tx, kind: str, oid: int) -> list[str]:
    """What an object's jobs do, oldest first; cancelled ones do nothing any more."""
    rows = tx.all(
        "SELECT operation FROM onebox_job WHERE kind = ? AND oid = ? AND state <> ? ORDER BY id",
        kind,
        oid,
        CANCELLED,
    )
    return [row[0] for row in rows]


def is_due(tx: Tx) -> bool:
    """Whether a claim could find something: a queued job whose time has come, or a cancelled one."""
    return (
        tx.one(
            "SELECT 1 FROM onebox_job WHERE state = ? OR (state = ? AND not_before <= ?) LIMIT 1",
            CANCELLED,
            QUEUED,
            int(time.time()),
        )
        is not None
    )


def claim(tx: Tx, token: int, limit: int, limits: Limits | None = None) -> list[Job]:
    """Up to ``limit`` queued jobs, now marked as running under ``token``, oldest first.

    Skipped are jobs of a host or lane at its limit, jobs whose time has not come, and jobs of an object
    that has an older one.
    """
    load = Load(limits or Limits())
    for operation, driver, host in tx.all(
        "SELECT operation, driver, host FROM onebox_job WHERE state <> ?", QUEUED
    ):
        load.take(lane_of(operation, driver), host)
    chosen: list[int] = []
    last_id = 0
    while len(chosen) < limit and load.free() > 0:
        window = _candidates(tx, last_id, load)
        for job_id, operation, driver, host in window:
            last_id = job_id
            lane = lane_of(operation, driver)
            if load.has_room(lane, host) and load.free() > 0 and len(chosen) < limit:
                chosen.append(job_id)
                load.take(lane, host)
        if len(window) < _WINDOW:
            break
    return _mark(tx, token, chosen)


def _candidates(tx: Tx, after_id: int, load: Load) -> list[tuple[int, str, str, str]]:
    """Some queued jobs by id: the oldest of their object, due, and not of a host or lane that is full."""
    params: list[Any] = [QUEUED, int(time.time()), after_id]
    skip = ""
    for lane in load.full_lanes():
        skip += " AND NOT (j.driver = ? AND j.operation LIKE ?)"
        params += [lane.driver, f"{lane.subsystem}.%"]
    hosts: dict[Lane, list[str]] = {}
    for lane, host in load.full_hosts():
        hosts.setdefault(lane, []).append(host)
    for lane, names in hosts.items():
        skip += f" AND NOT (j.driver = ? AND j.operation LIKE ? AND j.host IN ({_marks(len(names))}))"
        params += [lane.driver, f"{lane.subsystem}.%", *names]
    rows = tx.all(
        "SELECT j.id, j.operation, j.driver, j.host FROM onebox_job j "
        f"WHERE j.state = ? AND j.not_before <= ? AND j.id > ?{skip} "
        "AND NOT EXISTS (SELECT 1 FROM onebox_job o WHERE o.kind = j.kind AND o.oid = j.oid AND o.id < j.id) "
        f"ORDER BY j.id LIMIT {_WINDOW}",
        *params,
    )
    return [(int(row[0]), row[1], row[2], row[3]) for row in rows]


def _mark(tx: Tx, token: int, ids: list[int]) -> list[Job]:
    """The jobs of these ids that are still queued, marked as running."""
    if not ids:
        return []
    # A row that an API call is about to cancel is left to it.
    lock = " FOR UPDATE SKIP LOCKED" if tx.dialect == "mysql" else ""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM onebox_job WHERE id IN ({_marks(len(ids))}) AND state = ? ORDER BY id{lock}",
        *ids,
        QUEUED,
    )
    jobs = [_job(row) for row in rows]
    if jobs:
        tx.run(
            f"UPDATE onebox_job SET state = ?, token = ? WHERE id IN ({_marks(len(jobs))})",
            CLAIMED,
            token,
            *(job.id for job in jobs),
        )
    return jobs


def set_deadline(tx: Tx, job_id: int, seconds: int) -> None:
    """Give a job that is about to run so many seconds from now; after that it counts as failed."""
    tx.run("UPDATE onebox_job SET deadline = ? WHERE id = ?", int(time.time()) + seconds, job_id)


def overdue(tx: Tx, now: int) -> list[Job]:
    """The running jobs past their deadline."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM onebox_job WHERE state = ? AND deadline < ? ORDER BY id", CLAIMED, now
    )
    return [_job(row) for row in rows]


def give_up(tx: Tx, job: Job, now: int) -> bool:
    """Cancel a running job that is past its deadline; False when it has ended, or is another engine's now."""
    return bool(
        tx.run(
            "UPDATE onebox_job SET state = ? WHERE id = ? AND state = ? AND deadline < ?",
            CANCELLED,
            job.id,
            CLAIMED,
            now,
        )
    )


def has_cancelled(tx: Tx, before: int) -> bool:
    """Whether there are cancelled jobs whose deadline passed before an epoch second."""
    return (
        tx.one("SELECT 1 FROM onebox_job WHERE state = ? AND deadline < ? LIMIT 1", CANCELLED, before)
        is not None
    )


def remove_cancelled(tx: Tx, before: int) -> None:
    """Remove cancelled jobs whose deadline passed before an epoch second, whatever their processes do."""
    tx.run("DELETE FROM onebox_job WHERE state = ? AND deadline < ?", CANCELLED, before)


def finish(tx: Tx, job: Job, token: int) -> bool:
    """Remove a job that has ended; False when it was cancelled or taken over: its result must be dropped."""
    if tx.run("DELETE FROM onebox_job WHERE id = ? AND token = ? AND state = ?", job.id, token, CLAIMED):
        return True
    tx.run("DELETE FROM onebox_job WHERE id = ? AND token = ? AND state = ?", job.id, token, CANCELLED)
    return False


def cancelled(tx: Tx, token: int) -> list[int]:
    """The running jobs of this engine that somebody has cancelled."""
    return [
        int(row[0])
        for row in tx.all("SELECT id FROM onebox_job WHERE state = ? AND token = ?", CANCELLED, token)
    ]


def requeue_stale(tx: Tx, token: int) -> int:
    """Queue again what older engines left running, and drop what was cancelled; how many were queued."""
    tx.run("DELETE FROM onebox_job WHERE state = ? AND token < ?", CANCELLED, token)
    return tx.run(
        "UPDATE onebox_job SET state = ?, attempt = attempt + 1, token = 0 WHERE state = ? AND token < ?",
        QUEUED,
        CLAIMED,
        token,
    )


def requeue_lost(tx: Tx, token: int, held: frozenset[int]) -> int:
    """Queue again what is claimed under ``token`` but not among the jobs that its engine holds; how many."""
    rows = tx.all("SELECT id FROM onebox_job WHERE state = ? AND token = ?", CLAIMED, token)
    lost = [int(row[0]) for row in rows if int(row[0]) not in held]
    for job_id in lost:
        tx.run(
            "UPDATE onebox_job SET state = ?, token = 0 WHERE id = ? AND state = ?", QUEUED, job_id, CLAIMED
        )
    return len(lost)


def counts(tx: Tx) -> dict[str, int]:
    """Number of jobs: queued (those waiting for their time included), running, cancelled."""
    found = {
        int(state): int(count)
        for state, count in tx.all("SELECT state, COUNT(*) FROM onebox_job GROUP BY state")
    }
    return {
        "queued": found.get(QUEUED, 0),
        "running": found.get(CLAIMED, 0),
        "cancelled": found.get(CANCELLED, 0),
    }


def _job(row: tuple[Any, ...]) -> Job:
    return Job(
        int(row[0]),
        row[1],
        int(row[2]),
        row[3],
        row[4],
        row[5],
        json.loads(row[6]),
        int(row[7]),
        None if row[8] is None else int(row[8]),
        int(row[9]),
    )


def _marks(count: int) -> str:
    return ",".join("?" * count)
