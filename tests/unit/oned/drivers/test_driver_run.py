"""Processes: time limits, bounded output, clean environment, the guard."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from services.oned.drivers import run
from services.oned.drivers.run import OUTPUT_LIMIT_BYTES, Command, Outcome, Runner

ROOT = Path(__file__).resolve().parents[4]
Script = Callable[..., Path]


def outcome_of(path: Path, *args: str, timeout_s: float = 20, stdin: bytes = b"") -> Outcome:
    async def go() -> Outcome:
        with closing(Runner()) as runner:
            return await runner.run(Command((str(path), *args), timeout_s, stdin))

    return asyncio.run(go())


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(done: Callable[[], bool], timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if done():
            return True
        time.sleep(0.02)
    return done()


def test_output_error_and_code(script: Script) -> None:
    outcome = outcome_of(script('cat; echo "$1 $2"; echo problem >&2; exit 3'), "a b", "c", stdin=b"in\n")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (3, "in\na b c\n", "problem\n")
    assert not outcome.timed_out


def test_an_action_tells_how_far_it_is(script: Script) -> None:
    told: list[str] = []
    path = script(
        "echo 'INFO: half' >&2; echo other >&2; printf 'INFO: a' >&2; sleep 0.1; echo 'll' >&2; sleep 60"
    )

    async def go() -> Outcome:
        with closing(Runner()) as runner:
            stop = asyncio.Event()

            def tell(line: str) -> None:
                told.append(line)
                if len(told) == 2:
                    stop.set()  # told while the action runs, which goes on for a minute

            return await runner.run(Command((str(path),), 100), stop, tell)

    outcome = asyncio.run(go())
    assert told == ["half", "all"]
    assert outcome.stderr == "INFO: half\nother\nINFO: all\n"


def test_a_large_input_does_not_block(script: Script) -> None:
    assert outcome_of(script("wc -c"), stdin=b"x" * 3_000_000).stdout.strip() == "3000000"


def test_environment_folder_and_session(
    script: Script, location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if "proxy" in name.lower() or name.startswith("SSL_CERT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("SECRET_OF_THE_ENGINE", "x")
    monkeypatch.setenv("ONE_AUTH", "/some/file")
    outcome = outcome_of(script("env; pwd; ps -o sid= -p $$ | tr -d ' '; echo $$"))
    *env, folder, session, pid = outcome.stdout.splitlines()
    names = {line.partition("=")[0] for line in env}
    expected = {"PATH", "HOME", "ONE_LOCATION", "ONE_AUTH", "LANG", "LC_ALL", "ONEBOX_STEP", "no_proxy"}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} - {"ONE_XMLRPC"} == expected
    assert "LANG=C" in env
    assert folder == str(location / "var")
    assert session == pid


def test_the_time_limit_kills_the_whole_group(
    script: Script, location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_TERM_GRACE_S", 0.3)
    path = script("trap '' TERM; (trap '' TERM; echo $$; sleep 60) & sleep 60 & echo $! > kid; wait; wait")
    began = time.monotonic()
    outcome = outcome_of(path, timeout_s=0.3)
    assert outcome.timed_out
    assert outcome.code == -signal.SIGKILL
    assert time.monotonic() - began < 5
    kid = int((location / "var/kid").read_text())
    assert wait_until(lambda: not is_alive(kid))


def test_term_comes_first(script: Script) -> None:
    outcome = outcome_of(script("trap 'echo cleaned; exit 9' TERM; sleep 60 & wait"), timeout_s=0.3)
    assert (outcome.timed_out, outcome.code, outcome.stdout) == (True, 9, "cleaned\n")


def test_output_is_bounded(script: Script) -> None:
    body = (
        "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo last; "
        "{ echo first; head -c 3000000 /dev/zero | tr '\\0' y; echo last; } >&2"
    )
    outcome = outcome_of(script(body))
    assert outcome.code == 0
    assert (len(outcome.stdout), len(outcome.stderr)) == (OUTPUT_LIMIT_BYTES, OUTPUT_LIMIT_BYTES)
    assert outcome.stdout.startswith("first\n") and outcome.stderr.endswith("ylast\n")
    assert outcome.dropped_bytes == 2 * (3_000_000 + 11 - OUTPUT_LIMIT_BYTES)


def test_a_child_left_behind_does_not_hold_up_the_result(script: Script, location: Path) -> None:
    began = time.monotonic()
    outcome = outcome_of(script("sleep 30 & echo $! > kid; echo done"))
    assert (outcome.code, outcome.stdout) == (0, "done\n")
    assert time.monotonic() - began < 5
    os.kill(int((location / "var/kid").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("mode", [None, 0o644])
def test_what_cannot_be_started(script: Script, location: Path, mode: int | None) -> None:
    path = location / "var/remotes/none"
    if mode is not None:
        path = script("exit 0")
        path.chmod(mode)
    outcome = outcome_of(path)
    assert outcome.code is None
    assert str(path) in outcome.fault


def test_stopping(script: Script, location: Path) -> None:
    async def go() -> Outcome:
        with closing(Runner()) as runner:
            stop = asyncio.Event()
            asyncio.get_running_loop().call_later(0.3, stop.set)
            return await runner.run(Command((str(script("sleep 60 & echo $! > kid; wait")),), 60), stop)

    outcome = asyncio.run(go())
    assert outcome.stopped and not outcome.timed_out
    assert wait_until(lambda: not is_alive(int((location / "var/kid").read_text())))


def test_without_pidfd(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, flags: int = 0) -> int:
        raise PermissionError(1, "not allowed")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    assert outcome_of(script("sleep 0.1; exit 4")).code == 4


# -- the guard ---------------------------------------------------------------------------------------
ENGINE = """
import asyncio, sys
from services.oned.drivers.run import Command, Runner

async def go():
    runner = Runner()
    runner.heartbeat(float(sys.argv[2]))
    await runner.run(Command((sys.argv[1],), 60))

asyncio.run(go())
"""


@pytest.mark.parametrize(("number", "valid_s"), [(signal.SIGKILL, 60.0), (signal.SIGSTOP, 1.0)])
def test_actions_die_with_their_engine(
    script: Script, location: Path, number: signal.Signals, valid_s: float
) -> None:
    """Killed or just stopped: the engine's actions, and what they started, are gone soon after."""
    path = script("sleep 60 & echo $! > kid.part; mv kid.part kid; wait")
    engine = subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(path), str(valid_s)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "."},
    )
    try:
        assert wait_until((location / "var/kid").exists)
        kid = int((location / "var/kid").read_text())
        assert is_alive(kid)
        engine.send_signal(number)
        assert wait_until(lambda: not is_alive(kid), 5)
    finally:
        engine.kill()
        engine.wait()


def test_a_dead_guard_is_replaced_and_knows_what_runs(script: Script, location: Path) -> None:
    async def go() -> tuple[int, int, Outcome]:
        with closing(Runner()) as runner:
            path = script("echo $$ > pid.part; mv pid.part pid; sleep 60")
            task = asyncio.create_task(runner.run(Command((str(path),), 60)))
            while not (location / "var/pid").exists():
                await asyncio.sleep(0.02)
            first = guard_of(runner)
            first.kill()
            first.wait()
            runner.heartbeat(0.3)
            return first.pid, guard_of(runner).pid, await task

    first, second, outcome = asyncio.run(go())
    assert first != second
    assert outcome.code == -signal.SIGKILL  # the new guard ended it when no word came


def guard_of(runner: Runner) -> subprocess.Popen[bytes]:
    assert runner._guard is not None
    return runner._guard
