"""MariaDB and MySQL through ``mysqlclient``, or through PyMySQL where no compiler was at hand to build it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from services.oned.config import DbConf
from services.oned.store.db import Row, StatementError

try:
    import MySQLdb as driver  # type: ignore[import-untyped,import-not-found,unused-ignore]
    from MySQLdb.cursors import SSCursor  # type: ignore[import-untyped,import-not-found,unused-ignore]
except ImportError:
    import pymysql as driver  # type: ignore[import-untyped,import-not-found,unused-ignore]
    from pymysql.cursors import SSCursor  # type: ignore[import-untyped,import-not-found,unused-ignore]

_DEADLOCK, _LOCK_WAIT = 1213, 1205
_RECORD_CHANGED = 1020  # MariaDB: the row changed since the snapshot of this transaction
_FOUND_ROWS = 2  # client flag: a row count is the rows matched, as SQLite counts them
# client flag: one.system.sql takes several statements at once. mysqlclient sets it itself, PyMySQL does not
_MULTI_STATEMENTS = 1 << 16
_BATCH_ROWS = 64
_LOST = {2002, 2003, 2006, 2013, 1927, 1053, 4031}


@lru_cache(maxsize=1024)
def _translated(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


class MysqlConnection:
    """One connection; see Connection."""

    dialect = "mysql"

    def __init__(self, conf: DbConf) -> None:
        options: dict[str, Any] = {
            "user": conf.user,
            # PyMySQL would send a text as Latin-1, the other one sends UTF-8.
            "password": conf.password.encode() if driver.__name__ == "pymysql" else conf.password,
            "database": conf.name,
            "charset": "utf8mb4",
            "autocommit": True,
            "connect_timeout": 10,
            "client_flag": _FOUND_ROWS | _MULTI_STATEMENTS,
            "init_command": "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        }
        if conf.socket:
            options["unix_socket"] = conf.socket
        else:
            # "localhost" would mean the default socket file to the client library.
            options["host"] = "127.0.0.1" if conf.server == "localhost" else conf.server
            options["port"] = conf.port or 3306
        self._db = driver.connect(**options)

    def query(self, sql: str, params: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._db.cursor() as cursor:
            cursor.execute(_translated(sql), params or ())
            return list(cursor.fetchall())

    def stream(self, sql: str, params: tuple[Any, ...]) -> Iterator[list[tuple[Any, ...]]]:
        cursor = self._db.cursor(SSCursor)
        finished = False
        try:
            cursor.execute(_translated(sql), params or ())
            while rows := cursor.fetchmany(_BATCH_ROWS):
                yield list(rows)
            finished = True
        finally:
            # Closing the cursor of an unfinished answer would first fetch all the rest of it.
            if finished:
                cursor.close()
            else:
                self._db.close()

    def execute(self, sql: str, params: tuple[Any, ...]) -> int:
        with self._db.cursor() as cursor:
            return int(cursor.execute(_translated(sql), params or ()))

    def given(self, sql: str) -> list[Row]:
        rows: list[Row] = []
        try:
            with self._db.cursor() as cursor:
                cursor.execute(sql)
                while True:
                    names = [str(column[0]) for column in cursor.description or ()]
                    rows += [list(zip(names, row, strict=True)) for row in cursor.fetchall() if names]
                    if not cursor.nextset():
                        return rows
        except driver.Error as error:
            if _is_passing(error) or _is_lost(error):
                raise
            reason = error.args[1] if len(error.args) > 1 else error
            raise StatementError(f"The database refused the statement: {reason}") from None

    def begin(self, one_moment: bool = False) -> None:
        if one_moment:
            self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", ())
        self.execute("START TRANSACTION", ())

    def begin_snapshot(self) -> None:
        self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", ())
        self.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", ())

    def commit(self) -> None:
        self.execute("COMMIT", ())

    def rollback(self) -> None:
        self.execute("ROLLBACK", ())

    def close(self) -> None:
        self._db.close()


class MysqlDriver:
    """See Driver."""

    dialect = "mysql"
    errors: tuple[type[BaseException], ...] = (driver.Error,)

    def __init__(self, conf: DbConf) -> None:
        self._conf = conf

    def connect(self) -> MysqlConnection:
        return MysqlConnection(self._conf)

    def is_passing(self, error: BaseException) -> bool:
        return _is_passing(error)

    def is_lost(self, error: BaseException) -> bool:
        return _is_lost(error)


def _is_passing(error: BaseException) -> bool:
    return bool(error.args) and error.args[0] in (_DEADLOCK, _LOCK_WAIT, _RECORD_CHANGED)


def _is_lost(error: BaseException) -> bool:
    return (bool(error.args) and error.args[0] in _LOST) or isinstance(error, driver.InterfaceError)
