"""When agents are started again, and how old samples go; starting and stopping agents by calls."""

from __future__ import annotations

import logging
import time

import pytest

from services.oned.model.host import Host, HostState
from services.oned.monitor.clock import Clock
from services.oned.monitor.conf import MonitorConf
from services.oned.monitor.lease import LEASE
from services.oned.store import Tx, leases, monitoring
from services.oned.store.leases import LeaseLost
from tests.support.core import Core

SILENCE = 180


@pytest.fixture
def host(core: Core) -> int:
    """A host with an agent; what its creation asked for is dropped."""
    oid: int = core.call("host.allocate", "n1", "kvm", "kvm", 0)
    assert work(core) == [("im.START", "kvm", "n1")]
    done(core)
    return oid


@pytest.fixture
def clock(core: Core) -> Clock:
    token = core.store.run(lambda tx: leases.acquire(tx, LEASE, "me", 1000))
    assert token is not None
    return Clock(core.store, MonitorConf(), token)


def work(core: Core) -> list[tuple[object, ...]]:
    return core.rows("SELECT operation, driver, host FROM onebox_job WHERE state <> 3 ORDER BY id")


def done(core: Core) -> None:
    core.change("DELETE FROM onebox_job")


def set_state(core: Core, oid: int, state: HostState) -> None:
    def change(tx: Tx) -> None:
        found = Host.load(tx, oid)
        found.state = state
        found.save(tx)

    core.store.run(change)


def test_a_silent_hosts_agent_is_started_again(core: Core, host: int, clock: Clock) -> None:
    assert clock.look(0.0) == [host]
    assert clock.run(SILENCE - 1) == 0
    clock.heard([host, 99], 100.0)
    assert clock.run(SILENCE + 1) == 0 and work(core) == []
    assert clock.run(100.0 + SILENCE) == 1
    assert work(core) == [("im.START", "kvm", "n1")]
    assert clock.run(100.0 + 2 * SILENCE) == 0, "one that is under way is enough"
    done(core)
    assert clock.run(100.0 + 2 * SILENCE + 1) == 0
    assert clock.run(100.0 + 3 * SILENCE) == 1


def test_a_host_whose_messages_do_not_arrive_is_told_from_a_silent_one(
    core: Core, host: int, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    set_state(core, host, HostState.MONITORED)
    said = []
    caplog.set_level(logging.INFO, logger="MON")
    for number in range(1, 5):
        clock.look(number * 2.0 * SILENCE)
        if number == 4:
            clock.heard([host], 7.0 * SILENCE)
        clock.run(number * 2.0 * SILENCE)
        said.append([record.getMessage() for record in caplog.records if "--Mark--" not in record.message])
        caplog.clear()
        done(core)
    silent = f"host {host}: not heard of, its agent is started again"
    lost = f"host {host}: its agent can be started, but nothing that it sends arrives at port 4124"
    assert said[0] == [] and said[1] == [silent] and said[3] == [silent]
    assert len(said[2]) == 1 and said[2][0].startswith(lost)
    set_state(core, host, HostState.ERROR)
    clock.look(10.0 * SILENCE)
    clock.run(10.0 * SILENCE)
    assert [record.getMessage() for record in caplog.records if "--Mark--" not in record.message] == [silent]


def test_a_lost_host_that_is_heard_again_need_not_wait(core: Core, host: int, clock: Clock) -> None:
    set_state(core, host, HostState.ERROR)
    clock.look(0.0)
    assert clock.run(10.0) == 0
    clock.heard([host], 10.0)
    assert clock.run(10.0) == 1
    done(core)
    clock.heard([host], 30.0)
    assert clock.run(30.0) == 0, "not more than once a minute"
    assert clock.run(71.0) == 1


def test_polled_hosts_have_no_agent(core: Core, clock: Clock) -> None:
    core.call("host.allocate", "d", "dummy", "dummy", 0)
    done(core)
    clock.look(0.0)
    assert clock.run(1000.0) == 0 and work(core) == []


def test_offline_hosts_are_left_alone_and_show_nothing(core: Core, host: int, clock: Clock) -> None:
    core.store.run(lambda tx: monitoring.add_host_sample(tx, host, 5, "<MONITORING/>"))
    core.call("host.status", host, 2)
    assert work(core) == [("im.STOP", "kvm", "n1")]
    done(core)
    assert clock.look(0.0) == []
    assert clock.run(1000.0) == 0 and work(core) == []
    core.call("host.status", host, 0)
    assert work(core) == [("im.START", "kvm", "n1")]


def test_without_the_lease_nothing_is_done(core: Core, host: int, clock: Clock) -> None:
    clock.look(0.0)
    core.change("UPDATE onebox_lease SET token = token + 1")
    with pytest.raises(LeaseLost):
        clock.run(1000.0)
    assert work(core) == []


@pytest.mark.parametrize("kind", ["HOST", "VM"])
def test_old_samples_go(core: Core, host: int, clock: Clock, kind: str) -> None:
    now = int(time.time())
    rows = [(oid, moment, "<MONITORING/>") for oid in range(600) for moment in (now - 43_300, now - 60)]
    core.store.run(lambda tx: monitoring.add_samples(tx, kind, rows))
    table = f"{kind.lower()}_monitoring"
    clock.look(0.0)
    clock.run(0.0)
    assert core.rows(f"SELECT COUNT(*) FROM {table}") == [(600,)]
    for _ in range(3):
        clock.run(0.0)
    assert core.rows(f"SELECT COUNT(*) FROM {table}") == [(600,)]


# -- calls -------------------------------------------------------------------------------------------------
def test_deleting_a_host_ends_its_agent(core: Core, host: int) -> None:
    core.call("host.status", host, 0)
    core.call("host.delete", host)
    assert work(core) == [("im.STOP", "kvm", "n1")]
    assert core.zone.store.read_value(lambda tx: monitoring.host_states(tx)) == {}


def test_disabling_does_not(core: Core, host: int) -> None:
    core.call("host.status", host, 1)
    assert work(core) == []


def test_a_stop_that_is_still_under_way_does_not_keep_a_start_away(core: Core, host: int) -> None:
    core.call("host.status", host, 0)
    core.change("UPDATE onebox_job SET state = 1, token = 1")
    core.call("host.status", host, 2)
    core.call("host.status", host, 0)
    assert [row[0] for row in work(core)] == ["im.STOP", "im.START"]


def test_a_renamed_host_is_another_machine(core: Core, host: int) -> None:
    core.call("host.rename", host, "n2")
    assert work(core) == [("im.STOP", "kvm", "n1"), ("im.START", "kvm", "n2")]
