"""The wrapper around each program: what it waits for, what it keeps secret."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bootstrap import params, places, start
from services.common import paths
from tests.unit.bootstrap.conftest import Runner

SECRETS = {param.name: "geheim" for param in params.PARAMS if param.secret}


def test_parameters_do_not_reach_programs() -> None:
    environ = SECRETS | {"PATH": "/bin", "OPENNEBULA_HOST": "x", "ONE_LOCATION": "/x", "AWS_SECRET": "y"}
    clean = start.clean_environment(environ, {"EXTRA": "1"})
    assert "geheim" not in clean.values() and "AWS_SECRET" not in clean and "OPENNEBULA_HOST" not in clean
    assert clean["ONE_LOCATION"] == "/x" and clean["EXTRA"] == "1" and clean["PATH"] == "/bin"
    assert clean["PYTHONPATH"] == str(places.CODE)


def test_waiting_ends_at_its_deadline(prefix: Path) -> None:
    began = time.monotonic()
    assert start.wait_for("one_auth", 0.2) is False
    assert 0.2 <= time.monotonic() - began < 2


def test_waiting_ends_when_it_is_there(run: Runner) -> None:
    run(ONEBOX_PORT_OFFSET="49871")
    assert start.wait_for("one_auth", 0)
    assert start.wait_for("oned", 0) is False


def test_an_unknown_program_is_refused() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "bootstrap.start", "nope"],
        cwd=places.CODE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2 and "programs: crond, infinite-loop" in result.stderr


def test_a_program_ends_when_supervisor_dies(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    parent = subprocess.Popen(
        [
            sys.executable, "-c",
            "import subprocess, sys, time, pathlib;"
            "child = subprocess.Popen([sys.executable, '-m', 'bootstrap.start', 'infinite-loop']);"
            f"pathlib.Path({str(note)!r}).write_text(str(child.pid)); time.sleep(60)",
        ],
        cwd=places.CODE,
    )  # fmt: skip
    deadline = time.monotonic() + 10
    while not note.exists() or not note.read_text() or b"sleep" not in _command(int(note.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = int(note.read_text())
    parent.kill()
    parent.wait()
    while _command(child):
        assert time.monotonic() < deadline, "the program outlived its supervisor"
        time.sleep(0.02)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_secrets_are_not_in_the_environment_of_a_running_program(tmp_path: Path) -> None:
    environment = os.environ | SECRETS
    process = subprocess.Popen(
        [sys.executable, "-m", "bootstrap.start", "infinite-loop"], cwd=places.CODE, env=environment
    )
    try:
        deadline = time.monotonic() + 10
        while b"sleep" not in _command(process.pid):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert b"geheim" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    finally:
        process.kill()
        process.wait()


def test_what_an_earlier_run_left_behind_is_ended() -> None:
    mine = {"SUPERVISOR_PROCESS_NAME": "opennebula", "SUPERVISOR_SERVER_URL": "unix:///x/of-this-test.sock"}
    kinds = {
        "left": mine,
        "other program": mine | {"SUPERVISOR_PROCESS_NAME": "opennebula-engine"},
        "other instance": mine | {"SUPERVISOR_SERVER_URL": "unix:///x/another.sock"},
    }
    processes = {
        kind: subprocess.Popen(
            ["sleep", "60"], env={"PATH": "/bin:/usr/bin"} | environ, start_new_session=True
        )
        for kind, environ in kinds.items()
    }
    same_group = subprocess.Popen(["sleep", "60"], env={"PATH": "/bin:/usr/bin"} | mine)
    try:
        assert start.end_leftovers("opennebula", mine) == 1
        assert processes["left"].wait(5) == -9
        assert all(process.poll() is None for kind, process in processes.items() if kind != "left")
        assert same_group.poll() is None
        assert start.end_leftovers("opennebula", {}) == 0
    finally:
        for process in (*processes.values(), same_group):
            process.kill()
            process.wait()


def test_an_upgrade_takes_the_time_it_takes(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = paths.upgrade_note()
    note.parent.mkdir(parents=True)
    note.touch()
    asked = []

    def is_there() -> bool:
        asked.append(1)
        if len(asked) == 3:
            note.unlink()
        return False

    monkeypatch.setitem(start.WAITS, "oned", is_there)
    assert start.wait_for("oned", 0) is False
    assert len(asked) == 3, "given up at once, but not before the upgrade has ended"
