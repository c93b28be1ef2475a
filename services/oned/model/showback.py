"""What virtual machines cost in each month: from history records to cost records.

A record counts for a month with the hours that it was open in it. The costs are the VM's own (CPU_COST for
each CPU and hour, MEMORY_COST and DISK_COST for each MB and hour) or those of DEFAULT_COST in oned.conf.

Source: showback guide of release 6.0; showback XSD.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from services.common import xmldoc
from services.common.template import Template, TemplateValueError
from services.oned.model.base import number
from services.oned.model.quota_document import number_text

_COSTS = ("CPU_COST", "MEMORY_COST", "DISK_COST")


@dataclass(slots=True)
class _Month:
    cpu: float = 0.0
    memory: float = 0.0
    disk: float = 0.0
    hours: float = 0.0


@dataclass(slots=True)
class _Machine:
    owner: dict[str, str] = field(default_factory=dict)
    months: dict[int, _Month] = field(default_factory=dict)


class Showback:
    """Adds up history records; the records of ``records()`` are what the database keeps.

    first_s, last_s: the time that is computed, in epoch seconds; months are those of the local time zone.
    """

    def __init__(self, settings: Template, first_s: int, last_s: int) -> None:
        standard = settings.get_vector("DEFAULT_COST") or {}
        self._standard = {name: _amount(standard.get(name)) for name in _COSTS}
        self._only_running = settings.get_bool("SHOWBACK_ONLY_RUNNING")
        # Where months begin, and the end of the last one.
        self._bounds = [*_months(first_s, last_s), last_s]
        self._machines: dict[int, _Machine] = {}

    def add(self, record: str) -> None:
        """Count a history record that holds a copy of its VM."""
        history = xmldoc.parse(record, "history")
        vm_id = number(history, "OID", -1)
        machine = self._machines.setdefault(vm_id, _Machine())
        machine.owner = {name: history.findtext(f"VM/{name}") or "" for name in _OWNER}
        template = Template.from_element(history.find("VM/TEMPLATE"))
        costs = {name: _amount(template.get(name), self._standard[name]) for name in _COSTS}
        cpu_rate = costs["CPU_COST"] * _amount(template.get("CPU"))
        memory_rate = costs["MEMORY_COST"] * _amount(template.get("MEMORY"))
        disk_rate = costs["DISK_COST"] * sum(
            _amount(disk.get("SIZE")) + _amount(disk.get("DISK_SNAPSHOT_TOTAL_SIZE"))
            for disk in template.vectors("DISK")
        )
        for begin, hours in self._hours(number(history, "STIME"), number(history, "ETIME")):
            month = machine.months.setdefault(begin, _Month())
            month.disk += disk_rate * hours
            month.hours += hours
        used = ("RSTIME", "RETIME") if self._only_running else ("STIME", "ETIME")
        for begin, hours in self._hours(number(history, used[0]), number(history, used[1])):
            month = machine.months.setdefault(begin, _Month())
            month.cpu += cpu_rate * hours
            month.memory += memory_rate * hours

    def _hours(self, start_s: int, end_s: int) -> Iterator[tuple[int, float]]:
        """(beginning of the month, hours in it) of a time; end 0: still open, start 0: never began."""
        if start_s == 0:
            return
        first = max(bisect_right(self._bounds, start_s) - 1, 0)
        for begin, after in zip(self._bounds[first:], self._bounds[first + 1 :], strict=False):
            if end_s and end_s <= begin:
                return
            yield begin, (min(after, end_s or after) - max(begin, start_s)) / 3600

    def records(self) -> Iterator[tuple[int, int, int, str]]:
        """(VM, year, month, document) of every month in which a VM had a history record."""
        for vm_id in sorted(self._machines):
            machine = self._machines[vm_id]
            for begin_s in sorted(machine.months):
                year, month, *_ = time.localtime(begin_s)
                yield vm_id, year, month, _document(vm_id, machine, year, month, machine.months[begin_s])


_OWNER = ("NAME", "UID", "GID", "UNAME", "GNAME")


def month_start(year: int, month: int) -> int:
    """When a month begins in the local time zone, in epoch seconds; month 13 is the next January.

    Raises ValueError or OverflowError for what is no date.
    """
    return int(time.mktime((year, month, 1, 0, 0, 0, 0, 0, -1)))


def _months(first_s: int, last_s: int) -> Iterable[int]:
    year, month, *_ = time.localtime(first_s)
    begin_s = month_start(year, month)
    while begin_s < last_s:
        yield begin_s
        month += 1
        begin_s = month_start(year + (month - 1) // 12, (month - 1) % 12 + 1)


def _document(vm_id: int, machine: _Machine, year: int, month: int, sums: _Month) -> str:
    name, uid, gid, uname, gname = (xmldoc.escape(machine.owner[key]) for key in _OWNER)
    total = sums.cpu + sums.memory + sums.disk
    return (
        f"<SHOWBACK><VMID>{vm_id}</VMID><VMNAME>{name}</VMNAME><UID>{uid}</UID><GID>{gid}</GID>"
        f"<UNAME>{uname}</UNAME><GNAME>{gname}</GNAME><YEAR>{year}</YEAR><MONTH>{month}</MONTH>"
        f"<CPU_COST>{number_text(sums.cpu)}</CPU_COST><MEMORY_COST>{number_text(sums.memory)}</MEMORY_COST>"
        f"<DISK_COST>{number_text(sums.disk)}</DISK_COST><TOTAL_COST>{number_text(total)}</TOTAL_COST>"
        f"<HOURS>{number_text(sums.hours)}</HOURS></SHOWBACK>"
    )


def _amount(text: str | None, default: float = 0.0) -> float:
    try:
        return Template([("NUMBER", text or "")]).get_float("NUMBER", default) or 0.0
    except TemplateValueError:
        return default
