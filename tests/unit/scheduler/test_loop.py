"""The loop with its threads, against a small front-end: events, races, refusals, outages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.common.oca import Client
from services.scheduler.config import SchedConf
from services.scheduler.loop import Loop
from services.scheduler.watch import Watcher

from .clouds import conf
from .front_end import SESSION, FakeVM, FrontEnd


@contextmanager
def scheduler(front_end: FrontEnd, folder: Path, settings: SchedConf | None = None) -> Iterator[Loop]:
    """A running loop with a watcher."""
    settings = settings or conf(interval_s=3600)
    loop = Loop(settings, lambda: Client(front_end.endpoint, SESSION, 10), folder / "alive", lambda: None)
    watcher = Watcher(front_end.endpoint, SESSION, loop.changed, wait_s=2)
    thread = threading.Thread(target=loop.run)
    thread.start()
    watcher.start()
    try:
        yield loop
    finally:
        watcher.stop()
        loop.stop()
        thread.join(10)
        assert not thread.is_alive()


def running(front_end: FrontEnd, count: int) -> bool:
    return sum(vm.state == 3 for vm in front_end.vms.values()) == count


def test_twenty_vms_on_two_hosts_in_well_under_a_second(tmp_path: Path) -> None:
    with FrontEnd(2) as front_end, scheduler(front_end, tmp_path):
        assert front_end.wait_for(lambda: front_end.calls)
        began = time.monotonic()
        front_end.add(*[FakeVM(number) for number in range(20)])
        assert front_end.wait_for(lambda: running(front_end, 20))
        took_s = time.monotonic() - began
        per_host = [sum(vm.host_id == host for vm in front_end.vms.values()) for host in (0, 1)]
        assert per_host == [10, 10]
    assert took_s < 3, "the interval is an hour: only the events can have started the cycles"


def test_vms_that_wait_already_are_found_at_start(tmp_path: Path) -> None:
    with FrontEnd(1) as front_end:
        front_end.add(FakeVM(0))
        with scheduler(front_end, tmp_path):
            assert front_end.wait_for(lambda: running(front_end, 1))
    assert (tmp_path / "alive").exists()


def test_freed_capacity_and_new_hosts_start_a_cycle(tmp_path: Path) -> None:
    with FrontEnd(1, cpu=100) as front_end, scheduler(front_end, tmp_path):
        front_end.add(FakeVM(0), FakeVM(1), FakeVM(2))
        assert front_end.wait_for(lambda: running(front_end, 1))
        front_end.end(0)
        assert front_end.wait_for(lambda: front_end.vms[1].state == 3)
        front_end.set_host(5, 1)
        front_end.set_host(5, 2)
        assert front_end.wait_for(lambda: front_end.vms[2].host_id == 5)


def test_a_vm_that_waits_is_told_why_once(tmp_path: Path) -> None:
    with FrontEnd(1, cpu=100) as front_end, scheduler(front_end, tmp_path):
        front_end.add(FakeVM(0, cpu=4))
        assert front_end.wait_for(lambda: "SCHED_MESSAGE" in front_end.vms[0].user_template)
        text = front_end.vms[0].user_template["SCHED_MESSAGE"]
        assert ": Cannot be placed on any of 1 hosts: 1 lack CPU. " in text
        assert "Nearest is host h0: 400% CPU needed, 100% free. " in text
        for state in (2, 2, 2):
            before = front_end.count("one.hostpool.info")
            front_end.set_host(0, state)
            assert front_end.wait_for(lambda before=before: front_end.count("one.hostpool.info") > before)
        assert front_end.count("one.vm.update") == 1


def test_a_refused_deployment_goes_to_another_host_and_backs_off(tmp_path: Path) -> None:
    with FrontEnd(2) as front_end, scheduler(front_end, tmp_path):
        front_end.refuse = {(0, 0): "no", (0, 1): "no"}
        front_end.add(FakeVM(0), FakeVM(1))
        assert front_end.wait_for(lambda: front_end.vms[1].state == 3)
        assert front_end.wait_for(lambda: front_end.count("one.vm.deploy") == 3)
        assert front_end.wait_for(lambda: "SCHED_MESSAGE" in front_end.vms[0].user_template)
        assert (
            "2 refused it shortly before. Last refusal: no" in front_end.vms[0].user_template["SCHED_MESSAGE"]
        )
        with front_end.lock:
            front_end.refuse.clear()
        assert front_end.wait_for(lambda: front_end.vms[0].state == 3, timeout_s=10), "tried again by itself"
        hosts = [args[1] for name, args in front_end.calls if name == "one.vm.deploy" and args[0] == 0]
        assert set(hosts[:2]) == {0, 1}


def test_new_vms_are_planned_while_slow_deployments_go_on_and_nothing_is_overbooked(tmp_path: Path) -> None:
    with FrontEnd(2, cpu=1000) as front_end:
        front_end.deploy_delay_s = 0.3
        with scheduler(front_end, tmp_path, conf(interval_s=3600, dispatch_threads=4)):
            for first in range(0, 24, 4):
                front_end.add(*[FakeVM(number) for number in range(first, first + 4)])
                time.sleep(0.1)
            assert front_end.wait_for(lambda: running(front_end, 20), timeout_s=10)
            assert front_end.wait_for(lambda: front_end.count("one.vm.update") >= 4)
        assert front_end.over_capacity == []
        deployed = [args[0] for name, args in front_end.calls if name == "one.vm.deploy"]
        assert len(deployed) == len(set(deployed)) == 20


def test_nothing_is_asked_while_nothing_happens(tmp_path: Path) -> None:
    with FrontEnd(1, cpu=0) as front_end, scheduler(front_end, tmp_path):
        front_end.add(FakeVM(0))
        assert front_end.wait_for(lambda: front_end.count("one.vm.update") == 1)
        time.sleep(0.3)
        before = len(front_end.calls)
        time.sleep(1.0)
        assert len(front_end.calls) == before


def test_without_an_event_stream_the_interval_starts_cycles(tmp_path: Path) -> None:
    with FrontEnd(1) as front_end:
        front_end.has_events = False
        with scheduler(front_end, tmp_path, conf(interval_s=1)):
            time.sleep(0.3)
            front_end.add(FakeVM(0))
            assert front_end.wait_for(lambda: running(front_end, 1))


def test_a_front_end_that_goes_away_and_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with FrontEnd(1) as front_end, scheduler(front_end, tmp_path, conf(interval_s=1)):
        assert front_end.wait_for(lambda: front_end.calls)
        front_end.__exit__(None, None, None)
        time.sleep(1.5)
        with FrontEnd(1, port=front_end.port) as again:
            again.add(FakeVM(0))
            assert again.wait_for(lambda: running(again, 1), timeout_s=10)
    assert sum("no cycle" in record.message for record in caplog.records) <= 2, (
        "an outage is not a flood of lines"
    )


def test_a_vm_that_failed_on_a_host_gets_another_or_else_that_one(tmp_path: Path) -> None:
    with FrontEnd(2) as front_end, scheduler(front_end, tmp_path) as loop:
        for vm_id in (5, 6):
            loop.failed(vm_id, 0)
        loop.failed(6, 1)
        front_end.add(FakeVM(5), FakeVM(6))
        assert front_end.wait_for(lambda: running(front_end, 2))
        assert front_end.vms[5].host_id == 1, "not where it has failed"
        assert front_end.count("one.vm.deploy") == 2
