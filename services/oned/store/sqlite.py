"""SQLite: the embedded database of native mode, durable at every commit.

Writers of all processes queue on a lock file: the kernel wakes them in turn, where SQLite's own busy
handler would let them sleep and race.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from typing import Any

from services.oned.config import DbConf
from services.oned.store.db import Row, StatementError

# What is committed outlives a power cut.
SYNCHRONOUS = "FULL"
_BATCH_ROWS = 64


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
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={SYNCHRONOUS}",
            "cache_size=-4000",
            "wal_autocheckpoint=4000",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        self._lock_fd = os.open(f"{conf.path}-writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.geteuid() == 0:  # as SQLite does with its own files: the front-end must be able to open it
            owner = os.stat(conf.path)
            os.fchown(self._lock_fd, owner.st_uid, owner.st_gid)

    def query(self, sql: str, params: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self._db.execute(sql, params).fetchall()

    def stream(self, sql: str, params: tuple[Any, ...]) -> Iterator[list[tuple[Any, ...]]]:
        cursor = self._db.execute(sql, params)
        try:
            while rows := cursor.fetchmany(_BATCH_ROWS):
                yield rows
        finally:
            cursor.close()

    def execute(self, sql: str, params: tuple[Any, ...]) -> int:
        return self._db.execute(sql, params).rowcount

    def given(self, sql: str) -> list[Row]:
        rows: list[Row] = []
        try:
            for statement in _statements(sql):
                cursor = self._db.execute(statement)
                names = [str(column[0]) for column in cursor.description or ()]
                rows += [list(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except sqlite3.Error as error:
            if _is_passing(error):
                raise
            raise StatementError(f"The database refused the statement: {error}") from None
        return rows

    def begin(self, one_moment: bool = False) -> None:
        # The writer has the database to itself, so what it reads is of one moment anyway.
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
            raise

    def begin_snapshot(self) -> None:
        self._db.execute("BEGIN")

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
        return _is_passing(error)

    def is_lost(self, error: BaseException) -> bool:
        return False


def _statements(sql: str) -> Iterator[str]:
    """The statements of a text; a semicolon inside a string or a trigger ends none."""
    begun = ""
    for part in sql.split(";"):
        begun += f"{part};"
        if sqlite3.complete_statement(begun):
            yield begun
            begun = ""
    if begun.strip(" \t\r\n;"):
        yield begun.removesuffix(";")


def _is_passing(error: BaseException) -> bool:
    # The low byte of an extended code is the plain one.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
