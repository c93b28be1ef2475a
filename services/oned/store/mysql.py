"""MariaDB and MySQL through ``mysqlclient``, or through PyMySQL where no compiler was at hand to build it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from services.oned.config import DbConf

try:
    import MySQLdb as driver  # type: ignore[import-untyped,import-not-found,unused-ignore]
except ImportError:
    import pymysql as driver  # type: ignore[import-untyped,import-not-found,unused-ignore]

_DEADLOCK, _LOCK_WAIT = 1213, 1205
_RECORD_CHANGED = 1020  # MariaDB: the row changed since the snapshot of this transaction
_FOUND_ROWS = 2  # client flag: a row count is the rows matched, as SQLite counts them
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
            "password": conf.password,
            "database": conf.name,
            "charset": "utf8mb4",
            "autocommit": True,
            "connect_timeout": 10,
            "client_flag": _FOUND_ROWS,
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

    def execute(self, sql: str, params: tuple[Any, ...]) -> int:
        with self._db.cursor() as cursor:
            return int(cursor.execute(_translated(sql), params or ()))

    def begin(self) -> None:
        self.execute("START TRANSACTION", ())

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
        return bool(error.args) and error.args[0] in (_DEADLOCK, _LOCK_WAIT, _RECORD_CHANGED)

    def is_lost(self, error: BaseException) -> bool:
        return (bool(error.args) and error.args[0] in _LOST) or isinstance(error, driver.InterfaceError)
