"""The tables of oneacct and oneshowback."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, units
from services.cli.documents import number_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import dash, plain
from services.cli.views.vm_states import action_name


def _text(path: str) -> Any:
    """A column function: the text at a path."""

    def value(record: Element, _look: Any) -> str:
        return dash(text_of(record, path))

    return value


def _time(tag: str) -> Any:
    """A column function: a moment."""

    def value(record: Element, _look: Any) -> str:
        return units.moment(number_of(record, tag))

    return value


def _traffic(tag: str) -> Any:
    """A column function: bytes sent or received."""

    def value(record: Element, _look: Any) -> str:
        return units.size(number_of(record, f"VM/MONITORING/{tag}") / 1024)

    return value


def _memory(record: Element, _look: Any) -> str:
    return units.size(number_of(record, "VM/TEMPLATE/MEMORY"), "M")


def _disk(record: Element, _look: Any) -> str:
    """Disks and their snapshots."""
    parts = [*record.findall("VM/TEMPLATE/DISK"), *record.findall("VM/SNAPSHOTS/SNAPSHOT")]
    return units.size(sum(number_of(part, "SIZE") for part in parts) * 1024)


ACCOUNTING = ListView(
    kinds.VM,
    [
        Column("UID", "number of the owner", 4, _text("VM/UID")),
        Column("VID", "number of the machine", 4, plain("OID")),
        Column("SEQ", "number of the history record", 3, plain("SEQ")),
        Column("HOSTNAME", "host that it ran on", 15, plain("HOSTNAME"), left=True),
        Column(
            "ACTION", "what ended the record", 16, lambda r, _: action_name(number_of(r, "ACTION")), left=True
        ),
        Column("START_TIME", "when it began", 14, _time("STIME")),
        Column("END_TIME", "when it ended", 14, _time("ETIME")),
        Column("MEMORY", "memory of the machine", 6, _memory),
        Column("CPU", "CPU share of the machine", 3, _text("VM/TEMPLATE/CPU")),
        Column("NETRX", "data received", 6, _traffic("NETRX")),
        Column("NETTX", "data sent", 6, _traffic("NETTX")),
        Column("DISK", "size of the disks", 6, _disk),
    ],
    "VID HOSTNAME ACTION START_TIME END_TIME MEMORY CPU NETRX NETTX DISK",
)

SHOWBACK = ListView(
    kinds.VM,
    [
        Column("UID", "number of the owner", 4, plain("UID"), adjust=True),
        Column("USER_NAME", "name of the owner", 8, plain("UNAME"), left=True),
        Column("GID", "number of the group", 4, plain("GID")),
        Column("GROUP_NAME", "name of the group", 8, plain("GNAME"), left=True),
        Column("VM_ID", "number of the machine", 6, plain("VMID")),
        Column("VM_NAME", "name of the machine", 15, plain("VMNAME"), left=True),
        Column("MONTH", "month", 5, plain("MONTH")),
        Column("YEAR", "year", 5, plain("YEAR")),
        Column("HOURS", "hours that it ran", 6, plain("HOURS")),
        Column("COST", "what it cost", 15, plain("TOTAL_COST")),
    ],
    "USER_NAME GROUP_NAME VM_ID VM_NAME MONTH YEAR HOURS COST",
)
