"""What is remembered between cycles: deployments under way, refusals, messages; and which events matter."""

from __future__ import annotations

import pytest

from services.scheduler.books import (
    FAILURES_KEPT_S,
    FIRST_DELAY_S,
    Books,
    count_under_way,
)
from services.scheduler.explain import Reason
from services.scheduler.messages import FIGURES_EVERY_S, MessageBook, attribute
from services.scheduler.plan import Dispatch
from services.scheduler.watch import Reader

from .clouds import hosts, vm


def dispatch(vm_id: int, host_id: int = 0) -> Dispatch:
    return Dispatch(vm_id, host_id, ds_id=0, cpu=100, memory_kb=1024, rank=0, round=1)


def test_deployments_under_way_are_counted_once() -> None:
    found = hosts({"vms": [1], "cpu_used": 100, "memory_used": 1}, {})
    count_under_way(
        found, {1: dispatch(1), 2: dispatch(2), 3: dispatch(3, host_id=1), 4: dispatch(4, host_id=99)}
    )
    assert [(h.cpu_usage, h.memory_usage_kb, h.running_vms) for h in found] == [
        (200, 2048, 2),
        (100, 1024, 1),
    ]
    assert found[0].vm_ids == (1, 2)


def test_an_answer_ends_a_deployment() -> None:
    books = Books()
    books.start([dispatch(1), dispatch(2)])
    books.done(dispatch(1))
    books.refused(dispatch(2), "no", now=0)
    assert books.under_way() == {}


def test_delays_double_up_to_a_limit_and_are_of_one_host() -> None:
    books, now, delays = Books(), 1000.0, []
    for _ in range(10):
        books.refused(dispatch(1), "no", now)
        assert books.avoid(now) == {1: frozenset([0])}
        until = now
        while books.avoid(until)[1]:
            until += 0.5
        delays.append(until - now)
        now = until
    assert delays == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_vm_that_is_refused_everywhere_pauses() -> None:
    books = Books()
    for host_id in (0, 1):
        books.refused(dispatch(1, host_id), "no", now=0)
        assert not books.is_paused(1, now=0)
    books.refused(dispatch(1, 2), "no, says host 2", now=0)
    assert books.is_paused(1, now=0.5) and not books.is_paused(1, now=1.5)
    assert books.next_try_s(now=0.5) == 0.5
    assert books.last_answer(1) == "no, says host 2"


def test_refusals_are_forgotten_when_the_vm_is_gone_or_placed() -> None:
    books = Books()
    for vm_id in (1, 2, 3):
        books.refused(dispatch(vm_id), "no", now=0)
    books.done(dispatch(3))
    books.keep_only([2])
    assert books.avoid(now=1) == {2: frozenset([0])}
    assert books.next_try_s(now=10) == float("inf")


# -- messages ------------------------------------------------------------------------------------------
LACKS_CPU = Reason(hosts=2, counts={"cpu": 2})


def test_a_message_is_written_when_its_kind_changes() -> None:
    book, one = MessageBook(), vm(1)
    assert book.due([one], {1: LACKS_CPU}, {}, now=0) == [
        (1, "Cannot be placed on any of 2 hosts: 2 lack CPU")
    ]
    assert book.due([one], {1: LACKS_CPU}, {}, now=1) == []
    changed = Reason(hosts=2, counts={"memory": 2})
    assert book.due([one], {1: changed}, {}, now=2) == [
        (1, "Cannot be placed on any of 2 hosts: 2 lack memory")
    ]


def test_new_figures_are_written_now_and_then() -> None:
    book, one, more = MessageBook(), vm(1), Reason(hosts=3, counts={"cpu": 3})
    book.due([one], {1: LACKS_CPU}, {}, now=0)
    assert book.due([one], {1: more}, {}, now=FIGURES_EVERY_S - 1) == []
    assert book.due([one], {1: more}, {}, now=FIGURES_EVERY_S + 1) == [(1, more.text())]


def test_a_message_that_the_vm_has_is_not_written_again() -> None:
    known = vm(1, message=f"Sat Nov  1 03:14:38 2026: {LACKS_CPU.text()}")
    assert MessageBook().due([known], {1: LACKS_CPU}, {}, now=0) == []


def test_the_last_refusal_is_told_on_one_line_without_quotes() -> None:
    reason = Reason(hosts=1, counts={"backoff": 1})
    ((_, text),) = MessageBook().due([vm(1)], {1: reason}, {1: 'said "no"\nand \\meant it'}, now=0)
    assert text.endswith("1 refused it shortly before. Last refusal: said 'no' and /meant it")
    assert attribute(text, now=0).count('"') == 2


# -- events ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        ("VM", {"state": 1, "lcm_state": 0}, True),
        ("VM", {"state": 4, "lcm_state": 0}, True),
        ("VM", {"state": 6, "lcm_state": 0}, True),
        ("VM", {"state": 9, "lcm_state": 0}, True),
        ("VM", {"state": 2, "lcm_state": 0}, False),
        ("VM", {"state": 3, "lcm_state": 1}, False),
        ("VM", {"state": 8, "lcm_state": 0}, False),
        ("VM", None, False),
        ("HOST", {"state": 2}, True),
        ("DATASTORE", {}, True),
        ("CLUSTER", {}, True),
        ("IMAGE", {"state": 1}, False),
    ],
)
def test_events_that_matter(kind: str, payload: object, expected: bool) -> None:
    reader = Reader(lambda vm_id, host_id: None)
    assert (
        reader.matters({"id": 1, "kind": "STATE", "object": kind, "oid": 1, "payload": payload}) is expected
    )


@pytest.mark.parametrize("kind", ["ACL", "VDC", "USER", "VMGROUP", "VM"])
def test_changes_without_a_state_matter(kind: str) -> None:
    reader = Reader(lambda vm_id, host_id: None)
    assert reader.matters(
        {"id": 1, "kind": "CHANGE", "object": kind, "oid": 1, "payload": {"method": "one.x"}}
    )


def test_a_vm_that_has_moved_gave_its_old_host_back() -> None:
    reader = Reader(lambda vm_id, host_id: None)

    def tell(lcm_state: int, vm_id: int = 5) -> bool:
        payload = {"state": 3, "lcm_state": lcm_state, "host": 1}
        return reader.matters({"kind": "STATE", "object": "VM", "oid": vm_id, "payload": payload})

    assert [tell(3), tell(7), tell(8), tell(35), tell(3), tell(3)] == [False] * 4 + [True, False]
    assert [tell(4), tell(3, vm_id=6), tell(3)] == [False, False, True]


def test_a_failed_start_is_told_and_keeps_the_vm_from_that_host() -> None:
    books = Books()
    now = 100.0
    reader = Reader(lambda vm_id, host_id: books.failed(vm_id, host_id, now))
    boot_failure = {"state": 3, "lcm_state": 36, "host": 4}
    assert not reader.matters({"kind": "STATE", "object": "VM", "oid": 7, "payload": boot_failure})
    assert books.avoid(now) == books.failed_hosts(now) == {7: frozenset([4])}
    assert books.next_try_s(now) == FIRST_DELAY_S
    books.keep_only([])  # it is neither waiting nor under way: it has failed
    assert books.avoid(now + FIRST_DELAY_S - 1) == {7: frozenset([4])}
    assert books.avoid(now + FIRST_DELAY_S + 1) == {}
    assert books.failed_hosts(now + FIRST_DELAY_S + 1) == {7: frozenset([4])}, "others come first for longer"
    books.failed(7, 4, now)
    assert books.next_try_s(now) == 2 * FIRST_DELAY_S, "twice as long the second time"
    books.failed(8, 4, now)
    assert books.avoid(now) == {7: frozenset([4]), 8: frozenset([4])}
    assert books.failed_hosts(now + 3 * FIRST_DELAY_S + FAILURES_KEPT_S) == {}
    books.failed(7, 4, now)
    assert books.next_try_s(now) == FIRST_DELAY_S, "long forgotten"
