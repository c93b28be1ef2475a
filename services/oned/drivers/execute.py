"""Running a plan: its steps in order, undoing on failure, probing first after a crash."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from services.oned.drivers import step_log
from services.oned.drivers.messages import error_text
from services.oned.drivers.run import Outcome, Runner
from services.oned.drivers.step import UNSUPPORTED, File, PlanError, Probe, Step
from services.oned.lifecycle import vm_log
from services.oned.lifecycle.vm_log import Line
from services.oned.store.jobs import Job

AGAIN = "again"  # in a job's specification: work like it was begun before
_log = logging.getLogger("DRV")


@dataclass(frozen=True, slots=True)
class Result:
    """How a job ended. ``message`` is the failure's text for the user, ``output`` what the driver printed.

    is_stopped: it was cancelled or the engine gives up; there is no result to apply.
    """

    job: Job
    ok: bool
    message: str = ""
    output: str = ""
    is_stopped: bool = False


async def execute(runner: Runner, job: Job, steps: list[Step], stop: asyncio.Event) -> Result:
    """Run the steps of a job until one fails or ``stop`` is set."""
    ends_at = time.monotonic() + job.timeout_s if job.timeout_s else None
    output = ""
    notes: dict[str, str] = {}
    for step in steps:
        if step.when is not None and not step.when.holds(notes):
            continue
        done = await _done_before(runner, job, step, stop)
        if isinstance(done, str):
            output = done if step.gives_output else output
            continue
        if done is not None:
            message = fault_text(step, done)
            _log.error("%s: %s", job, message)
            return Result(job, False, message, is_stopped=stop.is_set())
        _tell(job, step_log.before(job, step))
        outcome = await run_step(runner, job, step, output, _limit_s(step, ends_at), stop, notes)
        if stop.is_set():
            return Result(job, False, is_stopped=True)
        _tell(job, step_log.after(job, step, outcome))
        if step.note:
            notes[step.note] = outcome.stdout
        if outcome.code == 0:
            output = outcome.stdout if step.gives_output else output
        elif step.ignore_failure:
            _log.warning("%s: %s, going on", job, fault_text(step, outcome))
        else:
            message = fault_text(step, outcome)
            _log.error("%s: %s", job, message)
            await _run_all(runner, job, step.undo, output, stop)
            return Result(job, False, message, is_stopped=stop.is_set())
    return Result(job, True, output=output)


async def _run_all(
    runner: Runner, job: Job, steps: tuple[Step, ...], output: str, stop: asyncio.Event
) -> None:
    """Run steps that clear up, each whatever the one before it answered."""
    for step in steps:
        outcome = await run_step(runner, job, step, output, step.timeout_s, stop)
        if outcome.code != 0:
            _log.error("%s: while clearing up: %s", job, fault_text(step, outcome))


async def _done_before(runner: Runner, job: Job, step: Step, stop: asyncio.Event) -> str | Outcome | None:
    """Of work begun again, after a crash or by a retry: what a step that is done already printed, or why it
    must not be run again. None when it has to be run; what its first run has left is cleared away then.
    """
    is_retry = job.attempt == 1
    if is_retry and not job.spec.get(AGAIN):
        return None
    if step.probe is not None:
        probe = step.probe
        outcome = await run_step(runner, job, probe.step, "", probe.step.timeout_s, stop)
        words = outcome.stdout.split() if outcome.code == 0 else []
        if f"STATE={probe.wanted.value}" in words:
            _log.info("%s: taken over, %s was done already", job, step.name)
            return probe.output
        if outcome.code != 0:
            _log.warning("%s: taken over, its state is not known: %s", job, fault_text(probe.step, outcome))
        if probe.again is not None and not _may_run_again(probe, words, is_retry):
            found = " ".join(words) or fault_text(probe.step, outcome)
            return Outcome(None, fault=f"{step.name} was interrupted and is not run again: {found[:200]}")
    await _run_all(runner, job, step.redo, "", stop)
    return None


def _may_run_again(probe: Probe, words: list[str], is_retry: bool) -> bool:
    assert probe.again is not None
    return f"STATE={probe.again.value}" in words or (is_retry and UNSUPPORTED in words)


async def run_step(
    runner: Runner,
    job: Job,
    step: Step,
    output: str,
    timeout_s: float,
    stop: asyncio.Event,
    notes: Mapping[str, str] | None = None,
) -> Outcome:
    """Write the files of a step and run it, ``timeout_s`` at most; output, notes: of the steps before."""
    try:
        for file in step.files:
            _write(file)
    except OSError as error:
        return Outcome(None, fault=f"cannot write {error.filename}: {error.strerror}")
    lines = output.strip().splitlines()
    deploy_id = lines[-1].strip() if lines else f"one-{job.oid}"
    try:
        command = step.command(deploy_id, timeout_s, output, notes)
    except (PlanError, OSError) as error:
        return Outcome(None, fault=f"{step.name}: {error}")
    # A VM's log gets what an action said when it has ended; what is done to other objects is told at once.
    tell = None if job.kind == "VM" else partial(_log.info, "%s: %s", job)
    outcome = await runner.run(command, stop, tell)
    if outcome.dropped_bytes:
        _log.warning("%s: %s printed too much, %d bytes dropped", job, step.name, outcome.dropped_bytes)
    return outcome


def _tell(job: Job, lines: list[Line]) -> None:
    if job.kind == "VM":
        vm_log.append(job.oid, lines)


def _limit_s(step: Step, ends_at: float | None) -> float:
    if ends_at is None:
        return step.timeout_s
    return max(0.01, min(step.timeout_s, ends_at - time.monotonic()))


def fault_text(step: Step, outcome: Outcome) -> str:
    """The text for the user: which action failed, and why."""
    if outcome.code is None:
        return outcome.fault
    text = error_text(outcome.stderr)
    if outcome.timed_out:
        return f"{step.name} did not end in time and was killed" + (f": {text}" if text else "")
    if text:
        return f"{step.name}: {text}"
    if outcome.code < 0:
        return f"{step.name} was killed by signal {-outcome.code}"
    return f"{step.name} ended with exit code {outcome.code} and no message"


def _write(file: File) -> None:
    """Write a file for oneadmin's eyes alone; a reader sees the old text or the new one."""
    file.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = file.path.with_name(f".{file.path.name}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as target:
        target.write(file.text)
    os.replace(partial, file.path)
