"""Scheduled actions of a VM: when each is due, and what its document says after it was run.

TIME is an epoch second, or ``+N``, so many seconds after the VM's own start time. An action that was run has
DONE, the second at which that happened; one that repeats has its next TIME, always later than DONE. One that
could not be run has MESSAGE and no DONE: it stays due. Repetition follows the clock on the wall (weekdays
from Sunday, 0); days that a month or a year does not have are left out.
Source: scheduled actions of the virtual machine guide and template reference of release 6.0.
"""

from __future__ import annotations

import time
from datetime import date, timedelta
from enum import IntEnum
from typing import NamedTuple

from services.common.template import Template, Vector
from services.oned.lifecycle.numbers import ids, whole

ATTRIBUTE = "SCHED_ACTION"
_HOUR_S = 3600
_DAYS_AHEAD = 366 * 9  # a day that only leap years have may be eight years away
_LATEST_S = 250_000_000_000  # about the year 9900, which dates still have; later ones never come


class Repeat(IntEnum):
    """REPEAT: what DAYS counts in."""

    WEEKLY = 0
    MONTHLY = 1
    YEARLY = 2
    HOURLY = 3


class EndOn(IntEnum):
    """END_TYPE: what END_VALUE says, nothing, a number of times or a date (epoch seconds)."""

    NEVER = 0
    TIMES = 1
    DATE = 2


class Planned(NamedTuple):
    """An action that is still to be run: its place among the VM's actions, and its epoch second."""

    seq: int
    due_at: int


def planned(template: Template, start_s: int) -> list[Planned]:
    """What is still to be run of a VM's actions; template: the user's one, start_s: the VM's start time."""
    found = ((seq, pending(action, start_s)) for seq, action in enumerate(template.vectors(ATTRIBUTE)))
    return [Planned(seq, due_at) for seq, due_at in found if due_at is not None]


def moment(action: Vector, start_s: int) -> int | None:
    """The epoch second that TIME names, or None when it names none."""
    text = action.get("TIME", "")
    seconds = whole(text.removeprefix("+"))
    if seconds is None or abs(seconds) > _LATEST_S:
        return None
    return start_s + seconds if text.startswith("+") else seconds


def pending(action: Vector, start_s: int) -> int | None:
    """When an action is to be run next, or None when it is done for good or never can be."""
    due_at, done = moment(action, start_s), whole(action.get("DONE"))
    if due_at is None or done is None or done < due_at:
        return due_at
    return following(action, due_at, done)


def following(action: Vector, due_at: int, after_s: int) -> int | None:
    """The first repetition of an action that is later than ``after_s``, or None when it repeats no more.

    due_at: when it was last due. Repetitions that were missed are not made up for.
    """
    repeat, end = _choice(action, "REPEAT"), _choice(action, "END_TYPE")
    days, limit = ids(action.get("DAYS")), whole(action.get("END_VALUE"))
    if repeat is None or not days or not 0 <= after_s < _LATEST_S:
        return None
    if end == EndOn.TIMES and (limit is None or limit <= 1):
        return None
    if repeat == Repeat.HOURLY:
        found = _after_hours(due_at, days[0] * _HOUR_S, after_s)
    else:
        found = _on_day(repeat, set(days), due_at, after_s)
    if found is None or (end == EndOn.DATE and (limit is None or found > limit)):
        return None
    return found


def set_done(action: Vector, start_s: int, now_s: int) -> None:
    """Note in an action that it was run; one that repeats gets its next TIME."""
    due_at = moment(action, start_s)
    action.pop("MESSAGE", None)
    action["DONE"] = str(now_s)
    following_at = None if due_at is None else following(action, due_at, max(now_s, due_at))
    if following_at is None:
        return
    action["TIME"] = str(following_at)
    if _choice(action, "END_TYPE") == EndOn.TIMES:
        action["END_VALUE"] = str((whole(action.get("END_VALUE")) or 0) - 1)


def set_failed(action: Vector, message: str, now_s: int) -> None:
    """Note in an action why it could not be run."""
    stamp = time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(now_s))
    action["MESSAGE"] = f"{stamp} : {message}"


def _choice(action: Vector, name: str) -> int | None:
    number = whole(action.get(name))
    known: type[IntEnum] = Repeat if name == "REPEAT" else EndOn
    return number if number in set(known) else None


def _after_hours(due_at: int, period_s: int, after_s: int) -> int | None:
    if period_s <= 0:
        return None
    missed = max(0, (after_s - due_at) // period_s)
    return due_at + (missed + 1) * period_s


def _on_day(repeat: int, days: set[int], due_at: int, after_s: int) -> int | None:
    """The first listed day, at the time of day of ``due_at``, that is later than ``after_s``."""
    clock = time.localtime(max(0, min(due_at, _LATEST_S)))
    today = date.fromtimestamp(after_s)
    for ahead in range(_DAYS_AHEAD):
        day = today + timedelta(days=ahead)
        if _number_of(day, repeat) not in days:
            continue
        found = int(time.mktime((*day.timetuple()[:3], clock.tm_hour, clock.tm_min, clock.tm_sec, 0, 0, -1)))
        if found > after_s:
            return found
    return None


def _number_of(day: date, repeat: int) -> int:
    """The number that DAYS calls a day by."""
    if repeat == Repeat.WEEKLY:
        return day.isoweekday() % 7
    if repeat == Repeat.MONTHLY:
        return day.day
    return day.timetuple().tm_yday - 1
