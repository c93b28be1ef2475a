"""Which CPUs, memory and huge pages of a host a pinned VM gets.

A VM's virtual node takes its CPUs from one node of the host and its memory from the node nearest to it that
has enough. With PIN_POLICY = CORE each virtual CPU takes a whole core; otherwise virtual CPUs are laid out in
groups of THREADS on one core each. Among nodes the one that keeps the larger part of its CPUs free comes
first, and before all others those that the VM's PCI devices are attached to.

Source: NUMA and CPU pinning guide; placements of a real 6.0 front-end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.common.numa import Node, Nodes, number
from services.common.template import Vector

#: Places that are tried for the virtual nodes of one VM before a host counts as too small for it.
_TRIES = 4096
_POLICIES = ("CORE", "THREAD", "SHARED")
_PLACE = ("NODE_ID", "CPUS", "MEMORY_NODE_ID")
_PREVIOUS = "PREV_"
_NOWHERE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Pinning:
    """What a pinned VM asks for.

    nodes: (CPUs, KB) of each virtual node. threads: per core, 0 for any number. page_kb: size of its huge
    pages, 0 for none. sockets: what its CORES are reckoned from.
    """

    nodes: tuple[tuple[int, int], ...]
    threads: int = 0
    is_dedicated: bool = False
    page_kb: int = 0
    sockets: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """Threads per core, and for each virtual node the ids of the nodes with its CPUs and with its memory."""

    threads: int
    spots: tuple[tuple[int, int], ...]


def pinning(topology: Mapping[str, str], nodes: Sequence[Mapping[str, str]]) -> Pinning | None:
    """The request of a VM's TOPOLOGY and NUMA_NODE vectors, None for a VM that is not pinned."""
    policy = topology.get("PIN_POLICY", "").upper()
    if policy not in _POLICIES or not nodes:
        return None
    asked = tuple((max(0, number(one.get("TOTAL_CPUS"))), max(0, number(one.get("MEMORY")))) for one in nodes)
    threads, sockets = max(0, number(topology.get("THREADS"))), max(1, number(topology.get("SOCKETS")))
    return Pinning(asked, threads, policy == "CORE", _page_kb(topology), sockets)


def _page_kb(topology: Mapping[str, str]) -> int:
    return max(0, number(topology.get("HUGEPAGE_SIZE"))) * 1024  # MB in the template


# -- finding room ------------------------------------------------------------------------------------------
def fit(host: Nodes, asked: Pinning, near: frozenset[int] = _NOWHERE) -> Layout | None:
    """Where a VM can go on a host, None when it cannot. More threads per core are tried first.

    near: nodes that its devices are attached to.
    """
    for threads in _threads(host, asked):
        spots = _Search(host, asked, threads, near).run()
        if spots is not None:
            return Layout(threads, tuple(spots))
    return None


def _threads(host: Nodes, asked: Pinning) -> list[int]:
    """Threads per core that the VM can have there, best first: powers of two that divide all its nodes."""
    if asked.is_dedicated:
        return [1]
    first = next(host.cores(), None)
    most = max(1, len(first.cpus) if first is not None else 1)
    if asked.threads:
        most = min(asked.threads, most)
    powers = (1 << power for power in reversed(range(most.bit_length())))
    fitting = [one for one in powers if all(cpus % one == 0 for cpus, _ in asked.nodes)]
    return [one for one in fitting if one == asked.threads] if asked.threads else fitting


class _Search:
    """Virtual nodes in turn, each on its best node; back to the one before when one fits nowhere."""

    def __init__(self, host: Nodes, asked: Pinning, threads: int, near: frozenset[int]) -> None:
        self._asked, self._threads, self._near = asked, threads, near
        self._nodes = [host.by_id[node_id] for node_id in sorted(host.by_id)]
        self._by_id = host.by_id
        self._groups = {
            node.id: node.groups(threads, host.vms_thread, asked.is_dedicated) for node in self._nodes
        }
        self._memory_kb = {node.id: node.total_kb - node.usage_kb for node in self._nodes}
        self._pages = {
            node.id: known.pages - known.usage
            for node in self._nodes
            if (known := node.pages.get(asked.page_kb)) is not None
        }
        self._spots: list[tuple[int, int]] = []
        self._tries = 0

    def run(self) -> list[tuple[int, int]] | None:
        number_of_node = len(self._spots)
        if number_of_node == len(self._asked.nodes):
            return self._spots
        cpus, memory_kb = self._asked.nodes[number_of_node]
        groups = -(-cpus // self._threads)
        pages = memory_kb // self._asked.page_kb if self._asked.page_kb else 0
        for cpu_node, memory_node in self._places(groups, memory_kb, pages):
            self._tries += 1
            if self._tries > _TRIES:
                return None
            self._spots.append((cpu_node, memory_node))
            self._move(cpu_node, memory_node, groups, memory_kb, pages)
            found = self.run()
            if found is not None:
                return found
            self._spots.pop()
            self._move(cpu_node, memory_node, -groups, -memory_kb, -pages)
        return None

    def _move(self, cpu_node: int, memory_node: int, groups: int, memory_kb: int, pages: int) -> None:
        self._groups[cpu_node] -= groups
        self._memory_kb[memory_node] -= memory_kb
        if pages:
            self._pages[memory_node] -= pages

    def _places(self, groups: int, memory_kb: int, pages: int) -> list[tuple[int, int]]:
        """(CPU node, memory node) with room: nearest memory first, then the node that stays the emptiest."""
        by_rest = [
            (1 - groups / max(1, self._groups[node.id]) + (node.id in self._near), node)
            for node in self._nodes
            if self._groups[node.id] >= groups
        ]
        by_rest.sort(key=lambda entry: (entry[0], entry[1].id), reverse=True)
        with_memory = {
            node.id
            for node in self._nodes
            if self._memory_kb[node.id] >= memory_kb
            and (not self._asked.page_kb or self._pages.get(node.id, -1) >= pages)
        }
        places = []
        for hop in range(len(self._nodes)):
            for _, node in by_rest:
                order = _nearest(node, self._by_id)
                if hop < len(order) and order[hop] in with_memory:
                    places.append((node.id, order[hop]))
        return places


def _nearest(node: Node, by_id: Mapping[int, Node]) -> list[int]:
    """Nodes by their distance; those that the report left out come last, the node itself before them."""
    return [one for one in dict.fromkeys((*node.distance, node.id, *sorted(by_id))) if one in by_id]


# -- what VMs hold -----------------------------------------------------------------------------------------
def take(
    host: Nodes, vm_id: int, topology: Vector, vectors: Sequence[Vector], near: frozenset[int] = _NOWHERE
) -> bool:
    """Pin a VM, and write into its TOPOLOGY and NUMA_NODE vectors where; False when it does not fit.

    A virtual node that is pinned elsewhere already keeps that place as PREV_….
    """
    asked = pinning(topology, vectors)
    if asked is None:
        return True
    layout = fit(host, asked, near)
    if layout is None:
        return False
    for (cpu_node, memory_node), cpus, vector in zip(
        layout.spots, _occupy(host, vm_id, asked, layout), vectors, strict=True
    ):
        for name in _PLACE:
            if vector.get(name):
                vector[_PREVIOUS + name] = vector[name]
        vector["NODE_ID"], vector["MEMORY_NODE_ID"] = str(cpu_node), str(memory_node)
        vector["CPUS"] = ",".join(map(str, cpus))
    vcpu = sum(cpus for cpus, _ in asked.nodes)
    topology["THREADS"] = str(layout.threads)
    topology["CORES"] = str(vcpu // (layout.threads * asked.sockets))
    return True


def hold(host: Nodes, vm_id: int, asked: Pinning, near: frozenset[int] = _NOWHERE) -> bool:
    """Count a VM of which only the request is at hand; False, and nothing counted, when it does not fit."""
    layout = fit(host, asked, near)
    if layout is not None:
        _occupy(host, vm_id, asked, layout)
    return layout is not None


def _occupy(host: Nodes, vm_id: int, asked: Pinning, layout: Layout) -> list[list[int]]:
    """Count what a layout takes; the CPU ids of each virtual node."""
    held = []
    for (cpus, memory_kb), (cpu_node, memory_node) in zip(asked.nodes, layout.spots, strict=True):
        held.append(_pin(host, host.by_id[cpu_node], vm_id, cpus, layout.threads, asked.is_dedicated))
        _count(host.by_id[memory_node], memory_kb, asked.page_kb)
    return held


def _pin(host: Nodes, node: Node, vm_id: int, cpus: int, threads: int, dedicated: bool) -> list[int]:
    held: list[int] = []
    for core in node.in_order():
        if len(held) == cpus:
            break
        usable = [cpu for cpu in sorted(core.cpus) if cpu not in core.reserved]
        if dedicated:
            if core.can_be_dedicated():
                core.cpus[usable[0]].append(vm_id)
                core.is_dedicated = True
                held.append(usable[0])
            continue
        for _ in range(min(core.free(host.vms_thread) // threads * threads, cpus - len(held))):
            emptiest = min(usable, key=lambda cpu: len(core.cpus[cpu]))  # spread over the core's CPUs
            core.cpus[emptiest].append(vm_id)
            held.append(emptiest)
    return held


def _count(node: Node, memory_kb: int, page_kb: int, sign: int = 1) -> None:
    node.usage_kb += sign * memory_kb
    pages = node.pages.get(page_kb)
    if pages is not None:
        pages.usage = max(0, pages.usage + sign * (memory_kb // page_kb))


def release(
    host: Nodes, vm_id: int, topology: Mapping[str, str], vectors: Sequence[Vector], *, has_left: bool
) -> None:
    """Take CPUs, memory and pages of a VM back, and off its vectors the place that it loses.

    has_left: it has moved away from this host, so that what it loses is its previous place (PREV_…).
    """
    free_cpus(host, vm_id)
    prefix = _PREVIOUS if has_left else ""
    for vector in vectors:
        memory = host.by_id.get(number(vector.get(f"{prefix}MEMORY_NODE_ID"), -1))
        if memory is not None:
            _count(memory, max(0, number(vector.get("MEMORY"))), _page_kb(topology), sign=-1)
        for name in _PLACE:
            vector.pop(prefix + name, None)


def free_cpus(host: Nodes, vm_id: int) -> None:
    """Take a VM off every CPU that it is pinned to."""
    for core in host.cores():
        if any(vm_id in vm_ids for vm_ids in core.cpus.values()):
            core.is_dedicated = False
            for vm_ids in core.cpus.values():
                vm_ids[:] = [one for one in vm_ids if one != vm_id]


@dataclass(frozen=True, slots=True)
class MemoryHeld:
    """Memory of one virtual node on one node of the host; page_kb is 0 without huge pages."""

    node_id: int
    memory_kb: int
    page_kb: int


def memory_held(
    topology: Mapping[str, str], vectors: Iterable[Mapping[str, str]], *, previous: bool
) -> list[MemoryHeld]:
    """What a VM's vectors say that it holds, at its place or at its previous one."""
    name = f"{_PREVIOUS}MEMORY_NODE_ID" if previous else "MEMORY_NODE_ID"
    return [
        MemoryHeld(number(one[name]), max(0, number(one.get("MEMORY"))), _page_kb(topology))
        for one in vectors
        if one.get(name)
    ]


def restore(vectors: Sequence[Vector]) -> None:
    """The VM stays where it was: its previous place is its place again."""
    for vector in vectors:
        for name in _PLACE:
            previous = vector.pop(_PREVIOUS + name, None)
            if previous is not None:
                vector[name] = previous
