"""The transaction layer on both databases: retries, lost connections, order of events, no lost updates."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.oned.config import DbConf
from services.oned.store import DatabaseError, Store, Tx, events, pools, schema
from tests.support.mariadb import MariaDb


@pytest.fixture(params=["sqlite", "mysql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty database with all tables."""
    if request.param == "mysql":
        server: MariaDb = request.getfixturevalue("mariadb")
        name = f"store_{abs(hash(request.node.name)) % 10**8}"
        server.database(name)
        conf = DbConf("mysql", tmp_path / "unused", password="secret", name=name, socket=server.socket)
    else:
        conf = DbConf("sqlite", tmp_path / "one.db")
    made = Store.open(conf)
    made.run(schema.create)
    yield made
    made.close()


def in_threads(count: int, work: object) -> list[BaseException]:
    """Run the same work in several threads; what they raised."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - reported by the caller
            raised.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_ids_are_given_once(store: Store) -> None:
    given: list[int] = []

    def work() -> None:
        for _ in range(20):
            given.append(store.run(lambda tx: pools.next_oid(tx, "vm_pool")))

    assert in_threads(8, work) == []
    assert sorted(given) == list(range(160))


def test_counters_lose_nothing_under_contention(store: Store) -> None:
    """Rows locked in opposite order by half of the threads: deadlocks are retried, not reported."""
    for oid in (1, 2):
        store.run(
            lambda tx, oid=oid: pools.insert(tx, "host_pool", {"oid": oid, "name": str(oid), "state": 0})
        )
    turn = iter(range(1000))

    def add(tx: Tx, order: tuple[int, int]) -> None:
        for oid in order:
            row = tx.one(f"SELECT state FROM host_pool WHERE oid = ?{tx.for_update()}", oid)
            assert row is not None
            tx.run("UPDATE host_pool SET state = ? WHERE oid = ?", row[0] + 1, oid)

    def work() -> None:
        for _ in range(25):
            order = (1, 2) if next(turn) % 2 else (2, 1)
            store.run(lambda tx, order=order: add(tx, order))

    assert in_threads(6, work) == []
    with store.read() as tx:
        assert tx.all("SELECT state FROM host_pool ORDER BY oid") == [(150,), (150,)]


def test_a_handler_that_raises_changes_nothing(store: Store) -> None:
    hooks: list[str] = []

    def broken(tx: Tx) -> None:
        tx.after_commit(lambda: hooks.append("called"))
        pools.insert(tx, "host_pool", {"oid": 5, "name": "x"})
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.run(broken)
    assert store.run(lambda tx: pools.ids(tx, "host_pool")) == []
    assert hooks == []


def test_a_statement_that_fails_says_so_without_its_values(store: Store) -> None:
    with pytest.raises(DatabaseError) as refusal:
        store.run(lambda tx: tx.run("INSERT INTO no_such_table VALUES (?)", "s3cret"))
    assert "no_such_table" in refusal.value.message and "s3cret" not in refusal.value.message


def test_a_read_cannot_write(store: Store) -> None:
    with pytest.raises(DatabaseError), store.read() as tx:
        tx.run("DELETE FROM host_pool")


def test_no_event_is_missed_when_commits_overtake_each_other(store: Store) -> None:
    if store.dialect == "sqlite":
        store.run(lambda tx: events.add(tx, "STATE", "VM", 1, {}))
        assert [event.oid for event in store.read_value(lambda tx: events.after(tx, 0))] == [1]
        return  # one writer at a time: nothing can overtake
    first_inserted, may_commit = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        events.add(tx, "STATE", "VM", 1, {})
        first_inserted.set()
        assert may_commit.wait(10)

    thread = threading.Thread(target=lambda: store.run(slow))
    thread.start()
    assert first_inserted.wait(10)
    store.run(lambda tx: events.add(tx, "STATE", "VM", 2, {}))
    assert store.read_value(lambda tx: events.after(tx, 0)) == []
    may_commit.set()
    thread.join()
    assert [event.oid for event in store.read_value(lambda tx: events.after(tx, 0))] == [1, 2]


def test_names_are_compared_exactly(store: Store) -> None:
    store.run(lambda tx: pools.insert(tx, "user_pool", {"oid": 0, "name": "Alice", "body": "<USER/>"}))
    with store.read() as tx:
        assert pools.find(tx, "user_pool", "alice") is None
        assert pools.find(tx, "user_pool", "Alice") == 0
        assert pools.body_by_name(tx, "user_pool", "ALICE") is None
