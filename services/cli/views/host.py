"""How hosts are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, units
from services.cli.documents import number_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import percent, plain

STATES = [
    "INIT",
    "MONITORING_MONITORED",
    "MONITORED",
    "ERROR",
    "DISABLED",
    "MONITORING_ERROR",
    "MONITORING_INIT",
    "MONITORING_DISABLED",
    "OFFLINE",
]
_SHORT_STATES = ["init", "update", "on", "err", "dsbl", "retry", "init", "dsbl", "off"]
_NONE = "-"


def state(host: Element, names: list[str]) -> str:
    """The state in words; a number of a newer release stays a number."""
    number = host.findtext("STATE", "")
    return names[int(number)] if number.isdigit() and int(number) < len(names) else number


def _share(tag: str) -> Any:
    def value(host: Element, _look: Any) -> str:
        return text_of(host, f"HOST_SHARE/{tag}")

    return value


def _memory(compute: Any) -> Any:
    def value(host: Element, look: Any) -> str:
        return units.size(compute(host), raw=look.kilobytes)

    return value


def share_of(host: Element) -> Element:
    """What the host has and has given."""
    found = host.find("HOST_SHARE")
    return found if found is not None else Element("HOST_SHARE")


def _used_cpu(host: Element) -> int:
    return number_of(host, "MONITORING/CAPACITY/USED_CPU")


def used_memory(host: Element) -> int:
    """Memory in use, in kilobytes, as measured last."""
    return number_of(host, "MONITORING/CAPACITY/USED_MEMORY")


def _allocated_cpu(host: Element, _look: Any) -> str:
    part = share_of(host)
    if not number_of(part, "MAX_CPU"):
        return _NONE
    return units.usage(
        text_of(part, "CPU_USAGE"), text_of(part, "MAX_CPU"), percent(part, "CPU_USAGE", "MAX_CPU")
    )


def _allocated_memory(host: Element, look: Any) -> str:
    part = share_of(host)
    if not number_of(part, "MAX_MEM"):
        return _NONE
    used, limit = (units.size(number_of(part, tag), raw=look.kilobytes) for tag in ("MEM_USAGE", "MAX_MEM"))
    return units.usage(used, limit, percent(part, "MEM_USAGE", "MAX_MEM"))


def _real_cpu(host: Element, _look: Any) -> str:
    limit = number_of(host, "HOST_SHARE/MAX_CPU")
    return units.usage(str(_used_cpu(host)), str(limit), _used_cpu(host) * 100 // limit) if limit else _NONE


def _real_memory(host: Element, look: Any) -> str:
    limit, used = number_of(host, "HOST_SHARE/MAX_MEM"), used_memory(host)
    if not limit:
        return _NONE
    texts = [units.size(amount, raw=look.kilobytes) for amount in (used, limit)]
    return units.usage(texts[0], texts[1], used * 100 // limit)


LIST = ListView(
    kinds.HOST,
    [
        Column("ID", "number of the host", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("CLUSTER", "its cluster", 10, plain("CLUSTER"), left=True),
        Column("TVM", "virtual machines placed on it", 3, _share("RUNNING_VMS")),
        Column(
            "ZVM",
            "zombies (machines it runs that should be elsewhere)",
            3,
            lambda h, _: text_of(h, "TEMPLATE/TOTAL_ZOMBIES", "0"),
        ),
        Column("TCPU", "CPU in all, 100 a core", 4, _share("MAX_CPU")),
        Column(
            "FCPU", "CPU that is idle", 4, lambda h, _: str(number_of(h, "HOST_SHARE/MAX_CPU") - _used_cpu(h))
        ),
        Column(
            "ACPU",
            "CPU that can still be given to machines",
            4,
            lambda h, _: str(number_of(h, "HOST_SHARE/MAX_CPU") - number_of(h, "HOST_SHARE/CPU_USAGE")),
        ),
        Column("TMEM", "memory in all", 7, _memory(lambda h: number_of(h, "HOST_SHARE/MAX_MEM"))),
        Column(
            "FMEM",
            "memory that is unused",
            7,
            _memory(lambda h: number_of(h, "MONITORING/CAPACITY/FREE_MEMORY")),
        ),
        Column(
            "AMEM",
            "memory that can still be given to machines",
            7,
            _memory(lambda h: number_of(h, "HOST_SHARE/MAX_MEM") - number_of(h, "HOST_SHARE/MEM_USAGE")),
        ),
        Column("ALLOCATED_CPU", "CPU given to machines, of all", 18, _allocated_cpu),
        Column("REAL_CPU", "CPU in use, of all", 18, _real_cpu),
        Column("ALLOCATED_MEM", "memory given to machines, of all", 18, _allocated_memory),
        Column("REAL_MEM", "memory in use, of all", 18, _real_memory),
        Column("PROVIDER", "provider of a rented host", 8, lambda h, _: text_of(h, "TEMPLATE/PM_MAD", _NONE)),
        Column("STAT", "state", 4, lambda h, _: state(h, _SHORT_STATES), left=True),
    ],
    "ID NAME CLUSTER TVM ALLOCATED_CPU ALLOCATED_MEM STAT",
)
