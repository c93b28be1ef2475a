"""Putting a database back from a dump: Onebox's, OpenNebula's, or one of the database's own program."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from services.oned.store import schema, versions
from services.oned.store.db import DatabaseError, StatementError, Store, Tx
from services.oned.store.dump import FEDERATED, LOG
from services.oned.store.sql_text import IncompleteDump, mysql_statements, sqlite_statements

# Which database a dump was of does not matter: it goes into the one that was asked for.
_PLACE = re.compile(
    r"\s*(?:USE|CREATE DATABASE|DROP DATABASE)\b|\s*/\*![0-9]+ DROP DATABASE|\s*CREATE DATABASE /\*!",
    re.IGNORECASE,
)
_USE = re.compile(r"\s*USE\s+`([^`]+)`", re.IGNORECASE)
_CREATED = re.compile(r"\s*CREATE TABLE\s+(?:IF NOT EXISTS\s+)?[`\"']?(\w+)", re.IGNORECASE)


class UnfitDump(DatabaseError):
    """A file that is no dump of such a database; nothing was changed."""


def require_fit(path: Path, dialect: str, *, federated: bool) -> None:
    """Read a dump to its end. Raises UnfitDump for one that is cut off, or of another kind of database."""
    created, places = set(), set()
    marks = 0
    for statement in statements(path, dialect):
        table, place = _CREATED.match(statement), _USE.match(statement)
        if table:
            created.add(table[1])
            marks += "`" in statement[:60]
        if place:
            places.add(place[1])
    wanted = set(FEDERATED) if federated else {"db_versioning", "user_pool", "vm_pool"}
    if not wanted <= created:
        missing = ", ".join(sorted(wanted - created))
        raise UnfitDump(f"{path}: lacks the tables {missing}, expected a dump of a front-end's database")
    if bool(marks) != (dialect == "mysql"):
        other = "MySQL" if marks else "SQLite"
        raise UnfitDump(f"{path}: is a dump of {other}; one kind of database cannot be restored to another")
    if len(places) > 1:
        raise UnfitDump(f"{path}: holds several databases ({', '.join(sorted(places))}), expected one")


def has_users(tx: Tx) -> bool:
    """Whether somebody's database is there already."""
    return schema.exists(tx, "user_pool") and tx.one("SELECT 1 FROM user_pool WHERE oid = 0") is not None


def restore_mysql(store: Store, path: Path, *, federated: bool) -> None:
    """Replace the tables by those of a dump. Raises DatabaseError; then the database may be incomplete."""
    with store.read() as tx:
        try:
            for table in schema.tables(tx) if not federated else [*FEDERATED, LOG]:
                tx.given(f"DROP TABLE IF EXISTS `{table}`")
            for statement in statements(path, "mysql"):
                if not _PLACE.match(statement):
                    tx.given(statement)
        except StatementError as error:
            raise DatabaseError(f"{path}: {error.message}") from None
        _require_versions(tx, path)
    # The dump changes settings of its connection.
    store.close()


def restore_sqlite(file: Path, path: Path, *, federated: bool) -> None:
    """Replace the database file by one made from a dump, or its shared tables; all at once.

    Raises DatabaseError; then the file is as it was.
    """
    made = file.with_name(f"{file.name}-restoring")
    made.unlink(missing_ok=True)
    try:
        with open(os.open(made, os.O_CREAT | os.O_EXCL, 0o600)):
            pass
        database = sqlite3.connect(made, isolation_level=None)
        try:
            if federated:
                _copy(file, database)
            for statement in statements(path, "sqlite"):
                database.execute(statement)
            if database.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                raise UnfitDump(f"{path}: makes a database that is not sound")
        finally:
            database.close()
        put_in_place(made, file)
    except (sqlite3.Error, OSError) as error:
        raise DatabaseError(f"{path}: {error}") from None
    finally:
        made.unlink(missing_ok=True)


def put_in_place(made: Path, file: Path) -> None:
    """Replace a database file by another one, at once; both are closed. Raises sqlite3.Error, OSError."""
    _take_owner(made, file)
    for database in (made, file):
        _settle(database)
    os.replace(made, file)
    for rest in ("-wal", "-shm"):
        file.with_name(file.name + rest).unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def statements(path: Path, dialect: str) -> Iterator[str]:
    """The statements of a dump. Raises UnfitDump when it cannot be read to its end."""
    read = mysql_statements if dialect == "mysql" else sqlite_statements
    try:
        with open(path, encoding="utf-8", newline="\n") as lines:
            yield from read(lines)
    except IncompleteDump as error:
        raise UnfitDump(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise UnfitDump(f"{path}: is not UTF-8 text: {error.reason}") from None
    except OSError as error:
        raise UnfitDump(f"{path}: cannot be read: {error.strerror}") from None


def _require_versions(tx: Tx, path: Path) -> None:
    if versions.read(tx) is None:
        raise UnfitDump(f"{path}: holds no version of the tables")


def _copy(file: Path, to: sqlite3.Connection) -> None:
    """Fill a database with another one's content, what it has not written to its file yet included."""
    source = sqlite3.connect(file)
    try:
        source.backup(to)
    finally:
        source.close()
    to.execute("PRAGMA journal_mode=DELETE")


def _settle(file: Path) -> None:
    """Bring everything into the file itself: a log left beside it would be taken for the next file's."""
    if not file.exists():
        return
    database = sqlite3.connect(file)
    try:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError:
        pass  # a broken file may be what the restoration is for
    finally:
        database.close()


def _take_owner(made: Path, file: Path) -> None:
    """Run by root: let the file belong to whom the old one, or else the folder, belongs."""
    if os.geteuid() == 0:
        stat = (file if file.exists() else file.parent).stat()
        os.chown(made, stat.st_uid, stat.st_gid)
