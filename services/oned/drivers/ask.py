"""Asking a driver while a caller waits: the answer of one action, outside any transaction.

Few at once: an action that hangs (a web server that does not answer) must not hold every thread of the API.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from services.oned.drivers.execute import fault_text
from services.oned.drivers.run import run_now
from services.oned.drivers.step import Step

_AT_ONCE = 3
_WAIT_S = 10.0
_room = threading.BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a driver said: its standard output, or with ``ok`` false why there is none."""

    ok: bool
    text: str


def ask(step: Step) -> Answer:
    """Run a step that only reads, at most for its time limit, and wait for it."""
    if not _room.acquire(timeout=_WAIT_S):
        return Answer(False, f"{step.name}: {_AT_ONCE} others are waited for already, try again")
    try:
        outcome = run_now(step.command("", step.timeout_s))
    finally:
        _room.release()
    if outcome.code == 0:
        return Answer(True, outcome.stdout.strip())
    return Answer(False, fault_text(step, outcome))
