"""``sqlite2mysql``: copies an SQLite database into a MySQL one that was made by the same release."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from services.oned.onedb import backup, target, version
from services.oned.onedb.errors import OnedbError
from services.oned.onedb.target import Target
from services.oned.store import DatabaseError, Store, Tx, schema, tables

_UNSIGNED_MAX = 2**64 - 1
_UNSIGNED = {"logdb": ("log_index", "fed_index"), "pool_control": ("last_oid",)}


def sqlite2mysql(options: Namespace) -> int:
    """Replace the content of every table by that of the SQLite database, in one transaction."""
    file, options.sqlite = options.sqlite, None
    if options.type not in (None, "mysql"):
        raise OnedbError(f"option --type {options.type}: the destination of sqlite2mysql is a MySQL database")
    to = target.find(options)
    if to.is_sqlite:
        raise OnedbError(
            "the destination must be a MySQL database: DB in oned.conf, or the options --server, --username, "
            "--dbname"
        )
    options.type, options.sqlite = None, file or ""
    source = target.find(options)
    target.require_stopped(to)
    from_store, to_store = source.store(), to.store()
    for place, store in ((source, from_store), (to, to_store)):
        target.require_stopped(place, store)
    _require_same(source, from_store, to, to_store)
    backup.write(to, to_store, Path(options.backup) if options.backup else None)
    try:
        with from_store.snapshot() as tx:
            to_store.run(lambda into: _copy(tx, into))
    except DatabaseError as error:
        raise OnedbError(f"{error.message}. The MySQL database is as it was.") from None
    print("\nMigration successful.")
    return 0


def _require_same(source: Target, from_store: Store, to: Target, to_store: Store) -> None:
    theirs = version.read(source, from_store)
    try:
        ours = version.read(to, to_store)
    except OnedbError as error:
        raise OnedbError(
            f"{to.name}: {error}. Start a front-end on it once, which makes the tables."
        ) from None
    if (theirs.shared.version, theirs.local.version) != (ours.shared.version, ours.local.version):
        raise OnedbError(
            f"The versions do not match: {theirs.shared.version} (shared) and {theirs.local.version} (local) "
            f"in the SQLite database, {ours.shared.version} and {ours.local.version} in the MySQL one"
        )


def _copy(source: Tx, into: Tx) -> None:
    there = set(schema.tables(into))
    for table in schema.tables(source):
        if table not in there:
            print(f"> {table} is left out: the MySQL database has no such table")
            continue
        columns = schema.columns(source, table)
        tables.empty(into, table)
        print(f"> {table} ({tables.count(source, table)} records)")
        for batch in tables.rows(source, table, columns):
            tables.add_rows(into, table, columns, [_row(table, columns, values) for values in batch])


def _row(table: str, columns: list[str], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row as MySQL keeps it: SQLite has no unsigned 64-bit numbers."""
    unsigned = _UNSIGNED.get(table, ())
    return tuple(
        _whole(value) if column in unsigned and value is not None else value
        for column, value in zip(columns, values, strict=True)
    )


def _whole(value: float) -> int:
    number = int(value)
    return number + _UNSIGNED_MAX + 1 if number < 0 else min(number, _UNSIGNED_MAX)
