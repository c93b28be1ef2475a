"""What oneacct and oneshowback do: fetch records, choose some, print them in tables."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, tostring

from services.cli import dates, documents, kinds, listing, record_paths, table
from services.cli.documents import text_of

_OPEN = -1


def accounting(inv: Any) -> int:
    """Print history records of machines."""
    opts = inv.opts
    if opts.describe:
        return listing.describe(inv.load_view(), inv)
    start, end = dates.epoch_s(opts.start), dates.epoch_s(opts.end and _end_of_day(opts.end))
    owner = kinds.ALL if opts.userfilter is None else opts.userfilter
    text = inv.call("vmpool.accounting", owner, start, end)
    root = documents.parse(text)
    tests: list[Callable[[Element], bool]] = []
    if opts.host is not None:
        tests.append(lambda record: text_of(record, "HID") == str(opts.host))
    if opts.group is not None:
        tests.append(lambda record: text_of(record, "VM/GID") == str(opts.group))
    if opts.xpath:
        tests.append(record_paths.test(opts.xpath, "HISTORY"))
    records = _choose(root, "HISTORY", tests)
    if opts.xml or opts.json or opts.yaml:
        inv.print_document(tostring(root, encoding="unicode") if tests else text)
        return 0
    plan = listing.Plan(inv.load_view(), inv, inv.command.name)
    if opts.csv:
        if not opts.list:
            opts.list = ["UID", *(column.name for column in plan.shown)]
            plan = listing.Plan(inv.load_view(), inv, inv.command.name)
        _print_csv(inv, plan, records)
        return 0
    if start != _OPEN or end != _OPEN:
        shown = " to ".join(_bold(inv, _moment(when)) for when in (start, end))
        inv.out(f"Showing active history records from {shown}\n")
    for user, of_user in _grouped(records, "VM/UID").items():
        inv.out(table.heading(f"# User {user}", inv.is_styled) + "\n")
        for part in _grouped(of_user, "VM/ID").values() if opts.split else [of_user]:
            _print_table(inv, plan, part)
    return 0


def showback(inv: Any) -> int:
    """Print the costs of machines."""
    opts = inv.opts
    if opts.describe:
        return listing.describe(inv.load_view(), inv)
    owner = kinds.ALL if opts.userfilter is None else opts.userfilter
    text = inv.call("vmpool.showback", owner, *_months(opts))
    root = documents.parse(text)
    tests = [] if opts.group is None else [lambda record: text_of(record, "GID") == str(opts.group)]
    records = _choose(root, "SHOWBACK", tests)
    if opts.xml or opts.json or opts.yaml:
        inv.print_document(tostring(root, encoding="unicode") if tests else text)
        return 0
    plan = listing.Plan(inv.load_view(), inv, inv.command.name)
    if opts.csv:
        _print_csv(inv, plan, records)
        return 0
    for year, of_year in _grouped(records, "YEAR").items():
        for month, part in _grouped(of_year, "MONTH").items():
            inv.out(table.heading(f"# Showback for {month}/{year}", inv.is_styled) + "\n")
            _print_table(inv, plan, part)
    return 0


def calculate(inv: Any) -> int:
    """Let the front-end compute costs; prints its answer."""
    inv.out(str(inv.call("vmpool.calculateshowback", *_months(inv.opts))))
    return 0


def _months(opts: Any) -> tuple[int, int, int, int]:
    """First month and year, last month and year, -1 where open."""
    first, last = (
        (date.month, date.year) if date is not None else (_OPEN, _OPEN) for date in (opts.start, opts.end)
    )
    return (*first, *last)


def _end_of_day(date: datetime.datetime) -> datetime.datetime:
    return date + datetime.timedelta(days=1) if dates.is_midnight(date) else date


def _choose(root: Element, tag: str, tests: list[Callable[[Element], bool]]) -> list[Element]:
    """The records of a document that pass any of the tests (all without tests); the others are taken out.

    Several filters give the records that fit at least one of them, as with OpenNebula's commands.
    """
    for record in list(root):
        if record.tag == tag and tests and not any(test(record) for test in tests):
            root.remove(record)
    return root.findall(tag)


def _grouped(records: list[Element], path: str) -> dict[str, list[Element]]:
    groups: dict[str, list[Element]] = {}
    for record in records:
        groups.setdefault(text_of(record, path), []).append(record)
    return groups


def _rows(inv: Any, plan: Any, records: list[Element]) -> list[list[str]]:
    look = listing.Look(False, False, int(time.time()), inv.names)
    return [row for row in (plan.row(record, look) for record in records) if row is not None]


def _print_table(inv: Any, plan: Any, records: list[Element]) -> None:
    lines = table.lines(
        plan.shown,
        _rows(inv, plan, records),
        terminal=inv.terminal_width,
        styled=inv.is_styled,
        state_column="",
    )
    inv.out("\n".join(lines) + "\n")


def _print_csv(inv: Any, plan: Any, records: list[Element]) -> None:
    for line in table.csv_lines(plan.shown, _rows(inv, plan, records), ",", True):
        inv.out(line)


def _moment(epoch_s: int) -> str:
    """``2021-05-01 00:00:00 +0000``, or ``-`` for an open end."""
    return "-" if epoch_s == _OPEN else time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(epoch_s))


def _bold(inv: Any, text: str) -> str:
    return f"\033[1m{text}\033[0m" if inv.is_styled else text
