"""Dates and times in options (--start, --end, --since, --until), read as OpenNebula's commands read them.

Understood: 2021-05-01, 2021-05-01 10:30[:15], the ISO form with T and a zone, 2021/05/01, 05/2021 (a month),
05/01 (month and day of this year), 10:30 (today). Three numbers with the year behind are day/month/year, or
month/day/year where that is no date; with two digits first year/month/day is tried.
"""

from __future__ import annotations

import datetime

_LATEST_S = 2**31 - 1
_EXAMPLES = "2021-05-01, 2021-05-01 10:30 or 05/2021"


def parse(text: str) -> datetime.datetime:
    """The moment, in local time unless the text names a zone. Raises ValueError."""
    found = _iso(text.strip()) or _slashed(text.strip()) or _clock(text.strip())
    if found is None:
        raise ValueError(f"expected a date such as {_EXAMPLES}, found {text!r}")
    return found


def epoch_s(moment: datetime.datetime | None) -> int:
    """Seconds since 1970 as calls take them: -1 for an open end, and no later than they can tell."""
    return -1 if moment is None else min(int(moment.timestamp()), _LATEST_S)


def is_midnight(moment: datetime.datetime) -> bool:
    """Whether the text named a day without a time."""
    return (moment.hour, moment.minute, moment.second) == (0, 0, 0)


def _iso(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def _clock(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.combine(datetime.date.today(), datetime.time.fromisoformat(text))
    except ValueError:
        return None


def _slashed(text: str) -> datetime.datetime | None:
    day, _, clock = text.partition(" ")
    parts = day.split("/")
    if not all(part.isascii() and part.isdigit() for part in parts):
        return None
    numbers = [int(part) for part in parts]
    if len(numbers) == 2:
        first, second = numbers
        orders = [(second, first, 1)] if len(parts[1]) == 4 else [(datetime.date.today().year, first, second)]
    elif len(numbers) == 3:
        one, two, three = numbers
        if len(parts[0]) == 4:
            orders = [(one, two, three)]
        elif len(parts[2]) == 4:
            orders = [(three, two, one), (three, one, two)]
        else:
            orders = [(2000 + one, two, three), (2000 + three, one, two)]
    else:
        return None
    return next((found for order in orders if (found := _moment(order, clock))), None)


def _moment(order: tuple[int, int, int], clock: str) -> datetime.datetime | None:
    try:
        time_of_day = datetime.time.fromisoformat(clock) if clock else datetime.time()
        return datetime.datetime.combine(datetime.date(*order), time_of_day)
    except ValueError:
        return None
