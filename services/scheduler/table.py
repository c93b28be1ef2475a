"""The hosts of one plan: what is left on each, what expressions see, and what they rank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.scheduler import expression
from services.scheduler.devices import HostDevices
from services.scheduler.expression import Rank, Requirement
from services.scheduler.records import MONITORED, VM, Snapshot

#: Attributes whose value follows the plan; everything else stays as the snapshot has it.
_LIVE = {
    "RUNNING_VMS": "running", "HOST_SHARE/RUNNING_VMS": "running", "/HOST/HOST_SHARE/RUNNING_VMS": "running",
    "CPU_USAGE": "cpu", "HOST_SHARE/CPU_USAGE": "cpu", "/HOST/HOST_SHARE/CPU_USAGE": "cpu",
    "MEM_USAGE": "memory", "HOST_SHARE/MEM_USAGE": "memory", "/HOST/HOST_SHARE/MEM_USAGE": "memory",
    "FREE_CPU": "free_cpu", "FREE_MEMORY": "free_memory",
    "CURRENT_VMS": "vms",
}  # fmt: skip


def is_live(names: frozenset[str]) -> bool:
    """Whether an expression over these names can change its value while a plan grows."""
    return not names.isdisjoint(_LIVE)


class HostTable:
    """Columns over hosts; a host is its index, which is also its place in the order of ties."""

    def __init__(self, snapshot: Snapshot, order: Sequence[int]) -> None:
        self.hosts = [snapshot.hosts[index] for index in order]
        self.usable = [index for index, host in enumerate(self.hosts) if host.state == MONITORED]
        self.free_cpu = [host.max_cpu - host.cpu_usage for host in self.hosts]
        self.free_memory_kb = [host.max_memory_kb - host.memory_usage_kb for host in self.hosts]
        self.in_round = [0] * len(self.hosts)  # VMs placed in the present round
        self.placed: list[int] = []  # every placement's host, in order
        self._new_vms: dict[int, list[VM]] = {}
        self._passing: dict[str, list[bool | None]] = {}
        self._rankings: dict[str, Ranking] = {}
        self.devices = HostDevices(
            [host.share for host in self.hosts], [host.promised for host in self.hosts]
        )
        self._index = {host.id: index for index, host in enumerate(self.hosts)}

    def indexes(self, host_ids: Iterable[int]) -> list[int]:
        """The indexes of hosts by their ids; ids of hosts that are not there are left out."""
        return [self._index[host_id] for host_id in host_ids if host_id in self._index]

    def place(self, index: int, vm: VM) -> None:
        """Count a VM on a host."""
        self.free_cpu[index] -= vm.cpu
        self.free_memory_kb[index] -= vm.memory_kb
        self.in_round[index] += 1
        self.placed.append(index)
        self._new_vms.setdefault(index, []).append(vm)
        if vm.needs is not None:
            self.devices.take(index, vm.id, vm.needs)

    def take_back(self, index: int, vm: VM) -> None:
        """Undo the newest ``place``, which must have been this one; rankings must not have seen it."""
        self.free_cpu[index] += vm.cpu
        self.free_memory_kb[index] += vm.memory_kb
        self.in_round[index] -= 1
        self.placed.pop()
        self._new_vms[index].pop()
        if vm.needs is not None:
            self.devices.take_back(index)

    def values(self, index: int, name: str, unmeasured: float | None = None) -> Sequence[str]:
        """Attribute values as they are after the placements made so far.

        unmeasured: what stands for a measured value that is missing; None leaves it missing.
        """
        host = self.hosts[index]
        kind = _LIVE.get(name)
        if kind is None:
            return host.attributes.values(name)
        new = self._new_vms.get(index, ())
        if kind == "running":
            return (str(host.running_vms + len(new)),)
        if kind == "cpu":
            return (str(host.max_cpu - self.free_cpu[index]),)
        if kind == "memory":
            return (str(host.max_memory_kb - self.free_memory_kb[index]),)
        if kind == "vms":
            return [str(vm_id) for vm_id in host.vm_ids] + [str(vm.id) for vm in new]
        texts = host.attributes.values(name)
        free = expression.number(texts[0]) if texts else unmeasured
        if free is None:
            return texts
        # Measured free capacity, less what this plan has promised and no measurement can show yet.
        taken = sum(vm.cpu if name == "FREE_CPU" else vm.memory_kb for vm in new)
        return (str(free - taken),)

    def passes(self, index: int, test: Requirement) -> bool:
        """Whether a requirement holds for a host; the answer is kept unless it can change."""
        if is_live(test.names):
            return test.evaluate(lambda name: self.values(index, name))
        known = self._passing.get(test.text)
        if known is None:
            known = self._passing[test.text] = [None] * len(self.hosts)
        answer = known[index]
        if answer is None:
            answer = known[index] = test.evaluate(self.hosts[index].attributes.values)
        return answer

    def ranking(self, rank: Rank) -> Ranking:
        """The ranking by that expression; one for all VMs that use it."""
        known = self._rankings.get(rank.text)
        if known is None:
            known = self._rankings[rank.text] = Ranking(self, rank)
        return known


class Ranking:
    """Each host's rank by one expression, kept up to date with the placements."""

    def __init__(self, table: HostTable, rank: Rank) -> None:
        self._table = table
        self._rank = rank
        self._is_live = is_live(rank.names)
        self._values: list[float | None] = [None] * len(table.hosts)
        self._seen = len(table.placed)
        self.raised: list[int] = []  # hosts whose rank went up, in order: tournaments must hear of those

    def value(self, index: int) -> float:
        """The rank of a host, as of the last sync()."""
        value = self._values[index]
        if value is None:
            value = self._values[index] = self._evaluate(index)
        return value

    def _evaluate(self, index: int) -> float:
        if not self._is_live:
            return self._rank.evaluate(self._table.hosts[index].attributes.values)
        return self._rank.evaluate(lambda name: self._table.values(index, name, unmeasured=0.0))

    def sync(self) -> None:
        """Rank the hosts that got VMs since the last call again."""
        if not self._is_live:
            return
        placed = self._table.placed
        for index in dict.fromkeys(placed[self._seen :]):
            old = self._values[index]
            if old is not None:
                new = self._values[index] = self._evaluate(index)
                if new > old:
                    self.raised.append(index)
        self._seen = len(placed)
