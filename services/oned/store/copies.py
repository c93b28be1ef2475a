"""A second place for the tables: they are changed and checked there, then take the first one's place at once.

SQLite: a file beside the database's. MySQL: a database beside it, which the user must be allowed to make.
Whatever an interruption leaves behind, ``settle`` tidies: a copy that was not complete is removed, an
exchange that had begun (older servers rename tables one by one) is finished.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from services.oned.config import DbConf
from services.oned.store import restore, tables
from services.oned.store.db import DatabaseError, StatementError, Store, Tx

SUFFIX = "_onebox_upgrade"
_OLD = "onebox_old_"  # before the names of tables that were replaced
_LOCK = "onebox_upgrade"
_NAME_MAX = 64


class NoCopy(DatabaseError):
    """The user of the database may not make another one."""


def place(conf: DbConf) -> DbConf:
    """Where the copy of a database is."""
    if conf.backend == "sqlite":
        return replace(conf, path=conf.path.with_name(f"{conf.path.name}-upgrading"))
    return replace(conf, name=f"{conf.name[: _NAME_MAX - len(SUFFIX)]}{SUFFIX}")


@contextmanager
def alone(conf: DbConf, store: Store) -> Iterator[None]:
    """Let no other process change the tables' form meanwhile.

    It waits. Raises DatabaseError when that takes too long.
    """
    if conf.backend == "mysql":
        with tables.exclusive(store, _LOCK):
            yield
        return
    folder = os.open(conf.path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def settle(conf: DbConf, store: Store) -> None:
    """Finish an exchange that was interrupted, remove a copy that was not complete. Raises DatabaseError."""
    copy = place(conf)
    if conf.backend == "sqlite":
        _remove_files(copy.path)
        return
    with store.read() as tx:
        if not _exists(tx, copy.name):
            return
        if any(table.startswith(_OLD) for table in _tables(tx, copy.name)):
            _exchange(tx, conf.name, copy.name)
        _drop(tx, copy.name)


def dump_file(conf: DbConf, backup: Path) -> Path:
    """Where a dump goes that only a copy is made from; always the same file, so that none is left behind."""
    name = conf.path.name if conf.backend == "sqlite" else conf.name
    return backup.with_name(f".{name}-upgrading.sql")


def make(
    conf: DbConf, store: Store, dump: Path, fill_sqlite: Callable[[Path, Path], None] | None = None
) -> Store:
    """The copy, filled from a dump. Raises NoCopy, DatabaseError.

    fill_sqlite: makes an SQLite file (first argument) from a dump that is not one of SQLite.
    """
    copy = place(conf)
    if conf.backend == "sqlite":
        if fill_sqlite is not None:
            fill_sqlite(copy.path, dump)
        else:
            restore.restore_sqlite(copy.path, dump, federated=False)
        return Store.open(copy)
    with store.read() as tx:
        row = tx.one(
            "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata "
            "WHERE schema_name = DATABASE()"
        )
        assert row is not None
        try:
            tx.given(f"CREATE DATABASE `{copy.name}` CHARACTER SET {row[0]} COLLATE {row[1]}")
        except StatementError:
            raise NoCopy(
                f"user {conf.user} may not make the database {copy.name}; "
                f"GRANT ALL ON `{_pattern(copy.name)}`.* allows it"
            ) from None
    opened = Store.open(copy)
    restore.restore_mysql(opened, dump, federated=False)
    return opened


def take_place(conf: DbConf, store: Store, copy: Store) -> None:
    """Put the copy where the database is. Raises DatabaseError; then the database is as it was."""
    copy.close()
    place_of_copy = place(conf)
    if conf.backend == "sqlite":
        store.close()
        try:
            restore.put_in_place(place_of_copy.path, conf.path)
        except (sqlite3.Error, OSError) as error:
            raise DatabaseError(f"{conf.path}: {error}") from None
        _remove_files(place_of_copy.path)
        return
    with store.read() as tx:
        _exchange(tx, conf.name, place_of_copy.name)
        _drop(tx, place_of_copy.name)


def remove(conf: DbConf, store: Store, copy: Store | None) -> None:
    """Remove the copy. Raises DatabaseError."""
    if copy is not None:
        copy.close()
    settle(conf, store)


# -- SQLite ------------------------------------------------------------------------------------------------
def _remove_files(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-writer", "-restoring"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


# -- MySQL -------------------------------------------------------------------------------------------------
def _exists(tx: Tx, name: str) -> bool:
    return tx.one("SELECT 1 FROM information_schema.schemata WHERE schema_name = ?", name) is not None


def _tables(tx: Tx, name: str) -> list[str]:
    return [
        str(row[0])
        for row in tx.all(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = ? AND table_type = 'BASE TABLE'",
            name,
        )
    ]


def _exchange(tx: Tx, name: str, copy: str) -> None:
    """Rename tables in one statement: MariaDB from 10.6 and MySQL from 8 do all of it or nothing.

    Another server may stop between two of the renames; what is left to do then follows from what is where.
    """
    there, made = set(_tables(tx, name)), set(_tables(tx, copy))
    renames = []
    # The versions last: without them a front-end would take the database for an empty one.
    new = sorted(
        (table for table in made if not table.startswith(_OLD)),
        key=lambda table: (table == "db_versioning", table),
    )
    for table in new:
        if table in there and _OLD + table not in made:
            renames.append(f"`{name}`.`{table}` TO `{copy}`.`{_OLD}{table}`")
        renames.append(f"`{copy}`.`{table}` TO `{name}`.`{table}`")
    if renames:
        _given(tx, f"RENAME TABLE {', '.join(renames)}")


def _drop(tx: Tx, name: str) -> None:
    _given(tx, f"DROP DATABASE `{name}`")


def _given(tx: Tx, statement: str) -> None:
    try:
        tx.given(statement)
    except StatementError as error:
        raise DatabaseError(error.message) from None


def _pattern(name: str) -> str:
    """A name as GRANT reads it."""
    return name.replace("_", "\\_")
