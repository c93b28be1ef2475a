"""``version`` and ``history``: which version the tables have, and which steps led there."""

from __future__ import annotations

import time
from argparse import Namespace

from services.oned.onedb.errors import OnedbError
from services.oned.onedb.target import Target
from services.oned.store import DatabaseError, Store, versions
from services.oned.store.versions import Record, Versions
from services.oned.version import OWN_SCHEMA_VERSION, SCHEMA_VERSION

CURRENT, EMPTY, OLDER, NEWER = 0, 1, 2, 3


def version(target: Target, options: Namespace) -> int:
    """Print the versions; 0 when they are this release's, 1 nothing there yet, 2 older, 3 newer.

    Raises OnedbError (255) when the database cannot be asked.
    """
    found = read(target)
    if options.verbose:
        _print_record("Shared tables version:  ", found.shared)
        print()
        _print_record("Local tables version:   ", found.local)
        print(f"\nOnebox tables version:   {found.own or 'none'}")
        print(f"Required version:        {OWN_SCHEMA_VERSION}")
        if found.is_slave:
            print("\nThis database is a federation slave")
        print()
    else:
        print(f"Shared: {found.shared.version}")
        print(f"Local:  {found.local.version}")
        print(f"Required shared version: {SCHEMA_VERSION}")
        print(f"Required local version:  {SCHEMA_VERSION}")
    if found.is_newer:
        print("\nWARNING: the database is newer than this release, which cannot use it")
        return NEWER
    if found.is_older:
        print("\nUpdate required: onedb upgrade brings the database to the required versions")
        return OLDER
    return CURRENT


def history(target: Target, options: Namespace) -> int:
    """Print every step that the shared tables have taken."""
    store = target.store()
    read(target, store)
    with store.read() as tx:
        for record in versions.history(tx):
            print(f"Version:   {record.version}\nTimestamp: {_when(record)}\nComment:   {record.comment}\n")
    return 0


def read(target: Target, store: Store | None = None) -> Versions:
    """The versions. Raises OnedbError: code 1 for a database without them, 255 when it does not answer."""
    if store is None:
        if target.is_sqlite and not target.conf.path.is_file():
            raise OnedbError(
                f"Database is not correctly bootstraped: there is no file {target.conf.path}", EMPTY
            )
        store = target.store()
    try:
        found = store.read_value(versions.read)
    except DatabaseError as error:
        raise OnedbError(error.message) from None
    if found is None:
        raise OnedbError("Database is not correctly bootstraped: it is empty", EMPTY)
    return found


def _print_record(label: str, record: Record) -> None:
    print(f"{label} {record.version}")
    print(f"Required version:        {SCHEMA_VERSION}")
    print(f"Timestamp: {_when(record)}")
    print(f"Comment:   {record.comment}")


def _when(record: Record) -> str:
    return time.strftime("%m/%d %H:%M:%S", time.localtime(record.time_s))
