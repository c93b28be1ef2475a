"""Reads of one moment, and transactions that read one, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.oned.config import DbConf
from services.oned.store import DatabaseError, Store, Tx, consistency, schema
from tests.support.mariadb import MariaDb


@pytest.fixture(params=["sqlite", "mysql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database with two counters, at 1."""
    conf = DbConf("sqlite", tmp_path / "one.db")
    if request.param == "mysql":
        server: MariaDb = request.getfixturevalue("mariadb")
        server.database("one_snapshots")
        conf = replace(
            conf,
            backend="mysql",
            user="oneadmin",
            password="secret",
            name="one_snapshots",
            socket=server.socket,
        )
    made = Store.open(conf)
    made.run(schema.create)
    made.run(lambda tx: [consistency.set_last_given(tx, table, 1) for table in ("a", "b")])
    yield made
    made.close()


def both(tx: Tx) -> list[tuple[object, ...]]:
    return tx.all("SELECT last_oid FROM pool_control ORDER BY tablename")


def elsewhere(store: Store, sql: str) -> None:
    """Run a statement in another thread, which has a connection of its own; it must not have to wait."""

    def run() -> None:
        store.run(lambda tx: tx.run(sql))
        store.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "the writer waits for a reader"


def test_a_snapshot(store: Store) -> None:
    with store.snapshot() as tx:
        assert both(tx) == [(1,), (1,)]
        elsewhere(store, "UPDATE pool_control SET last_oid = 2")
        assert both(tx) == [(1,), (1,)]
        assert list(tx.batches("SELECT last_oid FROM pool_control")) == [[(1,), (1,)]]
        with pytest.raises(DatabaseError, match="a write was attempted in a read"):
            tx.run("DELETE FROM pool_control")
    with store.snapshot() as tx:
        assert both(tx) == [(2,), (2,)]
    with store.read() as tx:
        assert both(tx) == [(2,), (2,)]


def test_a_snapshot_that_is_left_early(store: Store) -> None:
    with pytest.raises(ValueError, match="enough"), store.snapshot() as tx:
        both(tx)
        raise ValueError("enough")
    elsewhere(store, "UPDATE pool_control SET last_oid = 2")
    with store.read() as tx:
        assert both(tx) == [(2,), (2,)]
    with pytest.raises(DatabaseError), store.snapshot() as tx:
        tx.all("SELECT nothing FROM nowhere")
    store.run(lambda tx: tx.run("UPDATE pool_control SET last_oid = 3"))


def test_a_transaction_that_reads_one_moment(store: Store) -> None:
    def run(tx: Tx) -> None:
        consistency.lock_rows(tx, "pool_control")
        assert both(tx) == [(1,), (1,)]
        if store.dialect == "mysql":  # SQLite has one writer at a time
            elsewhere(store, "INSERT INTO vm_import (deploy_id, vmid) VALUES ('x', 1)")
            assert tx.all("SELECT * FROM vm_import") == []
        tx.run("UPDATE pool_control SET last_oid = last_oid + 1")

    store.run(run, one_moment=True)
    with store.read() as tx:
        assert both(tx) == [(2,), (2,)]
    # What follows sees each commit again.
    store.run(both)


def test_locked_rows_are_held(store: Store) -> None:
    order: list[str] = []
    locked, may_end = threading.Event(), threading.Event()

    def hold(tx: Tx) -> None:
        consistency.lock_rows(tx, "pool_control")
        locked.set()
        assert may_end.wait(20)
        order.append("first")

    def change() -> None:
        assert locked.wait(20)
        may_end.set()
        store.run(lambda tx: tx.run("UPDATE pool_control SET last_oid = 9"))
        order.append("second")
        store.close()

    thread = threading.Thread(target=change)
    thread.start()
    store.run(hold, one_moment=True)
    thread.join(20)
    assert order == ["first", "second"]
