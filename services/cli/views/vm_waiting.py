"""What a VM waits for, and its scheduled actions, in ``onevm show``."""

from __future__ import annotations

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
    Column("ID", "", 3),
    Column("ACTION", "", 20, left=True),
    Column("ARGS", "", 12, left=True),
    Column("SCHEDULED", "", 15),
    Column("REPEAT", "", 14, left=True),
    Column("END", "", 18, left=True),
    Column("DONE", "", 15),
    Column("MESSAGE", "", 35, left=True),
]


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
    ]


def _moment(text: str, start: int) -> str:
    """The time in words; one relative to the VM's start as a date, too."""
    number = text.removeprefix("+")
    if not number.isdigit() or len(number) > _DIGITS_MAX:
        return dash(text)
    return units.moment(int(number) + (start if text.startswith("+") else 0))


def _repeat(kind: str, days: str) -> str:
    if not kind.isdigit() or int(kind) >= len(_REPEAT):
        return ""
    unit = " hours" if _REPEAT[int(kind)] == "Each" else ""
    return f"{_REPEAT[int(kind)]} {days}{unit}"


def _end(kind: str, value: str) -> str:
    if kind == "1":
        return f"After {value} times"
    if kind == "2":
        return f"On {_moment(value, 0)}"
    return "None" if kind == "0" else ""
