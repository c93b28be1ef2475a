"""Running plans: order, failure and undo, probes after a crash, time limits, files."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from services.oned.drivers.execute import Result, execute
from services.oned.drivers.run import Runner
from services.oned.drivers.step import File, Probe, Slot, Step, When
from services.oned.drivers.table import Takeover
from services.oned.store.jobs import Job

JOB = Job(1, "VM", 7, "vmm.DEPLOY", "x", "node1", {}, 1, None, 0)


@pytest.fixture
def step(script: Callable[..., Path]) -> Callable[..., Step]:
    """Makes a step whose script notes that it ran: step(name, body, further fields of Step)."""

    def make(name: str, body: str = "", *args: str | Slot, **more: object) -> Step:
        script(f'echo "{name} $*" >> ran\n{body}', f"test/x/{name}")
        made = Step("test", "x", name, args, 20)
        return dataclasses.replace(made, **more)  # type: ignore[arg-type]

    return make


def run(steps: list[Step], job: Job = JOB) -> Result:
    async def go() -> Result:
        with closing(Runner()) as runner:
            return await execute(runner, job, steps, asyncio.Event())

    return asyncio.run(go())


def ran(location: Path) -> list[str]:
    path = location / "var/ran"
    return [line.strip() for line in path.read_text().splitlines()] if path.exists() else []


Steps = Callable[..., Step]


def test_success(step: Steps, location: Path) -> None:
    steps = [
        step("pre", "echo noise"),
        step("deploy", "echo log line; echo id-42", gives_output=True),
        step("post", "echo more noise", Slot.DEPLOY_ID, "node1"),
    ]
    result = run(steps)
    assert (result.ok, result.output, result.message) == (True, "log line\nid-42\n", "")
    assert ran(location) == ["pre", "deploy", "post id-42 node1"]


def test_failure_stops_and_undoes(step: Steps, location: Path) -> None:
    undo = (step("cancel", "exit 1", Slot.DEPLOY_ID), step("clean"))
    steps = [
        step("deploy", "echo id-1", gives_output=True, undo=(step("never"),)),
        step("post", "echo 'no bridge' >&2; exit 2", undo=undo),
        step("after"),
    ]
    result = run(steps)
    assert (result.ok, result.message) == (False, "test/x/post: no bridge")
    assert ran(location) == ["deploy", "post", "cancel id-1", "clean"]


def test_ignored_failures(step: Steps, location: Path) -> None:
    result = run([step("a", "exit 1", ignore_failure=True), step("b")])
    assert result.ok
    assert ran(location) == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("exit 7", "test/x/a ended with exit code 7 and no message"),
        ("kill -9 $$", "test/x/a was killed by signal 9"),
        ("echo x >&2; sleep 30", "test/x/a did not end in time and was killed: x"),
    ],
)
def test_messages(step: Steps, body: str, text: str) -> None:
    assert run([step("a", body, timeout_s=0.5)]).message == text


def test_a_missing_action(location: Path) -> None:
    result = run([Step("test", "x", "none", (), 5)])
    assert not result.ok
    assert result.message == f"there is no driver action {location}/var/remotes/test/x/none"


def test_the_time_limit_of_the_whole_job(step: Steps) -> None:
    job = dataclasses.replace(JOB, timeout_s=1)
    result = run([step("a"), step("b", "sleep 30")], job)
    assert "test/x/b did not end in time" in result.message


@pytest.mark.parametrize(
    ("attempt", "poll", "expected"),
    [
        (1, "echo STATE=a", ["deploy"]),
        (2, "echo STATE=a CPU=1", ["poll"]),
        (2, "echo STATE=d", ["poll", "deploy"]),
        (2, "echo STATE=a; exit 1", ["poll", "deploy"]),
    ],
)
def test_a_takeover_asks_first(
    step: Steps, location: Path, attempt: int, poll: str, expected: list[str]
) -> None:
    probe = Probe(step("poll", poll), Takeover.ACTIVE, "one-7")
    deploy = step("deploy", "echo one-7", gives_output=True, probe=probe)
    result = run([deploy], dataclasses.replace(JOB, attempt=attempt))
    assert (result.ok, result.output.strip()) == (True, "one-7")
    assert ran(location) == expected


@pytest.mark.parametrize(
    ("poll", "expected", "message"),
    [
        ("echo STATE=a", ["poll"], ""),
        ("echo STATE=d", ["poll", "clear", "move"], ""),
        ("echo STATE=p", ["poll"], "test/x/move was interrupted and is not run again: STATE=p"),
        (
            "echo away >&2; exit 1",
            ["poll"],
            "test/x/move was interrupted and is not run again: test/x/poll: away",
        ),
    ],
)
def test_what_must_not_run_twice(
    step: Steps, location: Path, poll: str, expected: list[str], message: str
) -> None:
    probe = Probe(step("poll", poll), Takeover.ACTIVE, again=Takeover.GONE)
    move = step("move", probe=probe, redo=(step("clear", "exit 1"),), undo=(step("never"),))
    result = run([move], dataclasses.replace(JOB, attempt=2))
    assert (result.ok, result.message) == (not message, message)
    assert ran(location) == expected


@pytest.mark.parametrize(("attempt", "expected"), [(1, ["poll", "move"]), (2, ["poll"])])
def test_a_driver_that_cannot_tell_is_run_again_when_somebody_asks_for_it(
    step: Steps, location: Path, attempt: int, expected: list[str]
) -> None:
    probe = Probe(step("poll", "echo STATE=unsupported"), Takeover.ACTIVE, again=Takeover.GONE)
    asked = dataclasses.replace(JOB, attempt=attempt, spec={"again": True})
    assert run([step("move", probe=probe)], asked).ok is (attempt == 1)
    assert ran(location) == expected


def test_a_retry_looks_and_clears_first(step: Steps, location: Path) -> None:
    asked = dataclasses.replace(JOB, spec={"again": True})
    probe = Probe(step("poll", "echo STATE=a"), Takeover.ACTIVE)
    assert run([step("make", redo=(step("remove"),)), step("deploy", probe=probe)], asked).ok
    assert ran(location) == ["remove", "make", "poll"]


def test_a_step_that_is_begun_again_is_cleared_first(step: Steps, location: Path) -> None:
    made = step("make", redo=(step("remove", "exit 1"), step("sweep")))
    assert run([made]).ok and run([made], dataclasses.replace(JOB, attempt=2)).ok
    assert ran(location) == ["make", "remove", "sweep", "make"]


def test_steps_look_at_what_others_have_found(step: Steps, location: Path) -> None:
    steps = [
        step("look", "echo STATE=gone; echo more; exit 1", note="origin", ignore_failure=True),
        step("move", when=When("origin", ("STATE=here",)), undo=(step("never"),)),
        step("fetch", "cat >> ran", when=When("origin", ("STATE=here",), is_absent=True), stdin_note="origin",
             is_encoded=False),
    ]  # fmt: skip
    assert run(steps).ok
    assert ran(location) == ["look", "fetch", "STATE=gone", "more"]


def test_files_are_for_oneadmin_alone(step: Steps, location: Path) -> None:
    file = File(location / "var/vms/7/deployment.0", "<VM/>")
    assert run([step("a", "cat vms/7/deployment.0", files=(file,), gives_output=True)]).output == "<VM/>"
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in file.path.parent.iterdir()] == ["deployment.0"]


def test_a_file_that_cannot_be_written(step: Steps, location: Path) -> None:
    (location / "var/vms").write_text("not a folder")
    result = run([step("a", files=(File(location / "var/vms/7/deployment.0", ""),))])
    assert not result.ok and "cannot write" in result.message
    assert ran(location) == []
