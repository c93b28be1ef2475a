"""What a VM waits for, and its scheduled actions, in ``onevm show``."""

from __future__ import annotations

import time
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import units
from services.cli.documents import number_of, parse, text_of
from services.cli.table import Column
from services.cli.views.common import Page, dash
from services.common.oca import OneError

_DONE = "6"
_DIGITS_MAX = 11  # later moments have no date
_REPEAT = ("Weekly", "Monthly", "Yearly", "Each")
_ACTION_COLUMNS = [
    *(
        Column(name, "", 5, adjust=True)
        for name in ("ID", "ACTION", "ARGS", "SCHEDULED", "REPEAT", "END", "DONE")
    ),
    Column("MESSAGE", "", 35),
    Column("CHARTER", "", 15, left=True, adjust=True),
]
_HOUR_S, _DAY_S = 3600, 86400


def waiting(page: Page, vm: Element, inv: Any) -> None:
    """The section WAITING, when the VM waits for something and the front-end can say so."""
    if text_of(vm, "STATE") == _DONE:
        return
    try:
        found = parse(inv.call("vm.waiting", int(text_of(vm, "ID"))))
    except OneError:
        return  # an OpenNebula that does not know the method
    if not text_of(found, "WAITS_FOR"):
        return
    page.head("WAITING")
    page.field("WAITS FOR", text_of(found, "WAITS_FOR"))
    page.field("SINCE", units.moment(number_of(found, "SINCE")))
    if number_of(found, "ATTEMPT"):
        page.field("ATTEMPT", text_of(found, "ATTEMPT"))
    if number_of(found, "DEADLINE"):
        page.field("DEADLINE", units.moment(number_of(found, "DEADLINE")))
    if text_of(found, "ERROR"):
        page.field("REASON", text_of(found, "ERROR"))
    page.field("NEXT STEP", text_of(found, "NEXT_STEP"))
    page.blank()


def actions(page: Page, vm: Element) -> None:
    """The section SCHEDULED ACTIONS, when there are any."""
    found = vm.findall("USER_TEMPLATE/SCHED_ACTION")
    if not found:
        return
    page.blank()
    page.head("SCHEDULED ACTIONS")
    start = number_of(vm, "STIME")
    page.table(_ACTION_COLUMNS, [_action_row(action, start) for action in found])


def _action_row(action: Element, start: int) -> list[str]:
    return [
        text_of(action, "ID"),
        text_of(action, "ACTION"),
        dash(text_of(action, "ARGS")),
        _moment(text_of(action, "TIME"), start),
        _repeat(text_of(action, "REPEAT"), text_of(action, "DAYS")),
        _end(text_of(action, "END_TYPE"), text_of(action, "END_VALUE")),
        _moment(text_of(action, "DONE"), start),
        dash(text_of(action, "MESSAGE")),
        _charter(action, start),
    ]


def _moment(text: str, start: int) -> str:
    """The time in words; one relative to the VM's start as a date, too."""
    moment = _epoch(text, start)
    return units.minute(moment) if moment is not None else dash(text)


def _epoch(text: str, start: int) -> int | None:
    number = text.removeprefix("+")
    if not number.isdigit() or len(number) > _DIGITS_MAX:
        return None
    return int(number) + (start if text.startswith("+") else 0)


def _charter(action: Element, start: int) -> str:
    """How long until then; with a star when the time for a warning has come."""
    moment, now_s = _epoch(text_of(action, "TIME"), start), time.time()
    if moment is None:
        return ""
    left_s = moment - now_s
    if left_s <= 0:
        return "Already done"
    unit_s, unit = next(
        (pair for pair in ((_DAY_S, "days"), (_HOUR_S, "hours")) if left_s > pair[0]), (60, "minutes")
    )
    warning = text_of(action, "WARNING")
    is_near = warning.isdigit() and now_s - start > int(warning)
    return f"In {round(left_s / unit_s, 2)} {unit}{' *' if is_near else ''}"


def _repeat(kind: str, days: str) -> str:
    if not kind.isdigit() or int(kind) >= len(_REPEAT):
        return ""
    unit = " hours" if _REPEAT[int(kind)] == "Each" else ""
    return f"{_REPEAT[int(kind)]} {days}{unit}"


def _end(kind: str, value: str) -> str:
    if kind == "1":
        return f"After {value} times"
    if kind == "2":
        return f"On {time.strftime('%m/%d/%y', time.localtime(int(value)))}" if value.isdigit() else ""
    return "None" if kind == "0" else ""
