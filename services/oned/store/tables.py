"""Changing tables of older releases; each change may be made again after an interruption."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.oned.store import schema
from services.oned.store.db import DatabaseError, Store, Tx

_PAGE = 200
_LOCK_WAIT_S = 600


def rename_column(tx: Tx, table: str, old: str, new: str, definition: str) -> None:
    """Give a column another name, unless it has that already."""
    if old not in schema.columns(tx, table):
        return
    if tx.dialect == "mysql":
        tx.run(f"ALTER TABLE {table} CHANGE `{old}` {new} {definition}")
    else:
        tx.run(f'ALTER TABLE {table} RENAME COLUMN "{old}" TO {new}')


def drop_column(tx: Tx, table: str, column: str) -> None:
    """Remove a column, unless it is gone already."""
    if column in schema.columns(tx, table):
        tx.run(f"ALTER TABLE {table} DROP COLUMN {column}")


def documents(tx: Tx, table: str) -> Iterator[tuple[int, str]]:
    """(id, document) of every object of a pool, by id; the loop may change the row that it was given."""
    last = -1
    while rows := tx.all(f"SELECT oid, body FROM {table} WHERE oid > ? ORDER BY oid LIMIT {_PAGE}", last):
        for oid, body in rows:
            last = int(oid)
            yield last, str(body)


def samples(tx: Tx, table: str, key: str, moment: str) -> Iterator[tuple[int, int, str]]:
    """(object, time, body) of every monitoring sample; the loop may change the row that it was given."""
    for oid, time_s in tx.all(f"SELECT {key}, {moment} FROM {table} ORDER BY {key}, {moment}"):
        row = tx.one(f"SELECT body FROM {table} WHERE {key} = ? AND {moment} = ?", oid, time_s)
        if row is not None:
            yield int(oid), int(time_s), str(row[0])


def set_sample(tx: Tx, table: str, key: str, moment: str, place: tuple[int, int], body: str) -> None:
    """Replace a monitoring sample; place: the object and the time."""
    tx.run(f"UPDATE {table} SET body = ? WHERE {key} = ? AND {moment} = ?", body, *place)


def newest_record(tx: Tx, vm_id: int) -> tuple[int, str] | None:
    """SEQ and document of the newest history record of a virtual machine, or None."""
    row = tx.one("SELECT seq, body FROM history WHERE vid = ? ORDER BY seq DESC LIMIT 1", vm_id)
    return (int(row[0]), str(row[1])) if row else None


def set_record(tx: Tx, vm_id: int, seq: int, body: str) -> None:
    """Replace the document of a history record."""
    tx.run("UPDATE history SET body = ? WHERE vid = ? AND seq = ?", body, vm_id, seq)


def add_rows(tx: Tx, table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Add rows to a table."""
    if rows:
        marks = ", ".join([f"({', '.join('?' * len(columns))})"] * len(rows))
        names = ", ".join(columns)
        tx.run(f"INSERT INTO {table} ({names}) VALUES {marks}", *(value for row in rows for value in row))


def empty(tx: Tx, table: str) -> None:
    """Remove every row of a table."""
    tx.run(f"DELETE FROM {table}")


def count(tx: Tx, table: str) -> int:
    """How many rows a table has."""
    row = tx.one(f"SELECT COUNT(*) FROM {table}")
    return int(row[0]) if row else 0


def rows(tx: Tx, table: str, columns: list[str]) -> Iterator[list[tuple[Any, ...]]]:
    """Every row of a table, some at a time."""
    return tx.batches(f"SELECT {', '.join(columns)} FROM {table}")


def index_search_text(tx: Tx, *, again: bool) -> None:
    """Make the index of virtual machines' search texts, which only MySQL has. again: drop the old one."""
    if again:
        tx.run("ALTER TABLE vm_pool DROP INDEX ftidx")
    tx.run("ALTER TABLE vm_pool ADD FULLTEXT INDEX ftidx (search_token)")


@contextmanager
def exclusive(store: Store, name: str) -> Iterator[None]:
    """Let no other process do the same at once; it waits. Raises DatabaseError when that takes too long.

    SQLite needs none: its files are changed by one writer at a time.
    """
    if store.dialect != "mysql":
        yield
        return
    with store.read() as tx:
        row = tx.one("SELECT GET_LOCK(?, ?)", name, _LOCK_WAIT_S)
    if row is None or row[0] != 1:
        raise DatabaseError(f"another process has held the lock {name} for {_LOCK_WAIT_S} s")
    try:
        yield
    finally:
        with store.read() as tx:
            tx.one("SELECT RELEASE_LOCK(?)", name)
