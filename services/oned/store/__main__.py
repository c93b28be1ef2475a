"""The database's program: ``python -m services.oned.store init | wait [--timeout-s N] | version``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from services.common import paths
from services.common.config import ConfigError
from services.oned import config
from services.oned.auth import credentials, master_key
from services.oned.config import OnedConf
from services.oned.errors import OneError
from services.oned.model import fresh_zone
from services.oned.store import DatabaseError, Store, Tx, bootstrap, schema, versions

_POLL_S = 0.25


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when done, 1 with one line that says why not."""
    parser = argparse.ArgumentParser("python -m services.oned.store", description="The front-end's database.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="create the tables and a fresh zone's objects where they are missing")
    waiting = commands.add_parser("wait", help="wait until the database accepts connections")
    waiting.add_argument("--timeout-s", type=float, default=60.0, help="give up after so many seconds")
    commands.add_parser("version", help="print the versions of the tables")
    chosen = parser.parse_args(argv)
    try:
        conf = config.load()
        store = Store.open(conf.db)
        if chosen.command == "init":
            print(init(store, conf, paths.auth_dir()))
        elif chosen.command == "wait":
            print(wait(store, chosen.timeout_s))
        else:
            print(version(store))
    except (ConfigError, OneError) as error:
        print(f"store {chosen.command}: {error}", file=sys.stderr)
        return 1
    return 0


def init(store: Store, conf: OnedConf, auth_folder: Path) -> str:
    """Make what the database lacks; one line that says what was done.

    auth_folder: holds one_auth; gets the services' credentials and the key for secret attributes.
    May run at any time and in several processes at once: a zone is made exactly once. Raises OneError.
    """
    store.run(_make_tables)
    is_made = store.read_value(bootstrap.versions) is None and _make_zone(store, conf, auth_folder)
    master_key.read(auth_folder / "one_key")
    if is_made:
        return f"The database has been created, with the objects of a fresh zone ({_place(conf)})."
    return f"The database is there already ({_place(conf)})."


def _make_tables(tx: Tx) -> None:
    if schema.exists(tx, "db_versioning"):
        versions.require_known(tx)
    schema.create(tx)
    versions.mark_own(tx, int(time.time()))


def _make_zone(store: Store, conf: OnedConf, auth_folder: Path) -> bool:
    """Whether this process made the zone; False when another one was faster."""
    # The files come first: should this process end here, the next one takes the password from them.
    oneadmin, serveradmin = credentials.first_users(auth_folder)
    try:
        return store.run(lambda tx: fresh_zone.create(tx, conf, oneadmin, serveradmin))
    except DatabaseError:
        if store.read_value(bootstrap.versions) is None:
            raise
        return False


def wait(store: Store, timeout_s: float) -> str:
    """Return once the database answers. Raises DatabaseError, with its last words, after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            store.read_value(lambda tx: tx.one("SELECT 1"))
            return "The database accepts connections."
        except DatabaseError as error:
            if time.monotonic() >= deadline:
                raise DatabaseError(f"after {timeout_s:g} s: {error}") from None
            store.close()
            time.sleep(_POLL_S)


def version(store: Store) -> str:
    """The versions of the tables. Raises DatabaseError for a database without them."""
    with store.read() as tx:
        found = bootstrap.versions(tx) if schema.exists(tx, "db_versioning") else None
    if found is None:
        raise DatabaseError("the database is empty, expected the tables of a zone (init creates them)")
    return f"Shared tables: {found[0]}, local tables: {found[1]}"


def _place(conf: OnedConf) -> str:
    return f"SQLite, {conf.db.path}" if conf.db.backend == "sqlite" else f"MySQL, {conf.db.name}"


if __name__ == "__main__":
    sys.exit(main())
