"""The transaction layer: one small interface over SQLite and MariaDB/MySQL.

Every API call that writes is one ``Store.run``: begin, the handler, commit. The handler may be called again
after a deadlock or a busy database, so it must have no effect but its statements. What has to happen
outside the database (log lines, waking the engine) is registered with ``Tx.after_commit``.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from services.oned.config import DbConf
from services.oned.errors import Code, OneError

_log = logging.getLogger("ONE")
_T = TypeVar("_T")
_ATTEMPTS = 12


class DatabaseError(OneError):
    """The database did not do what was asked; the message never holds data or credentials."""


# The name of each column with its value.
Row = list[tuple[str, Any]]


class StatementError(OneError):
    """The database refused a statement that came from a caller; the message is the database's."""

    code = Code.ACTION


class Connection(Protocol):
    """One connection of one thread."""

    dialect: str

    def query(self, sql: str, params: tuple[Any, ...]) -> list[tuple[Any, ...]]: ...
    def stream(self, sql: str, params: tuple[Any, ...]) -> Iterator[list[tuple[Any, ...]]]: ...
    def execute(self, sql: str, params: tuple[Any, ...]) -> int: ...
    def given(self, sql: str) -> list[Row]: ...
    def begin(self, one_moment: bool = False) -> None: ...
    def begin_snapshot(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


class Driver(Protocol):
    """Opens connections and tells passing faults from lasting ones."""

    dialect: str
    errors: tuple[type[BaseException], ...]

    def connect(self) -> Connection: ...
    def is_passing(self, error: BaseException) -> bool: ...
    def is_lost(self, error: BaseException) -> bool: ...


class Tx:
    """One transaction, or one read; ``?`` marks parameters in both dialects."""

    __slots__ = ("_connection", "_hooks", "_refusal_changes", "dialect", "writable")

    def __init__(self, connection: Connection, writable: bool) -> None:
        self._connection = connection
        self._hooks: list[Callable[[], None]] = []
        self._refusal_changes: list[Callable[[Tx], object]] = []
        self.dialect = connection.dialect
        self.writable = writable

    def one(self, sql: str, *params: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        rows = self._connection.query(sql, params)
        return rows[0] if rows else None

    def all(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """Every row."""
        return self._connection.query(sql, params)

    def batches(self, sql: str, *params: Any) -> Iterator[list[tuple[Any, ...]]]:
        """Every row, some at a time, as of when the first ones are read.

        The statement runs at the first step and keeps the connection to itself until the end or ``close()``;
        stopping early may cost the connection, which the next use replaces.
        """
        return self._connection.stream(sql, params)

    def run(self, sql: str, *params: Any) -> int:
        """Run a writing statement; the number of rows it matched."""
        if not self.writable:
            raise DatabaseError("internal: a write was attempted in a read")
        return self._connection.execute(sql, params)

    def given(self, sql: str) -> list[Row]:
        """Run statements, separated by semicolons, as an administrator wrote them; the rows of all of them.

        Raises StatementError when the database refuses one.
        """
        return self._connection.given(sql)

    def for_update(self) -> str:
        """The suffix that locks the rows a SELECT reads; SQLite's writer has the whole database already."""
        return " FOR UPDATE" if self.dialect == "mysql" and self.writable else ""

    def after_refusal(self, change: Callable[[Tx], object]) -> None:
        """Make a change in a transaction of its own when this one ends in a refusal.

        For what OpenNebula keeps of a failed call and clients can see: the ids of objects that it made first.
        """
        self._refusal_changes.append(change)

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Call ``hook`` once the transaction is durable; never called when it is rolled back."""
        self._hooks.append(hook)


class Store:
    """The database of one process, safe for use from many threads (each has its own connection)."""

    def __init__(self, driver: Driver, on_commit: Callable[[], None] | None = None) -> None:
        self._driver = driver
        self._local = threading.local()
        self._on_commit = on_commit
        self.dialect = driver.dialect

    @classmethod
    def open(cls, conf: DbConf, on_commit: Callable[[], None] | None = None) -> Store:
        """The store that oned.conf describes; connects at first use. ``on_commit`` runs after each write."""
        if conf.backend == "mysql":
            from services.oned.store.mysql import MysqlDriver

            return cls(MysqlDriver(conf), on_commit)
        from services.oned.store.sqlite import SqliteDriver

        return cls(SqliteDriver(conf), on_commit)

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            try:
                connection = self._driver.connect()
            except self._driver.errors as error:
                raise DatabaseError(f"the database cannot be reached: {_reason(error)}") from None
            self._local.connection = connection
        return connection

    def close(self) -> None:
        """Close this thread's connection."""
        connection: Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            try:
                connection.close()
            except self._driver.errors:
                _log.debug("closing a lost database connection")

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A read on this thread's connection; each statement sees the last commit. Raises DatabaseError."""
        try:
            yield Tx(self._connection(), writable=False)
        except self._driver.errors as error:
            if self._driver.is_lost(error):
                self.close()
            raise DatabaseError(f"the database did not answer: {_reason(error)}") from error

    @contextmanager
    def snapshot(self) -> Iterator[Tx]:
        """A read whose statements all see the database of one moment. Raises DatabaseError."""
        try:
            connection = self._connection()
            connection.begin_snapshot()
            try:
                yield Tx(connection, writable=False)
            finally:
                connection.rollback()
        except self._driver.errors as error:
            self.close()
            raise DatabaseError(f"the database did not answer: {_reason(error)}") from error

    def read_value(self, fn: Callable[[Tx], _T]) -> _T:
        """``fn`` on a read; asked again once on a fresh connection when the old one was lost."""
        try:
            with self.read() as tx:
                return fn(tx)
        except DatabaseError as error:
            if error.__cause__ is None or not self._driver.is_lost(error.__cause__):
                raise
        with self.read() as tx:
            return fn(tx)

    def run(self, fn: Callable[[Tx], _T], *, one_moment: bool = False) -> _T:
        """``fn`` in one transaction; what it returns, once that is durable.

        one_moment: what ``fn`` reads without locking is of one moment, that of the first such read.

        Retried a bounded number of times after deadlocks and lock waits, and after a connection that was lost
        before the commit was sent. Raises DatabaseError when the database fails; anything that ``fn`` raises
        rolls back and is passed on.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            committing = False
            tx: Tx | None = None
            try:
                connection = self._connection()
                connection.begin(one_moment)
                tx = Tx(connection, writable=True)
                result = fn(tx)
                committing = True
                connection.commit()
            except self._driver.errors as error:
                lost = self._driver.is_lost(error)
                self._undo(lost)
                retry = self._driver.is_passing(error) or (lost and not committing)
                if not retry or attempt == _ATTEMPTS:
                    raise DatabaseError(f"the database refused the change: {_reason(error)}") from error
                time.sleep(random.uniform(0, 0.004 * 2 ** min(attempt, 6)))
            except OneError:
                self._undo(lost=False)
                self._refused(tx)
                raise
            except BaseException:
                self._undo(lost=False)
                raise
            else:
                self._committed(tx)
                return result
        raise DatabaseError("the database refused the change")  # not reached

    def _undo(self, lost: bool) -> None:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            return
        if lost:
            self.close()
            return
        try:
            connection.rollback()
        except self._driver.errors:
            self.close()

    def _refused(self, tx: Tx | None) -> None:
        for change in tx._refusal_changes if tx is not None else ():
            try:
                self.run(change)
            except DatabaseError as error:
                _log.error("after a refusal: %s", error)

    def _committed(self, tx: Tx) -> None:
        for hook in tx._hooks:
            try:
                hook()
            except OSError as error:
                # The change is durable; failing the call now would make the client repeat it.
                _log.error("after a commit: %s", error)
        if self._on_commit is not None:
            self._on_commit()


def _reason(error: BaseException) -> str:
    """The database's own words; statements and parameters are never part of them."""
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    return text[:200]
