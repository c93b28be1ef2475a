"""What is to be seen of driver work: the jobs of an object, what they wait for, and who does them."""

from __future__ import annotations

from typing import NamedTuple

from services.oned.store.db import Tx
from services.oned.store.jobs import CANCELLED, CLAIMED


class Work(NamedTuple):
    """One job. Times are epoch seconds; ``deadline_s`` is 0 before it runs."""

    operation: str
    driver: str
    host: str
    is_running: bool
    is_cancelled: bool
    attempt: int
    created_s: int
    not_before_s: int
    deadline_s: int


class Crowd(NamedTuple):
    """How many jobs of a driver run at the moment: in all, and on one host."""

    of_driver: int
    on_host: int


def of(tx: Tx, kind: str, oid: int) -> list[Work]:
    """The jobs of an object, in the order in which they are done."""
    rows = tx.all(
        "SELECT operation, driver, host, state, attempt, created, not_before, deadline FROM onebox_job "
        "WHERE kind = ? AND oid = ? ORDER BY id",
        kind,
        oid,
    )
    return [
        Work(
            row[0],
            row[1],
            row[2],
            int(row[3]) == CLAIMED,
            int(row[3]) == CANCELLED,
            int(row[4]),
            int(row[5]),
            int(row[6]),
            int(row[7] or 0),
        )
        for row in rows
    ]


def crowd(tx: Tx, waiting: Work) -> Crowd:
    """What runs of the driver that a job waits for."""
    subsystem = waiting.operation.partition(".")[0]
    hosts = tx.all(
        "SELECT host FROM onebox_job WHERE state = ? AND driver = ? AND operation LIKE ?",
        CLAIMED,
        waiting.driver,
        f"{subsystem}.%",
    )
    return Crowd(len(hosts), sum(host == waiting.host for (host,) in hosts))


def older_than(tx: Tx, kind: str, before_s: int, limit: int) -> dict[int, int]:
    """Jobs that were asked for before an epoch second, the oldest ones: the object of each, by its id."""
    rows = tx.all(
        "SELECT id, oid FROM onebox_job WHERE kind = ? AND created < ? AND state <> ? "
        f"ORDER BY id LIMIT {int(limit)}",
        kind,
        before_s,
        CANCELLED,
    )
    return {int(row[0]): int(row[1]) for row in rows}
