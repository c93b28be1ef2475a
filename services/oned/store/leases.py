"""Leases: which process of several is the engine (or the scheduler …) now, with a fencing token.

A token grows by one at each change of holder. Every write of a holder checks its token in the same
transaction, so a holder that slept through its lease cannot write any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.oned.store.db import Tx


class LeaseLost(Exception):
    """Another process holds the lease now; whoever gets this must stop at once."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One lease row; ``expires_in_s`` is negative once it has run out."""

    name: str
    holder: str
    token: int
    expires_in_s: float


def _now(tx: Tx) -> float:
    """Seconds since the epoch on the clock that all holders share."""
    if tx.dialect == "mysql":
        row = tx.one("SELECT UNIX_TIMESTAMP(NOW(6))")
        assert row is not None
        return float(row[0])
    return time.time()  # SQLite: every process is on this machine


def find(tx: Tx, name: str) -> Lease | None:
    """The lease of that name, or None when it was never taken."""
    row = tx.one(f"SELECT holder, token, expires_at FROM onebox_lease WHERE name = ?{tx.for_update()}", name)
    return Lease(name, row[0], int(row[1]), float(row[2]) - _now(tx)) if row else None


def acquire(
    tx: Tx, name: str, holder: str, ttl_s: float, is_dead: Callable[[str], bool] = lambda holder: False
) -> int | None:
    """The new token when the lease is free, run out, or its holder is known to be dead; else None.

    is_dead: says of a holder text whether that process is certainly gone.
    """
    lease = find(tx, name)
    if lease is None:
        tx.run(
            "INSERT INTO onebox_lease (name, holder, token, expires_at) VALUES (?, ?, ?, ?)",
            name,
            holder,
            1,
            _now(tx) + ttl_s,
        )
        return 1
    if lease.expires_in_s > 0 and not is_dead(lease.holder):
        return None
    tx.run(
        "UPDATE onebox_lease SET holder = ?, token = ?, expires_at = ? WHERE name = ?",
        holder,
        lease.token + 1,
        _now(tx) + ttl_s,
        name,
    )
    return lease.token + 1


def renew(tx: Tx, name: str, token: int, ttl_s: float) -> bool:
    """Hold the lease for ``ttl_s`` more seconds; False when somebody else has it."""
    return bool(
        tx.run(
            "UPDATE onebox_lease SET expires_at = ? WHERE name = ? AND token = ?",
            _now(tx) + ttl_s,
            name,
            token,
        )
    )


def release(tx: Tx, name: str, token: int) -> None:
    """Let the next holder take over at once."""
    tx.run("UPDATE onebox_lease SET expires_at = 0 WHERE name = ? AND token = ?", name, token)


def check(tx: Tx, name: str, token: int) -> bool:
    """Whether the token is still the lease's; holds off a change of holder until the commit.

    A lease that has run out but that nobody took is still its holder's.
    """
    lock = " LOCK IN SHARE MODE" if tx.dialect == "mysql" else ""
    row = tx.one(f"SELECT token FROM onebox_lease WHERE name = ?{lock}", name)
    return row is not None and int(row[0]) == token


def require(tx: Tx, name: str, token: int) -> None:
    """Raise LeaseLost unless the token is still the lease's."""
    if not check(tx, name, token):
        raise LeaseLost(f"lease {name}: token {token} is no longer valid")
