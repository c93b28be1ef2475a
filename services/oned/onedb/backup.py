"""``backup`` and ``restore``: the database, or the tables that a federation shares, as a file of SQL text."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

from services.oned.onedb.errors import OnedbError
from services.oned.onedb.target import Target, require_stopped
from services.oned.store import DatabaseError, Store, dump, restore


def backup(target: Target, options: Namespace) -> int:
    """Write the database, as it is at one moment, to a file; a front-end may be at work meanwhile."""
    file = Path(options.output_file) if options.output_file else None
    write(target, target.store(), file, force=options.force, federated=options.federated)
    return 0


def write(
    target: Target, store: Store, file: Path | None, *, force: bool = False, federated: bool = False
) -> Path:
    """Write a backup and say where it is; the file. Raises OnedbError when it exists or cannot be written."""
    file = file or target.backup_file(federated=federated)
    if file.exists() and not force:
        raise OnedbError(f"File {file} exists, backup aborted. Use -f to overwrite.")
    save(store, file, federated=federated)
    if target.is_sqlite:
        what = "database backup of federated tables" if federated else "database backup"
        print(f"Sqlite {what} stored in {file}\nUse 'onedb restore' to restore the DB.")
    else:
        print(
            f"MySQL dump stored in {file}\n"
            "Use 'onedb restore' or restore the DB using the mysql command:\n"
            "mysql -u user -h server -P port db_name < backup_file\n"
        )
    return file


def save(store: Store, file: Path, *, federated: bool = False) -> None:
    """Write the database to a file, whole or not at all. Raises OnedbError."""
    part = file.with_name(f"{file.name}.part")
    try:
        # Passwords' digests are in it.
        with open(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf-8") as out:
            dump.write(store, out, federated=federated)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, file)
    except OSError as error:
        raise OnedbError(f"{file}: cannot be written: {error.strerror}") from None
    except DatabaseError as error:
        raise OnedbError(f"backup aborted: {error.message}") from None
    finally:
        part.unlink(missing_ok=True)


def restore_file(target: Target, options: Namespace) -> int:
    """Put the database back from a file; nothing may use it meanwhile."""
    file = Path(options.backup_file)
    if not file.is_file():
        raise OnedbError(f"File {file} doesn't exist, backup restoration aborted.")
    require_stopped(target)
    put_back(target, file, force=options.force, federated=options.federated)
    return 0


def put_back(target: Target, file: Path, *, force: bool, federated: bool = False) -> None:
    """Put the database back from a file and say so. Raises OnedbError."""
    try:
        if target.is_sqlite:
            _put_back_sqlite(target, file, force=force, federated=federated)
            print(f"Sqlite database backup restored in {target.conf.path}")
            return
        _put_back_mysql(target, file, force=force, federated=federated)
        print(f"{target.name} restored.")
    except restore.UnfitDump as error:
        raise OnedbError(f"{error.message}. Nothing was changed.") from None
    except DatabaseError as error:
        raise OnedbError(f"Error while restoring the {target.name}: {error.message}") from None


def _put_back_sqlite(target: Target, file: Path, *, force: bool, federated: bool) -> None:
    path = target.conf.path
    if federated:
        require_stopped(target, target.store())
    elif path.exists() and not force:
        raise OnedbError(f"File {path} exists, use -f to overwrite.")
    elif path.exists():
        require_stopped(target, target.store())
    restore.require_fit(file, "sqlite", federated=federated)
    restore.restore_sqlite(path, file, federated=federated)


def _put_back_mysql(target: Target, file: Path, *, force: bool, federated: bool) -> None:
    store = target.store()
    with store.read() as tx:
        there = restore.has_users(tx)
    if there and not federated and not force:
        raise OnedbError(
            f"MySQL database {target.conf.name} at {target.conf.server} exists, use -f to overwrite."
        )
    require_stopped(target, store)
    restore.require_fit(file, "mysql", federated=federated)
    restore.restore_mysql(store, file, federated=federated)
