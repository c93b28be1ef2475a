"""The jobs table: order, limits, cancelling, taking over; on SQLite and MariaDB."""

from __future__ import annotations

import threading

from services.oned.store import Store, Tx, jobs
from services.oned.store.job_limits import Lane, Limits
from services.oned.store.jobs import Job


def add(store: Store, oid: int, host: str = "h1", operation: str = "vmm.DEPLOY", **more: object) -> int:
    values: dict[str, object] = {"kind": "VM", "driver": "dummy", **more}
    return store.run(lambda tx: jobs.add(tx, oid=oid, operation=operation, host=host, **values))  # type: ignore[arg-type]


def claim(store: Store, limit: int = 100, limits: Limits | None = None, token: int = 1) -> list[Job]:
    return store.run(lambda tx: jobs.claim(tx, token, limit, limits))


def finish(store: Store, job: Job, token: int = 1) -> bool:
    return store.run(lambda tx: jobs.finish(tx, job, token))


def rows(store: Store) -> list[tuple[int, int, int]]:
    with store.read() as tx:
        return [tuple(row) for row in tx.all("SELECT oid, state, attempt FROM onebox_job ORDER BY id")]


def limits(total: int = 100, lane: int = 100, host: int = 100) -> Limits:
    return Limits(total, lambda _: lane, lambda _: host)


def test_a_job_comes_back_as_it_was_added(store: Store) -> None:
    job_id = add(store, 7, "h1", "tm.EPILOG", spec={"local": True, "text": "ü'\"%s?"}, timeout_s=9)
    (job,) = claim(store)
    assert (job.id, job.kind, job.oid, job.operation, job.driver, job.host) == (
        *(job_id, "VM", 7, "tm.EPILOG", "dummy", "h1"),
    )
    assert (job.spec, job.timeout_s, job.attempt) == ({"local": True, "text": "ü'\"%s?"}, 9, 1)
    assert claim(store) == []
    assert finish(store, job)
    assert not finish(store, job)
    assert rows(store) == []


def test_ids_are_not_used_again(store: Store) -> None:
    first = add(store, 1)
    (job,) = claim(store)
    finish(store, job)
    assert add(store, 1) > first


def test_oldest_first_and_one_at_a_time_for_an_object(store: Store) -> None:
    add(store, 1, operation="tm.EPILOG")
    add(store, 1, operation="vmm.DEPLOY")
    add(store, 2)
    add(store, 1, kind="HOST", operation="im.MONITOR")
    first = claim(store)
    assert [(job.kind, job.oid, job.operation) for job in first] == [
        ("VM", 1, "tm.EPILOG"),
        ("VM", 2, "vmm.DEPLOY"),
        ("HOST", 1, "im.MONITOR"),
    ]
    assert claim(store) == []
    finish(store, first[0])
    assert [job.operation for job in claim(store)] == ["vmm.DEPLOY"]


def test_a_host_at_its_limit_does_not_delay_others(store: Store) -> None:
    """Five hundred jobs wait for a host that hangs: those of another host behind them start at once."""
    store.run(lambda tx: [add_in(tx, oid, "hung") for oid in range(500)])
    store.run(lambda tx: [add_in(tx, 1000 + oid, "well") for oid in range(3)])
    taken = claim(store, limits=limits(host=2))
    assert [job.host for job in taken] == ["hung"] * 2 + ["well"] * 2
    finish(store, taken[2])
    assert [(job.oid, job.host) for job in claim(store, limits=limits(host=2))] == [(1002, "well")]


def add_in(tx: Tx, oid: int, host: str) -> int:
    return jobs.add(tx, kind="VM", oid=oid, operation="vmm.DEPLOY", driver="dummy", host=host)


def test_lanes_have_limits_of_their_own(store: Store) -> None:
    for oid in range(4):
        add(store, oid, host=f"h{oid}")
    for oid in range(4, 8):
        add(store, oid, operation="tm.PROLOG", host=f"h{oid}")
    asked: list[Lane] = []

    def lane_limit(lane: Lane) -> int:
        asked.append(lane)
        return 2 if lane.subsystem == "vmm" else 3

    taken = claim(store, limits=Limits(100, lane_limit, lambda _: 9))
    assert [job.oid for job in taken] == [0, 1, 4, 5, 6]
    assert set(asked) == {Lane("vmm", "dummy"), Lane("tm", "dummy")}


def test_total_and_asked_number(store: Store) -> None:
    for oid in range(10):
        add(store, oid, host=f"h{oid}")
    assert len(claim(store, limits=limits(total=4))) == 4
    assert claim(store, limits=limits(total=4)) == []
    assert len(claim(store, limit=3, limits=limits(total=100))) == 3


def test_jobs_without_host_have_no_host_limit(store: Store) -> None:
    for oid in range(5):
        add(store, oid, host="")
    assert len(claim(store, limits=limits(host=1))) == 5


def test_delay(store: Store) -> None:
    add(store, 1, delay_s=60)
    assert claim(store) == []
    assert not store.read_value(jobs.is_due)
    add(store, 2)
    assert store.read_value(jobs.is_due)
    assert [job.oid for job in claim(store)] == [2]


def test_cancelling(store: Store) -> None:
    add(store, 1)
    (running,) = claim(store)
    add(store, 1, operation="vmm.SHUTDOWN")
    add(store, 2)
    assert store.run(lambda tx: jobs.cancel(tx, "VM", 1)) == 2
    later = add(store, 1, operation="vmm.CANCEL")
    assert store.read_value(lambda tx: jobs.cancelled(tx, 1)) == [running.id]
    assert [job.oid for job in claim(store)] == [2]  # the cancelled one's processes may still run
    assert not finish(store, running)
    assert [job.id for job in claim(store)] == [later]


def test_taking_over(store: Store) -> None:
    for oid in range(3):
        add(store, oid)
    first, second, third = claim(store, token=4)
    store.run(lambda tx: jobs.cancel(tx, "VM", 1))
    assert store.run(lambda tx: jobs.requeue_stale(tx, 5)) == 2
    assert rows(store) == [(0, jobs.QUEUED, 2), (2, jobs.QUEUED, 2)]
    taken = claim(store, token=5)
    assert [(job.oid, job.attempt) for job in taken] == [(0, 2), (2, 2)]
    assert not finish(store, first, token=4)  # the old engine's answer comes too late
    assert finish(store, taken[0], token=5)
    assert store.run(lambda tx: jobs.requeue_stale(tx, 5)) == 0


def test_claims_that_nobody_holds(store: Store) -> None:
    for oid in range(3):
        add(store, oid)
    taken = claim(store)
    assert store.run(lambda tx: jobs.requeue_lost(tx, 1, frozenset({taken[1].id}))) == 2
    assert rows(store) == [(0, jobs.QUEUED, 1), (1, jobs.CLAIMED, 1), (2, jobs.QUEUED, 1)]


def test_counts(store: Store) -> None:
    for oid in range(3):
        add(store, oid)
    claim(store, limit=2)
    store.run(lambda tx: jobs.cancel(tx, "VM", 0))
    assert store.read_value(jobs.counts) == {"queued": 1, "running": 1, "cancelled": 1}
    assert store.read_value(lambda tx: jobs.has(tx, "VM", 2))
    assert store.read_value(lambda tx: jobs.has(tx, "VM", 2, "vmm.DEPLOY"))
    assert not store.read_value(lambda tx: jobs.has(tx, "VM", 2, "vmm.CANCEL"))


def test_adding_and_claiming_at_once(store: Store) -> None:
    """Claims between additions of other threads: every job is claimed exactly once."""

    def fill(first: int) -> None:
        for oid in range(first, first + 25):
            add(store, oid)
        store.close()

    threads = [threading.Thread(target=fill, args=(100 * number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    taken: list[int] = []
    while any(thread.is_alive() for thread in threads):
        taken += [job.oid for job in claim(store, limits=limits())]
    taken += [job.oid for job in claim(store, limits=limits())]
    assert sorted(taken) == [*range(100, 125), *range(200, 225)]
