"""The program itself: start, signals, files, and what it says when it cannot start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .front_end import SESSION, FakeVM, FrontEnd

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def location(tmp_path: Path) -> Path:
    """A prefix with credentials and the stock settings."""
    for name in ("etc", "var/.one"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "var/.one/one_auth").write_text(SESSION + "\n")
    (tmp_path / "etc/sched.conf").write_text((ROOT / "share/etc/sched.conf").read_text())
    return tmp_path


@pytest.fixture
def front_end() -> Iterator[FrontEnd]:
    with FrontEnd(2) as running:
        yield running


def start(location: Path, endpoint: str) -> subprocess.Popen[str]:
    env = {key: value for key, value in os.environ.items() if key != "ONE_AUTH"}
    env |= {"ONE_LOCATION": str(location), "ONE_XMLRPC": endpoint, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "services.scheduler"], env=env, stderr=subprocess.PIPE, text=True
    )


def log_of(location: Path) -> str:
    file = location / "var/sched.log"
    return file.read_text() if file.exists() else ""


def test_it_places_reloads_and_ends(location: Path, front_end: FrontEnd) -> None:
    program = start(location, front_end.endpoint)
    front_end.add(*[FakeVM(number) for number in range(6)])
    assert front_end.wait_for(lambda: all(vm.state == 3 for vm in front_end.vms.values()), 15)
    assert time.time() - (location / "var/run/scheduler.alive").stat().st_mtime < 6
    (location / "etc/sched.conf").write_text("SCHED_INTERVAL = 0")
    program.send_signal(signal.SIGHUP)
    assert wait(lambda: "SCHED_INTERVAL must lie between 1 and 86400, found 0" in log_of(location))
    (location / "etc/sched.conf").write_text("SCHED_INTERVAL = 7")
    program.send_signal(signal.SIGHUP)
    assert wait(lambda: "settings were read again" in log_of(location))
    program.terminate()
    assert program.wait(10) == 0
    lines = [line for line in log_of(location).splitlines() if "deployed on host" in line]
    assert len(lines) == 6 and all(", seed " in line for line in lines)
    assert "secret" not in log_of(location)


def test_it_waits_for_credentials_and_front_end(location: Path) -> None:
    (location / "var/.one/one_auth").unlink()
    with FrontEnd(1) as probe:
        port = probe.port
    program = start(location, f"http://127.0.0.1:{port}/RPC2")
    assert wait(lambda: "waiting for credentials" in log_of(location))
    (location / "var/.one/one_auth").write_text(SESSION)
    assert wait(lambda: "waiting for the front-end: Cannot connect" in log_of(location))
    with FrontEnd(1, port=port) as front_end:
        front_end.add(FakeVM(0))
        assert front_end.wait_for(lambda: front_end.vms[0].state == 3, 10)
        program.terminate()
        assert program.wait(10) == 0


def test_wrong_settings_stop_the_start_with_all_faults(location: Path) -> None:
    (location / "etc/sched.conf").write_text(
        'MAX_VM = -1\nDEFAULT_SCHED = [ POLICY = 3 ]\nLOG = [ SYSTEM = "tape" ]'
    )
    program = start(location, "http://127.0.0.1:1/RPC2")
    assert program.wait(10) == 1
    assert program.stderr is not None
    said = program.stderr.read()
    assert "MAX_VM must lie between 0" in said
    assert "DEFAULT_SCHED/POLICY = 3 needs a RANK" in said
    assert "LOG/SYSTEM must be file, std or syslog, found 'tape'" in said


def wait(done: object, timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if done():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False
