"""The health check and the listener, against a real Supervisor with small programs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap import ending, health, listener, places, supervisor

PROGRAM = "[program:{name}]\ncommand = {command}\nstartsecs = {startsecs}\nautorestart = {autorestart}\n"


@pytest.fixture
def short_prefix(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A prefix whose sockets have short names, as an instance's must."""
    with tempfile.TemporaryDirectory(prefix="onebox-unit-") as folder:
        prefix = Path(folder, "one")
        monkeypatch.setenv("ONE_LOCATION", str(prefix))
        yield prefix


@pytest.fixture
def running(short_prefix: Path) -> Iterator[supervisor.Supervisor]:
    """Supervisor with a program that runs, a one-shot that succeeded, and a one-shot that failed."""
    conf = supervisor.write_main_conf()
    places.failed().mkdir()
    commands = {
        "steady": ("sleep 60", 0, "true"),
        "once": ("true", 0, "unexpected"),
        "never": (f"{sys.executable} -c 'raise SystemExit(3)'", 0, "false"),
    }
    for name, (command, startsecs, autorestart) in commands.items():
        text = PROGRAM.format(name=name, command=command, startsecs=startsecs, autorestart=autorestart)
        (places.programs() / f"{name}.conf").write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(conf)], stdout=subprocess.DEVNULL
    )
    client = supervisor.Supervisor()
    deadline = time.monotonic() + 60
    while True:
        try:
            if {row["name"]: row["statename"] for row in client.processes()}.get("never") == "EXITED":
                break
        except supervisor.SupervisorError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield client
    process.terminate()
    process.wait(20)


def wait_state(client: supervisor.Supervisor, name: str, wanted: str) -> None:
    deadline = time.monotonic() + 60
    while client.call("getProcessInfo", name)["statename"] != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def note(programs: dict[str, str], *, maintenance: bool = False, ready_url: str = "") -> None:
    places.state().write_text(
        json.dumps({"programs": programs, "maintenance": maintenance, "ready_url": ready_url})
    )


def test_ready_when_all_that_should_run_runs(running: supervisor.Supervisor) -> None:
    note({"steady": "service", "once": "oneshot"})
    assert health.problems() == []


def test_a_line_for_each_problem(running: supervisor.Supervisor) -> None:
    note({"steady": "service", "once": "oneshot", "never": "oneshot", "absent": "service"})
    assert health.problems() == [
        "never: has not succeeded yet (EXITED, last exit code 3)",
        "absent: not known to Supervisor",
    ]


def test_a_stopped_program_is_a_problem_until_it_runs_again(running: supervisor.Supervisor) -> None:
    note({"steady": "service"})
    running.call("stopProcess", "steady")
    assert health.problems() == ["steady: is STOPPED, expected RUNNING"]
    running.call("startProcess", "steady")
    assert health.problems() == []


def test_a_core_that_does_not_answer_is_a_problem(running: supervisor.Supervisor) -> None:
    note({"steady": "service"}, ready_url="http://127.0.0.1:1/ready")
    [problem] = health.problems()
    assert problem.startswith("opennebula: http://127.0.0.1:1/ready does not answer")


def test_changed_programs_are_taken_over(running: supervisor.Supervisor) -> None:
    (places.programs() / "once.conf").unlink()
    (places.programs() / "steady.conf").write_text(
        PROGRAM.format(name="steady", command="sleep 61", startsecs=0, autorestart="true")
    )
    (places.programs() / "new.conf").write_text(
        PROGRAM.format(name="new", command="sleep 60", startsecs=0, autorestart="true")
    )
    assert running.update() == ["once: removed", "steady: stopped", "steady: updated", "new: added"]
    assert running.update() == []


def test_maintenance_and_unfinished_bootstrap_are_named(short_prefix: Path) -> None:
    places.supervisor().mkdir(parents=True)
    assert health.problems() == ["bootstrap has not finished"]
    note({"steady": "service"}, maintenance=True)
    assert health.problems() == ["maintenance mode"]


def test_the_grace_of_maintenance_ends(short_prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers that wait for this one get their chance; then it counts as unhealthy."""
    places.supervisor().mkdir(parents=True)
    note({"steady": "service"}, maintenance=True)
    monkeypatch.setattr("sys.argv", ["health", "--maintenance-grace-s", "20"])
    assert health.main() == 0
    old_s = places.state().stat().st_mtime - 21
    os.utime(places.state(), (old_s, old_s))
    assert health.main() == 1
    monkeypatch.setattr("sys.argv", ["health"])
    assert health.main() == 1


def test_a_silent_supervisor_is_a_problem(short_prefix: Path) -> None:
    supervisor.write_main_conf()
    note({})
    [problem] = health.problems()
    assert problem.startswith("Supervisor does not answer on its socket")


def test_the_password_of_the_socket_is_asked_for(running: supervisor.Supervisor) -> None:
    conf = places.supervisord_conf()
    lines = [line for line in conf.read_text().splitlines() if not line.startswith("password")]
    conf.write_text("\n".join(lines))
    with pytest.raises(supervisor.SupervisorError, match="401"):
        supervisor.Supervisor().processes()


# -- listener ---------------------------------------------------------------------------------------------


def event(name: str, program: str = "") -> str:
    payload = f"processname:{program} groupname:{program} from_state:BACKOFF" if program else "when:1"
    return (
        f"ver:3.0 server:onebox serial:1 pool:x poolserial:1 eventname:{name} len:{len(payload)}\n{payload}"
    )


def test_a_program_that_failed_is_noted_until_it_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outgoing = io.StringIO()
    listener.run(io.StringIO(event("PROCESS_STATE_FATAL", "steady")), outgoing, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["steady"]
    assert outgoing.getvalue() == "READY\nRESULT 2\nOKREADY\n"
    assert "steady: failed to start several times" in capsys.readouterr().err
    listener.run(io.StringIO(event("PROCESS_STATE_RUNNING", "steady")), io.StringIO(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_program_is_started_again_every_minute(running: supervisor.Supervisor) -> None:
    repaired = places.supervisor() / "repaired"
    text = PROGRAM.format(
        name="weak", command=f"sh -c 'cat {repaired} && sleep 60'", startsecs=1, autorestart="true"
    )
    (places.programs() / "weak.conf").write_text(text + "startretries = 0\n")
    running.update()
    note({"weak": "service"})
    wait_state(running, "weak", "FATAL")
    listener.run(io.StringIO(event("PROCESS_STATE_FATAL", "weak")), io.StringIO(), places.failed())
    assert "weak: is FATAL, since 20" in health.problems()[0]
    repaired.touch()
    listener.run(io.StringIO(event("TICK_60")), io.StringIO(), places.failed())
    wait_state(running, "weak", "RUNNING")


def test_a_tick_leaves_running_programs_alone(running: supervisor.Supervisor) -> None:
    gone = places.failed() / "gone"
    gone.touch()
    running_since = {row["name"]: row["start"] for row in running.processes()}
    (places.failed() / "steady").touch()
    listener.run(io.StringIO(event("TICK_60")), io.StringIO(), places.failed())
    assert not gone.exists(), "a program that Supervisor does not know any more is forgotten"
    assert {row["name"]: row["start"] for row in running.processes()} == running_since, "it runs: left alone"


def test_a_one_shot_follows_the_program_that_it_belongs_to(
    running: supervisor.Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_FOLLOWERS", {"steady": "once"})
    before = running.call("getProcessInfo", "once")["start"]
    deadline = time.monotonic() + 60
    # Supervisor counts in whole seconds.
    while running.call("getProcessInfo", "once")["start"] == before:
        assert time.monotonic() < deadline
        listener.run(io.StringIO(event("PROCESS_STATE_RUNNING", "steady")), io.StringIO(), places.failed())
        time.sleep(0.2)
    wait_state(running, "once", "EXITED")


def exited(program: str, expected: int) -> str:
    payload = f"processname:{program} groupname:{program} from_state:RUNNING expected:{expected} pid:1"
    return f"ver:3.0 eventname:PROCESS_STATE_EXITED len:{len(payload)}\n{payload}"


def test_a_start_that_is_given_up_ends_the_container(
    running: supervisor.Supervisor, short_prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_of_end = short_prefix / "var/run/bootstrap.failed"
    monkeypatch.setattr(places, "bootstrap_failed", lambda: note_of_end)
    places.given_up().parent.mkdir(parents=True)
    program = "opennebula-configure"
    # Without a reason, or when it has succeeded, nothing ends.
    listener.run(io.StringIO(exited(program, 0)), io.StringIO(), places.failed())
    places.given_up().write_text("OPENNEBULA_BATCH_FILE: /x,\nline 3\n")
    listener.run(io.StringIO(exited(program, 1) + exited("steady", 0)), io.StringIO(), places.failed())
    assert not note_of_end.exists()
    listener.run(io.StringIO(exited(program, 0)), io.StringIO(), places.failed())
    assert note_of_end.read_text() == (
        "bootstrap: [opennebula-configure] failed: OPENNEBULA_BATCH_FILE: /x, line 3\n"
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            running.call("getPID")
        except supervisor.SupervisorError:
            break
        assert time.monotonic() < deadline, "Supervisor goes on"
        time.sleep(0.05)


def test_a_link_is_no_reason(short_prefix: Path) -> None:
    places.given_up().parent.mkdir(parents=True)
    (short_prefix / "secret").write_text("geheim")
    places.given_up().symlink_to(short_prefix / "secret")
    assert ending.given_up() == ""
