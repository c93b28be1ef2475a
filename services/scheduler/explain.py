"""Why a VM has no place: counts of hosts by reason, the nearest host, and what would make the VM fit."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.scheduler.explain_hosts import Obstacle, obstacles
from services.scheduler.records import MONITORED

if TYPE_CHECKING:
    from services.scheduler.candidates import Candidates, VMClass
    from services.scheduler.table import HostTable

_WORDS = {
    "state": "not monitored",
    "rights": "not authorized for its owner",
    "requirements": "fail the requirements",
    "datastore": "have no suitable system datastore",
    "host_rules": "excluded by the host rules of its VM group",
    "apart": "hold VMs that it must be apart from",
    "affined": "hold none of the VMs that it must be with",
    "network": "have no networks with free leases for its automatic interfaces",
    "pci": "lack a free PCI device",
    "numa": "lack free CPUs, memory or pages for its NUMA topology",
    "image": "would need copies in an image datastore that is full",
    "backoff": "refused it shortly before",
    "current": "is where it runs now",
    "cpu": "lack CPU",
    "memory": "lack memory",
    "disk": "lack disk space",
    "set": "cannot take all VMs that must share a host",
}
#: Refused classes of a plan for which the nearest host is searched one by one.
SEARCH_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a VM was refused.

    counts: hosts by reason (keys of the words above); a host that lacks both CPU and memory counts for both.
    error: set when the VM itself cannot be judged. nearest: the host that came nearest, and what would make
    the VM fit there, in words. note: what holds for the VM whatever the host.
    """

    hosts: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    error: str = ""
    nearest: str = ""
    note: str = ""

    @property
    def kinds(self) -> frozenset[str]:
        """What sort of refusal this is, whatever the figures."""
        return frozenset([self.error]) if self.error else frozenset(self.counts)

    def text(self) -> str:
        """The reason in a few sentences, for SCHED_MESSAGE."""
        if self.error:
            return f"Cannot be placed: {self.error}"
        if not self.hosts:
            return "Cannot be placed: there are no hosts"
        parts = ", ".join(f"{count} {_WORDS[kind]}" for kind, count in self.counts.items() if count)
        text = f"Cannot be placed on any of {self.hosts} hosts: {parts}"
        return ". ".join(part for part in (text, self.note, self.nearest) if part)


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
        vm = refused.vm
        has_more = vm.nics or vm.needs is not None or vm.is_cloud
        is_simple = refused.parts == [refused] and refused.bond is None and not has_more
        counts = self._counts(refused) if is_simple else self._counts_one_by_one(refused)
        counts = {kind: counts[kind] for kind in _WORDS if counts.get(kind)}
        self._searches += 1
        nearest = self._nearest(refused) if self._searches <= SEARCH_LIMIT else ""
        return Reason(len(self._table.hosts), counts, nearest=nearest, note=self._note(refused))

    def _counts(self, refused: VMClass) -> dict[str, int]:
        """Counted from what the VMs with the same expressions share: no look at each host for each class."""
        table, candidates, vm = self._table, refused.candidates, refused.vm
        cpus, memories, disks = self._columns(candidates)
        counts = {
            "state": len(table.hosts) - len(table.usable),
            "rights": candidates.without_right,
            "requirements": candidates.without_requirements,
            "datastore": candidates.without_store,
            "cpu": bisect_left(cpus, vm.cpu),
            "memory": bisect_left(memories, vm.memory_kb),
            "disk": bisect_left(disks, vm.disk_mb),
        }
        if candidates.is_live:
            counts["requirements"] += sum(not candidates.holds_now(index) for index in candidates.hosts)
        if refused.avoid or vm.host_id is not None:
            ids = [table.hosts[index].id for index in candidates.hosts]
            counts["backoff"] = sum(host_id in refused.avoid for host_id in ids)
            counts["current"] = ids.count(vm.host_id) if vm.host_id is not None else 0
        return counts

    def _counts_one_by_one(self, refused: VMClass) -> dict[str, int]:
        """The same for VMs that rules of a VM group bind: each host under the first check that it fails."""
        counts: Counter[str] = Counter()
        for index in range(len(self._table.hosts)):
            kinds = [one.kind for one in obstacles(self._table, refused, index)]
            room = [kind for kind in kinds if kind in ("cpu", "memory", "disk", "set")]
            counts.update(dict.fromkeys(room if len(room) == len(kinds) else [_first(kinds)], 1))
        return counts

    def _columns(self, candidates: Candidates) -> tuple[list[int], list[int], list[int]]:
        known = self._sorted.get(id(candidates))
        if known is None:
            figures = [candidates.figures(index) for index in candidates.hosts]
            known = (
                sorted(figure[1] for figure in figures),
                sorted(figure[2] for figure in figures),
                sorted(figure[3] for figure in figures),
            )
            self._sorted[id(candidates)] = known
        return known

    def _nearest(self, refused: VMClass) -> str:
        """The host where the least is in the way, or where the least is missing, and what would help."""
        table, vm = self._table, refused.vm
        best: tuple[float, float, int] | None = None
        for index in refused.candidates.hosts or range(len(table.hosts)):
            shortage = self._shortage(refused, index)
            if vm.reach is not None and not vm.reach.has_host(table.hosts[index]):
                continue  # its owner need not know of that host
            if refused.candidates.hosts:
                far = 0.0 if self._is_allowed(refused, index) else 1.0
            else:
                far = self._distance(refused, index)
            if best is None or (far, shortage) < best[:2]:
                best = (far, shortage, index)
        if best is None:
            return ""
        found = [one for one in obstacles(table, refused, best[2]) if one.kind != "backoff"]
        return _near_words(table.hosts[best[2]].name, found)

    def _is_allowed(self, refused: VMClass, index: int) -> bool:
        return all(part.candidates.allows(index, part.vm, refused.avoid, part.bond) for part in refused.parts)

    def _distance(self, refused: VMClass, index: int) -> float:
        """How many requirements a host fails; one that is off is further away than any that is on."""
        table = self._table
        is_off = table.hosts[index].state != MONITORED
        failed = sum(not table.passes(index, test) for test in refused.candidates.tests)
        return failed + 100.0 * is_off

    def _shortage(self, refused: VMClass, index: int) -> float:
        """The worst relative lack of CPU, memory or disk space; 0 where none is missing."""
        vm, table = refused.vm, self._table
        room_mb = refused.candidates.room_mb(table.hosts[index])
        needs = (vm.cpu, vm.memory_kb, vm.disk_mb)
        free = (table.free_cpu[index], table.free_memory_kb[index], room_mb)
        return max(
            ((need - has) / max(need, 1) for need, has in zip(needs, free, strict=True) if need > has),
            default=0.0,
        )

    def _note(self, refused: VMClass) -> str:
        notes = []
        if len(refused.parts) > 1:
            notes.append(f"It is one of {len(refused.parts)} VMs that must share a host")
        vm, bond = refused.vm, refused.bond
        if vm.reach is not None and not any(map(vm.reach.has_host, self._table.hosts)):
            notes.append("Its owner needs the right to manage a host, by an ACL rule or a VDC")
        if bond is not None and bond.only is not None:
            missing = sorted(bond.only - {host.id for host in self._table.hosts})
            if missing:
                notes.append(f"HOST_AFFINED names hosts that are not there: {', '.join(map(str, missing))}")
        return ". ".join(notes)


def _first(kinds: Iterable[str]) -> str:
    order = list(_WORDS)
    return min(kinds, key=order.index)


def _near_words(name: str, found: list[Obstacle]) -> str:
    if not found:
        return ""
    text = f"Nearest is host {name}: {'; '.join(one.words for one in found)}"
    cures = [one.cure for one in found]
    return f"{text}. It would fit if {' and '.join(cures)}" if all(cures) else text
