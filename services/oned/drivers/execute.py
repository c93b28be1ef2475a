"""Running a plan: its steps in order, undoing on failure, probing first after a crash."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass

from services.oned.drivers.messages import error_text
from services.oned.drivers.run import Outcome, Runner
from services.oned.drivers.step import File, Step
from services.oned.store.jobs import Job

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
    for step in steps:
        done = await _done_before(runner, job, step, stop)
        if done is not None:
            output = done if step.gives_output else output
            continue
        outcome = await _run(runner, job, step, output, _limit_s(step, ends_at), stop)
        if stop.is_set():
            return Result(job, False, is_stopped=True)
        if outcome.code == 0:
            output = outcome.stdout if step.gives_output else output
        elif step.ignore_failure:
            _log.warning("%s: %s, going on", job, _fault(step, outcome))
        else:
            message = _fault(step, outcome)
            _log.error("%s: %s", job, message)
            for undo in step.undo:
                undone = await _run(runner, job, undo, output, undo.timeout_s, stop)
                if undone.code != 0:
                    _log.error("%s: while undoing: %s", job, _fault(undo, undone))
            return Result(job, False, message, is_stopped=stop.is_set())
    return Result(job, True, output=output)


async def _done_before(runner: Runner, job: Job, step: Step, stop: asyncio.Event) -> str | None:
    """What a step that was done before a crash printed; None when it has to be run."""
    if job.attempt == 1 or step.probe is None:
        return None
    probe = step.probe
    outcome = await _run(runner, job, probe.step, "", probe.step.timeout_s, stop)
    if outcome.code != 0:
        _log.warning("%s: taken over, its state is not known: %s", job, _fault(probe.step, outcome))
        return None
    if f"STATE={probe.wanted.value}" not in outcome.stdout.split():
        return None
    _log.info("%s: taken over, %s was done already", job, step.name)
    return probe.output


async def _run(
    runner: Runner, job: Job, step: Step, output: str, timeout_s: float, stop: asyncio.Event
) -> Outcome:
    try:
        for file in step.files:
            _write(file)
    except OSError as error:
        return Outcome(None, fault=f"cannot write {error.filename}: {error.strerror}")
    lines = output.strip().splitlines()
    deploy_id = lines[-1].strip() if lines else f"one-{job.oid}"
    outcome = await runner.run(step.command(deploy_id, timeout_s), stop)
    if outcome.dropped_bytes:
        _log.warning("%s: %s printed too much, %d bytes dropped", job, step.name, outcome.dropped_bytes)
    return outcome


def _limit_s(step: Step, ends_at: float | None) -> float:
    if ends_at is None:
        return step.timeout_s
    return max(0.01, min(step.timeout_s, ends_at - time.monotonic()))


def _fault(step: Step, outcome: Outcome) -> str:
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
