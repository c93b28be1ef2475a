"""SQLite: the embedded database of native mode, durable at every commit.

Writers of all processes queue on a lock file: the kernel wakes them in turn, where SQLite's own busy
handler would let them sleep and race.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from typing import Any

from services.oned.config import DbConf


class SqliteConnection:
    """One connection; see Connection."""

    dialect = "sqlite"

    def __init__(self, conf: DbConf) -> None:
        conf.path.parent.mkdir(parents=True, exist_ok=True)
        new = not conf.path.exists()
        self._db = sqlite3.connect(
            conf.path,
            timeout=max(conf.timeout_ms, 10_000) / 1000,
            isolation_level=None,
            cached_statements=256,
        )
        if new:
            os.chmod(conf.path, 0o600)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-8000", "wal_autocheckpoint=4000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._lock_fd = os.open(f"{conf.path}-writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def query(self, sql: str, params: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self._db.execute(sql, params).fetchall()

    def execute(self, sql: str, params: tuple[Any, ...]) -> int:
        return self._db.execute(sql, params).rowcount

    def begin(self) -> None:
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
            raise

    def commit(self) -> None:
        self._db.execute("COMMIT")
        fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def rollback(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._lock_fd)
        self._db.close()


class SqliteDriver:
    """See Driver."""

    dialect = "sqlite"
    errors: tuple[type[BaseException], ...] = (sqlite3.Error,)

    def __init__(self, conf: DbConf) -> None:
        self._conf = conf

    def connect(self) -> SqliteConnection:
        return SqliteConnection(self._conf)

    def is_passing(self, error: BaseException) -> bool:
        return isinstance(error, sqlite3.OperationalError) and (
            "locked" in str(error) or "busy" in str(error)
        )

    def is_lost(self, error: BaseException) -> bool:
        return False
