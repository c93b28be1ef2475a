"""Rows of the object pools: reading bodies, locking, writing, numbering, filtering."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from services.oned.store.db import Tx


def body(tx: Tx, table: str, oid: int) -> str | None:
    """The document of an object, or None."""
    row = tx.one(f"SELECT body FROM {table} WHERE oid = ?", oid)
    return row[0] if row else None


def locked_body(tx: Tx, table: str, oid: int) -> str | None:
    """The document, its row locked until the transaction ends, or None."""
    row = tx.one(f"SELECT body FROM {table} WHERE oid = ?{tx.for_update()}", oid)
    return row[0] if row else None


def find(tx: Tx, table: str, name: str, uid: int | None = None) -> int | None:
    """The id of the object of that exact name (and owner, when given), or None."""
    # The plain comparison uses the index; the binary one makes it exact under MySQL's collations.
    exact = " AND BINARY name = ?" if tx.dialect == "mysql" else ""
    owner = "" if uid is None else " AND uid = ?"
    params: list[Any] = [name, *([name] if exact else []), *([] if uid is None else [uid])]
    row = tx.one(f"SELECT oid FROM {table} WHERE name = ?{exact}{owner} ORDER BY oid LIMIT 1", *params)
    return int(row[0]) if row else None


def body_by_name(tx: Tx, table: str, name: str) -> str | None:
    """The document of the object of that exact name, or None."""
    # The plain comparison uses the index; the binary one makes it exact under MySQL's collations.
    exact = " AND BINARY name = ?" if tx.dialect == "mysql" else ""
    params = (name, name) if exact else (name,)
    row = tx.one(f"SELECT body FROM {table} WHERE name = ?{exact}", *params)
    return row[0] if row else None


def next_oid(tx: Tx, table: str) -> int:
    """The next id of a pool. Its counter row stays locked until the commit: call it late."""
    changed = tx.run("UPDATE pool_control SET last_oid = last_oid + 1 WHERE tablename = ?", table)
    if not changed:
        # The first object of a pool. Two callers may get here at once: one inserts, the other then counts on.
        if _take_first_oid(tx, table):
            return 0
        tx.run("UPDATE pool_control SET last_oid = last_oid + 1 WHERE tablename = ?", table)
    row = tx.one("SELECT last_oid FROM pool_control WHERE tablename = ?", table)
    assert row is not None
    return int(row[0])


def _take_first_oid(tx: Tx, table: str) -> bool:
    """Start the counter of a pool that has had no object yet."""
    ignore = "INSERT IGNORE" if tx.dialect == "mysql" else "INSERT OR IGNORE"
    return bool(tx.run(f"{ignore} INTO pool_control (tablename, last_oid) VALUES (?, 0)", table))


def lose_oid_on_refusal(tx: Tx, table: str) -> None:
    """Count the id that was just given out as used even if the call is refused, where OpenNebula does so."""
    tx.after_refusal(lambda later: next_oid(later, table))


def lose_first_oid_on_refusal(tx: Tx, table: str) -> None:
    """Count id 0 as used if the call is refused and the pool has had no object yet.

    OpenNebula's counter does not step back below 0: a refusal of a pool's first object takes its id along.
    """
    tx.after_refusal(lambda later: _take_first_oid(later, table))


def insert(tx: Tx, table: str, columns: dict[str, Any]) -> None:
    """Add a row."""
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    tx.run(f"INSERT INTO {table} ({names}) VALUES ({marks})", *columns.values())


def update(tx: Tx, table: str, oid: int, columns: dict[str, Any]) -> None:
    """Change columns of the row of that id."""
    changes = ", ".join(f"{name} = ?" for name in columns)
    tx.run(f"UPDATE {table} SET {changes} WHERE oid = ?", *columns.values(), oid)


def delete(tx: Tx, table: str, oid: int) -> None:
    """Remove the row of that id."""
    tx.run(f"DELETE FROM {table} WHERE oid = ?", oid)


@dataclass
class Where:
    """A condition for a pool query: SQL text and its parameters, built piece by piece."""

    sql: str = ""
    params: tuple[Any, ...] = ()

    def also(self, sql: str, *params: Any) -> None:
        """Require one more condition."""
        self.sql = f"{self.sql} AND ({sql})" if self.sql else f"({sql})"
        self.params += params

    def also_in(self, column: str, ids: Iterable[int]) -> None:
        """Require that a column is one of some ids."""
        listed = ",".join(str(int(oid)) for oid in ids)
        self.also(f"{column} IN ({listed})" if listed else "1 = 0")

    def text(self) -> str:
        """The WHERE clause, or nothing."""
        return f" WHERE {self.sql}" if self.sql else ""


def bodies(
    tx: Tx,
    table: str,
    where: Where,
    *,
    column: str = "body",
    descending: bool = True,
    limit: int | None = None,
    offset: int = 0,
) -> list[str]:
    """The documents that fit, by id (newest first, as OpenNebula lists them)."""
    rows = tx.all(_select(table, where, column, descending, limit, offset), *where.params)
    return [row[0] for row in rows]


def batches(
    tx: Tx,
    table: str,
    where: Where,
    *,
    column: str = "body",
    descending: bool = True,
    limit: int | None = None,
    offset: int = 0,
) -> Iterator[list[str]]:
    """The documents as bodies() gives them, some at a time; nothing is read before the first step."""
    for rows in tx.batches(_select(table, where, column, descending, limit, offset), *where.params):
        yield [row[0] for row in rows]


def _select(table: str, where: Where, column: str, descending: bool, limit: int | None, offset: int) -> str:
    order = " ORDER BY oid DESC" if descending else " ORDER BY oid"
    page = f" LIMIT {int(limit)} OFFSET {int(offset)}" if limit is not None else ""
    return f"SELECT {column} FROM {table}{where.text()}{order}{page}"


def ids(tx: Tx, table: str, where: Where | None = None) -> list[int]:
    """The ids that fit, ascending."""
    condition = where or Where()
    rows = tx.all(f"SELECT oid FROM {table}{condition.text()} ORDER BY oid", *condition.params)
    return [int(row[0]) for row in rows]
