"""Why a VM has no place: counts of hosts by reason, and the host that came nearest."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.scheduler.plan import Group, VMClass
    from services.scheduler.table import HostTable

_WORDS = {
    "state": "not monitored",
    "rights": "not authorized for its owner",
    "requirements": "fail the requirements",
    "datastore": "have no suitable system datastore",
    "backoff": "refused it shortly before",
    "current": "is where it runs now",
    "cpu": "lack CPU",
    "memory": "lack memory",
    "disk": "lack disk space",
}
#: Refused classes of a plan for which the nearest host is searched one by one.
SEARCH_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a VM was refused.

    counts: hosts by reason (state, rights, requirements, datastore, cpu, memory, disk, backoff, current); a
    host that lacks both CPU and memory counts for both. error: set when the VM itself cannot be judged.
    nearest: the host that came nearest, in words.
    """

    hosts: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    error: str = ""
    nearest: str = ""

    @property
    def kinds(self) -> frozenset[str]:
        """What sort of refusal this is, whatever the figures."""
        return frozenset([self.error]) if self.error else frozenset(self.counts)

    def text(self) -> str:
        """The reason as one sentence or two, for SCHED_MESSAGE."""
        if self.error:
            return f"Cannot be placed: {self.error}"
        if not self.hosts:
            return "Cannot be placed: there are no hosts"
        parts = [f"{count} {_WORDS[kind]}" for kind, count in self.counts.items() if count]
        text = f"Cannot be placed on any of {self.hosts} hosts: {', '.join(parts)}"
        return f"{text}. {self.nearest}" if self.nearest else text


class Explainer:
    """Explains the classes that a finished plan refused; the same figures serve all VMs of a class."""

    def __init__(self, table: HostTable) -> None:
        self._table = table
        self._sorted: dict[int, tuple[list[int], list[int], list[int]]] = {}
        self._searches = 0

    def reason(self, refused: VMClass) -> Reason:
        """Why no VM of that class has a place now."""
        if refused.error:
            return Reason(len(self._table.hosts), error=refused.error)
        group, vm = refused.group, refused.vm
        counts = {"state": len(self._table.hosts) - len(self._table.usable)}
        counts["rights"] = group.without_right
        counts["requirements"] = group.without_requirements
        counts["datastore"] = group.without_store
        cpus, memories, disks = self._columns(group)
        counts["cpu"] = bisect_left(cpus, vm.cpu)
        counts["memory"] = bisect_left(memories, vm.memory_kb)
        counts["disk"] = bisect_left(disks, vm.disk_mb)
        if group.is_live:
            counts["requirements"] += sum(not group.holds_now(index) for index in group.hosts)
        hosts = self._table.hosts
        ids = [hosts[index].id for index in group.hosts] if refused.avoid or vm.host_id is not None else []
        counts["backoff"] = sum(host_id in refused.avoid for host_id in ids)
        counts["current"] = ids.count(vm.host_id) if vm.host_id is not None else 0
        counts = {kind: count for kind, count in counts.items() if count}
        return Reason(len(hosts), counts, nearest=self._nearest(refused, counts))

    def _columns(self, group: Group) -> tuple[list[int], list[int], list[int]]:
        known = self._sorted.get(id(group))
        if known is None:
            figures = [group.figures(index) for index in group.hosts]
            known = (
                sorted(figure[1] for figure in figures),
                sorted(figure[2] for figure in figures),
                sorted(figure[3] for figure in figures),
            )
            self._sorted[id(group)] = known
        return known

    def _nearest(self, refused: VMClass, counts: dict[str, int]) -> str:
        """The host where the least is missing, measured by its worst shortage, with what it has."""
        group, vm = refused.group, refused.vm
        self._searches += 1
        if not group.hosts or self._searches > SEARCH_LIMIT or not counts.keys() & {"cpu", "memory", "disk"}:
            return ""
        needs = (vm.cpu, vm.memory_kb, vm.disk_mb)
        best, best_shortage = -1, float("inf")
        for index in group.hosts:
            free = group.figures(index)[1:]
            shortages = [
                (need - has) / max(need, 1) for need, has in zip(needs, free, strict=True) if need > has
            ]
            shortage = max(shortages, default=0.0)
            if 0 < shortage < best_shortage:
                best, best_shortage = index, shortage
        if best < 0:
            return ""
        name = self._table.hosts[best].name
        _, cpu, memory_kb, disk_mb = group.figures(best)
        words = []
        if cpu < vm.cpu:
            words.append((f"{vm.cpu}% CPU", f"{max(0, cpu)}%"))
        if memory_kb < vm.memory_kb:
            words.append((f"{vm.memory_kb // 1024} MB memory", f"{max(0, memory_kb) // 1024} MB"))
        if disk_mb < vm.disk_mb:
            words.append((f"{vm.disk_mb} MB disk", f"{max(0, disk_mb)} MB"))
        needed, free_words = " and ".join(word[0] for word in words), " and ".join(word[1] for word in words)
        return f"Needs {needed}; nearest is host {name} with {free_words} free"
