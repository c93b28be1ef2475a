"""A zone of breakable.py on MariaDB: made on SQLite, then taken there by ``onedb sqlite2mysql``."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.oned.config import DbConf
from services.oned.store import Store, Tx, schema
from tests.support.breakable import Breakable
from tests.support.mariadb import MariaDb
from tests.support.onedb import NOBODY, Onedb


def conf_of(server: MariaDb, name: str, user: str = "oneadmin") -> DbConf:
    """How a database of the server is reached."""
    return DbConf("mysql", Path(), user=user, password="secret", name=name, socket=server.socket)


def on_mariadb(whole: Breakable, server: MariaDb, name: str, folder: Path) -> tuple[Onedb, Store, str]:
    """The command on the copied zone, the store of it, and what the copying printed."""
    onedb = Onedb(folder, server.section(name))
    store = Store.open(conf_of(server, name))
    store.run(schema.create)
    # Versions only: a front-end that is started once makes them.
    for table in ("db_versioning", "local_db_versioning"):
        row = whole.core.rows(f"SELECT * FROM {table}")[0]
        _insert(store, table, row)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONE_LOCATION", str(folder))
        patch.setenv("ONE_XMLRPC", NOBODY)
        printed = onedb.done("sqlite2mysql", "--sqlite", str(whole.core.zone.conf.db.path))
    return onedb, store, printed


def _insert(store: Store, table: str, row: tuple[object, ...]) -> None:
    def insert(tx: Tx) -> None:
        tx.run(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", *row)

    store.run(insert)
