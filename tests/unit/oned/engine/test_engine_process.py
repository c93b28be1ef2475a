"""Engines as real processes: crash and take-over, hung hosts, cancelled work, a lost lease."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.common import wake
from services.oned.engine.cycle import LEASE_TTL_S
from services.oned.store import jobs
from tests.unit.oned.engine.conftest import ROOT, DummyZone

RUNNING, DONE = (3, 3), (6, 0)
NOTHING = {"queued": 0, "running": 0, "cancelled": 0}


class Engines:
    """Starts engine processes on a zone."""

    def __init__(self, zone: DummyZone) -> None:
        self._zone = zone
        self.processes: list[subprocess.Popen[bytes]] = []
        (zone.folder / "etc").mkdir()
        self.configure()

    def configure(self, more: str = "") -> None:
        settings = self._zone.conf.settings.copy()
        settings.remove("MONITORING_INTERVAL_HOST")
        text = settings.to_text() + "\n" + (more or "MONITORING_INTERVAL_HOST=600")
        (self._zone.folder / "etc/oned.conf").write_text(text + "\n")

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "services.oned.engine", *args]

    def start(self) -> subprocess.Popen[bytes]:
        with open(self._zone.folder / "engine.out", "ab") as out:
            made = subprocess.Popen(
                self.command(), cwd=ROOT, env={**os.environ, "PYTHONPATH": "."}, stderr=out
            )
        self.processes.append(made)
        return made

    def status(self) -> tuple[int, dict[str, object]]:
        done = subprocess.run(self.command("--status"), cwd=ROOT, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def engines(zone: DummyZone) -> Iterator[Engines]:
    made = Engines(zone)
    yield made
    made.stop()


def wait(done: Callable[[], bool], what: str, timeout_s: float = 60) -> float:
    """How long it took until ``done``."""
    began = time.monotonic()
    while time.monotonic() - began < timeout_s:
        if done():
            return time.monotonic() - began
        time.sleep(0.02)
    pytest.fail(f"not within {timeout_s} s: {what}")


def counts(zone: DummyZone) -> dict[str, int]:
    return zone.store.read_value(jobs.counts)


def script_runs(zone: DummyZone) -> list[int]:
    """The processes that run scripts of this zone."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{zone.folder}/var/remotes/".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_from_prolog_to_running_and_away(zone: DummyZone, engines: Engines) -> None:
    engines.start()
    host = zone.host("h1")
    vms = [zone.vm(host) for _ in range(5)]
    wake.notify()
    wait(lambda: all(zone.condition(vm) == RUNNING for vm in vms), "RUNNING")
    assert zone.domains() == sorted(f"h1/one-{vm}" for vm in vms)
    for vm in vms:
        zone.value("one.vm.action", "terminate", vm)
    wake.notify()
    wait(lambda: all(zone.condition(vm) == DONE for vm in vms), "DONE")
    assert (zone.domains(), counts(zone)) == ([], NOTHING)


@pytest.mark.parametrize(
    ("when", "exists"),
    [("DELAY_S", False), ("POST_DELAY_S", True)],
    ids=["before its work", "after its work"],
)
def test_killed_in_the_middle_of_a_deployment(
    zone: DummyZone, engines: Engines, when: str, exists: bool
) -> None:
    """The next engine takes over at once and the machine is started once, whether or not it was started."""
    engine = engines.start()
    vm = zone.vm(zone.host("h1"), f'DUMMY=[{when}="3",DELAY_ACTION="deploy"]')
    wake.notify()
    wait(lambda: bool(script_runs(zone)) and (bool(zone.domains()) == exists), "deploy under way")
    engine.kill()
    engine.wait()
    wait(lambda: not script_runs(zone), "the script is gone", 2)
    engines.start()
    wait(lambda: zone.condition(vm) == RUNNING, "RUNNING", LEASE_TTL_S - 1)
    assert (zone.domains(), counts(zone)) == ([f"h1/one-{vm}"], NOTHING)
    log = (zone.folder / "engine.out").read_text()
    assert ("was done already" in log) == exists


def test_killed_in_the_middle_of_a_shutdown(zone: DummyZone, engines: Engines) -> None:
    engine = engines.start()
    vm = zone.vm(zone.host("h1"), 'DUMMY=[POST_DELAY_S="3",DELAY_ACTION="shutdown"]')
    wake.notify()
    wait(lambda: zone.condition(vm) == RUNNING, "RUNNING")
    zone.value("one.vm.action", "poweroff", vm)
    wake.notify()
    wait(lambda: bool(script_runs(zone)) and not zone.domains(), "shutdown under way")
    engine.kill()
    engine.wait()
    engines.start()
    wait(lambda: zone.condition(vm) == (8, 0), "POWEROFF", LEASE_TTL_S - 1)
    assert (zone.domains(), counts(zone)) == ([], NOTHING)


def test_a_hung_host_does_not_delay_others(zone: DummyZone, engines: Engines) -> None:
    hung, well = zone.host("hung"), zone.host("well")
    settings = zone.folder / "var/remotes/etc/dummy/hosts"
    settings.mkdir()
    (settings / "hung").write_text("DELAY_S=600\n")
    stuck = [zone.vm(hung) for _ in range(80)]
    fine = [zone.vm(well) for _ in range(10)]
    engines.start()
    wait(lambda: all(zone.condition(vm) == RUNNING for vm in fine), "the well host's VMs RUNNING")
    assert not any(zone.condition(vm) == RUNNING for vm in stuck)
    with zone.store.read() as tx:
        running = tx.one("SELECT COUNT(*) FROM onebox_job WHERE kind = 'VM' AND state = ?", jobs.CLAIMED)
    assert running == (64 // 3,)  # the host's share of the driver's -t 64


def test_cancelled_work_is_killed_and_its_result_dropped(zone: DummyZone, engines: Engines) -> None:
    engines.start()
    vm = zone.vm(zone.host("h1"), 'DUMMY=[DELAY_S="60",DELAY_ACTION="shutdown"]')
    wake.notify()
    wait(lambda: zone.condition(vm) == RUNNING, "RUNNING")
    zone.value("one.vm.action", "terminate", vm)
    wake.notify()
    wait(lambda: bool(script_runs(zone)), "shutdown under way")
    zone.value("one.vm.action", "terminate-hard", vm)
    wake.notify()
    wait(lambda: zone.condition(vm) == DONE, "DONE")
    assert (zone.domains(), script_runs(zone), counts(zone)) == ([], [], NOTHING)


def test_status_and_standing_by(zone: DummyZone, engines: Engines) -> None:
    assert engines.status()[0] == 1
    first = engines.start()
    wait(lambda: engines.status()[0] == 0, "the first engine holds the lease")
    second = engines.start()
    time.sleep(1.5)
    code, status = engines.status()
    assert (code, status["token"], status["jobs"]) == (0, 1, NOTHING)
    assert f"pid={first.pid} " in str(status["holder"])
    first.terminate()
    assert first.wait(30) == 0
    wait(lambda: f"pid={second.pid} " in str(engines.status()[1]["holder"]), "the second took over")


def test_a_stopped_engine_loses_its_lease_and_writes_nothing(zone: DummyZone, engines: Engines) -> None:
    """SIGSTOP for longer than the lease: its actions are killed, another engine works, the first gives up."""
    first = engines.start()
    vm = zone.vm(zone.host("h1"), 'DUMMY=[DELAY_S="2",DELAY_ACTION="deploy"]')
    wake.notify()
    wait(lambda: bool(script_runs(zone)), "deploy under way")
    # Stopped in the middle of a transaction, it would hold SQLite's lock as long as it is stopped.
    time.sleep(0.5)
    first.send_signal(signal.SIGSTOP)
    engines.start()
    took_s = wait(lambda: zone.condition(vm) == RUNNING, "RUNNING by the second", LEASE_TTL_S + 50)
    assert took_s > LEASE_TTL_S / 2  # the first one is alive, so its lease had to run out
    first.send_signal(signal.SIGCONT)
    assert first.wait(30) == 1
    assert zone.condition(vm) == RUNNING
    assert (zone.domains(), counts(zone)) == ([f"h1/one-{vm}"], NOTHING)


def test_hosts_are_monitored_again_and_again(zone: DummyZone, engines: Engines) -> None:
    host = zone.host("h1")
    engines.configure("MONITORING_INTERVAL_HOST=1")
    engines.start()
    wait(lambda: "<STATE>2</STATE>" in zone.value("one.host.info", host, False), "MONITORED")
    (zone.folder / "var/remotes/etc/dummy/dummyrc").write_text("FAIL=im/monitor\n")
    wait(lambda: "<STATE>3</STATE>" in zone.value("one.host.info", host, False), "ERROR")
    (zone.folder / "var/remotes/etc/dummy/dummyrc").write_text("TOTALCPU=100\n")
    wait(lambda: "<TOTAL_CPU>100</TOTAL_CPU>" in zone.value("one.host.info", host, False), "the new capacity")
    assert "<STATE>2</STATE>" in zone.value("one.host.info", host, False)


def test_a_broken_configuration_is_one_clear_line(zone: DummyZone, engines: Engines) -> None:
    engines.configure("ENGINE_JOBS=many")
    done = subprocess.run(engines.command(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == ("opennebula-engine: ENGINE_JOBS must be a whole number, found 'many'")
