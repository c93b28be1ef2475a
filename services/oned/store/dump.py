"""The whole database, or the tables that a federation shares, as SQL text; all of it of one moment.

The text restores with the database's own program, too (``mysql db_name < file``, ``sqlite3 file < file``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from services.oned.store import schema
from services.oned.store.db import Store, Tx
from services.oned.store.sql_text import literal
from services.oned.version import SCHEMA_VERSION

FEDERATED = (
    "group_pool",
    "user_pool",
    "acl",
    "zone_pool",
    "vdc_pool",
    "marketplace_pool",
    "marketplaceapp_pool",
    "db_versioning",
)
LOG = "logdb"
_FEDERATED_LOG = "fed_index < 9223372036854775807"  # others have no place in the federation's log
_STATEMENT_BYTES = 1 << 20
_MYSQL_HEAD = """\
SET NAMES utf8mb4;
SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO';
SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0;
SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0;
"""
_MYSQL_TAIL = """\
SET SQL_MODE=@OLD_SQL_MODE;
SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS;
SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS;
-- Dump completed
"""


def write(store: Store, out: IO[str], *, federated: bool = False) -> None:
    """Write a dump. federated: only the tables that zones share. Raises DatabaseError, OSError."""
    with store.snapshot() as tx:
        tables = [*FEDERATED, LOG] if federated else schema.tables(tx)
        wanted = {table: _FEDERATED_LOG if federated and table == LOG else "" for table in tables}
        lines = _mysql(tx, wanted) if tx.dialect == "mysql" else _sqlite(tx, wanted, federated)
        for line in lines:
            out.write(line)


# -- MySQL -------------------------------------------------------------------------------------------------
def _mysql(tx: Tx, wanted: dict[str, str]) -> Iterator[str]:
    yield f"-- Onebox database dump, schema {SCHEMA_VERSION}\n{_MYSQL_HEAD}"
    for table, condition in wanted.items():
        row = tx.one(f"SHOW CREATE TABLE `{table}`")
        assert row is not None
        yield f"DROP TABLE IF EXISTS `{table}`;\n{row[1]};\n"
        yield from _mysql_rows(tx, table, condition)
    yield _MYSQL_TAIL


def _mysql_rows(tx: Tx, table: str, condition: str) -> Iterator[str]:
    where = f" WHERE {condition}" if condition else ""
    begun: list[str] = []
    size = 0
    for batch in tx.batches(f"SELECT * FROM `{table}`{where}"):
        for row in batch:
            begun.append(_tuple(row))
            size += len(begun[-1])
            if size > _STATEMENT_BYTES:
                yield f"INSERT INTO `{table}` VALUES\n{','.join(begun)};\n"
                begun, size = [], 0
    if begun:
        yield f"INSERT INTO `{table}` VALUES\n{','.join(begun)};\n"


def _tuple(row: tuple[Any, ...]) -> str:
    return f"({','.join(map(literal, row))})"


# -- SQLite ------------------------------------------------------------------------------------------------
def _sqlite(tx: Tx, wanted: dict[str, str], federated: bool) -> Iterator[str]:
    if federated:
        yield "-- FEDERATED\n"
    for table in wanted:
        yield f'DROP TABLE IF EXISTS "{table}";\n'
    yield "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n"
    indexes = []
    for table, condition in wanted.items():
        for kind, made in tx.all(
            "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC",
            table,
        ):
            if kind == "table":
                yield f"{made};\n"
            else:
                indexes.append(f"{made};\n")
        yield from _sqlite_rows(tx, table, condition)
    if not federated and tx.one("SELECT 1 FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"):
        # The counters of numbered rows: a number must not be given out again.
        yield "DELETE FROM sqlite_sequence;\n"
        yield from _sqlite_rows(tx, "sqlite_sequence", "")
    yield from indexes
    yield "COMMIT;\n"


def _sqlite_rows(tx: Tx, table: str, condition: str) -> Iterator[str]:
    values = " || ',' || ".join(f'quote("{column}")' for column in schema.columns(tx, table))
    where = f" WHERE {condition}" if condition else ""
    for batch in tx.batches(f'SELECT {values} FROM "{table}"{where}'):
        for (row,) in batch:
            yield f'INSERT INTO "{table}" VALUES({row});\n'
