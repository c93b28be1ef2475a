"""NUMA nodes of a host: cores, huge pages and memory, and what VMs hold of them (numa_pin.py gives it out).

Memory is in KB throughout; a node's distances are node ids, nearest first.

Source: NUMA and CPU pinning guide; HOST_SHARE/NUMA_NODES of the host XSD of release 6.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.common import xmldoc
from services.common.template import Vector, is_yes

if TYPE_CHECKING:
    from lxml import etree

#: What CPUS says of a CPU that no VM holds, and of one that ISOLCPUS keeps for the host.
FREE, RESERVED = -1, -2


@dataclass(slots=True)
class Core:
    """CPU ids with the VMs that are pinned to each (a VM may be there twice), and those kept for the host."""

    id: int
    cpus: dict[int, list[int]]
    reserved: set[int] = field(default_factory=set)
    is_dedicated: bool = False

    def used(self) -> int:
        """Virtual CPUs here; a dedicated core counts as one."""
        return 1 if self.is_dedicated else sum(map(len, self.cpus.values()))

    def free(self, vms_thread: int) -> int:
        """Virtual CPUs that still fit, with so many on each CPU."""
        if self.is_dedicated:
            return 0
        return max(0, (len(self.cpus) - len(self.reserved)) * vms_thread - self.used())

    def can_be_dedicated(self) -> bool:
        """Whether one VM can have the whole core."""
        return not self.used() and len(self.reserved) < len(self.cpus)


@dataclass(slots=True)
class Pages:
    """Huge pages of one size: how many there are, how many are free now as measured, how many VMs hold."""

    size_kb: int
    pages: int = 0
    free: int = 0
    usage: int = 0


@dataclass(slots=True)
class Node:
    """A NUMA node; usage_kb is what VMs hold, used_kb and free_kb are measured."""

    id: int
    cores: dict[int, Core] = field(default_factory=dict)
    pages: dict[int, Pages] = field(default_factory=dict)
    total_kb: int = 0
    free_kb: int = 0
    used_kb: int = 0
    usage_kb: int = 0
    distance: list[int] = field(default_factory=list)

    def in_order(self) -> list[Core]:
        """The cores by their ids."""
        return [self.cores[core_id] for core_id in sorted(self.cores)]

    def groups(self, threads: int, vms_thread: int, dedicated: bool) -> int:
        """Groups of so many threads on one core that are free; whole cores for a dedicated VM."""
        if dedicated:
            return sum(core.can_be_dedicated() for core in self.cores.values())
        return sum(core.free(vms_thread) // threads for core in self.cores.values())


class Nodes:
    """The NUMA nodes of one host. vms_thread: virtual CPUs that may share one CPU."""

    def __init__(self, vms_thread: int = 1) -> None:
        self.by_id: dict[int, Node] = {}
        self.vms_thread = max(1, vms_thread)

    # -- document ------------------------------------------------------------------------------------------
    @classmethod
    def from_element(cls, element: etree._Element | None, vms_thread: int) -> Nodes:
        """The nodes of a NUMA_NODES element."""
        made = cls(vms_thread)
        for part in element.iterfind("NODE") if element is not None else ():
            node = made.node(number(part.findtext("NODE_ID")))
            for core in part.iterfind("CORE"):
                read = read_core(number(core.findtext("ID")), core.findtext("CPUS") or "")
                read.is_dedicated = is_yes(core.findtext("DEDICATED") or "NO")
                node.cores[read.id] = read
            for one in part.iterfind("HUGEPAGE"):
                size, pages, free, usage = (
                    number(one.findtext(name)) for name in ("SIZE", "PAGES", "FREE", "USAGE")
                )
                node.pages[size] = Pages(size, pages, free, usage)
            memory = part.find("MEMORY")
            if memory is not None:
                node.total_kb, node.free_kb, node.used_kb, node.usage_kb = (
                    number(memory.findtext(name)) for name in ("TOTAL", "FREE", "USED", "USAGE")
                )
                node.distance = read_ids(memory.findtext("DISTANCE"))
        return made

    def node(self, node_id: int) -> Node:
        """The node of that id; made when it is not there."""
        return self.by_id.setdefault(node_id, Node(node_id))

    def to_xml(self) -> str:
        """The NUMA_NODES element."""
        nodes = (self._node_xml(self.by_id[node_id]) for node_id in sorted(self.by_id))
        return f"<NUMA_NODES>{''.join(nodes)}</NUMA_NODES>"

    def _node_xml(self, node: Node) -> str:
        parts = []
        for core in node.in_order():
            values = {
                "CPUS": _cpus_text(core), "DEDICATED": "YES" if core.is_dedicated else "NO",
                "FREE": str(core.free(self.vms_thread)), "ID": str(core.id),
            }  # fmt: skip
            parts.append(_vector("CORE", values))
        for one in (node.pages[size] for size in sorted(node.pages)):
            figures = {"FREE": one.free, "PAGES": one.pages, "SIZE": one.size_kb, "USAGE": one.usage}
            parts.append(_vector("HUGEPAGE", {name: str(value) for name, value in figures.items()}))
        memory = {
            "DISTANCE": " ".join(map(str, node.distance)), "FREE": str(node.free_kb),
            "TOTAL": str(node.total_kb), "USAGE": str(node.usage_kb), "USED": str(node.used_kb),
        }  # fmt: skip
        parts.append(_vector("MEMORY", memory))
        return f"<NODE>{''.join(parts)}<NODE_ID>{xmldoc.cdata(str(node.id))}</NODE_ID></NODE>"

    # -- cores ---------------------------------------------------------------------------------------------
    def cores(self) -> Iterator[Core]:
        """Every core, in order."""
        for node_id in sorted(self.by_id):
            yield from self.by_id[node_id].in_order()

    def set_vms_thread(self, vms_thread: int) -> None:
        """Let so many virtual CPUs share one CPU from now on."""
        self.vms_thread = max(1, vms_thread)

    def reserve(self, isolcpus: str) -> None:
        """Keep the CPUs of an ISOLCPUS attribute for the host, and no others; never one that a VM holds."""
        wanted = set(read_ids(isolcpus.replace(",", " ")))
        for core in self.cores():
            core.reserved = {cpu for cpu, vm_ids in core.cpus.items() if cpu in wanted and not vm_ids}

    # -- what monitoring says ------------------------------------------------------------------------------
    def report(self, cores: Iterable[Vector], pages: Iterable[Vector], memory: Iterable[Vector]) -> None:
        """Take CORE, HUGEPAGE and MEMORY_NODE vectors of a report over; what VMs hold stays as it is.

        A core that is known stays as it is. Vectors without a NODE_ID are left out.
        """
        for vector in cores:
            if vector.get("NODE_ID"):
                core = read_core(number(vector.get("ID")), vector.get("CPUS", ""))
                self.node(number(vector["NODE_ID"])).cores.setdefault(core.id, core)
        for vector in pages:
            if vector.get("NODE_ID"):
                size_kb = number(vector.get("SIZE"))
                known = self.node(number(vector["NODE_ID"])).pages.setdefault(size_kb, Pages(size_kb))
                known.pages, known.free = number(vector.get("PAGES")), number(vector.get("FREE"))
        for vector in memory:
            if vector.get("NODE_ID"):
                node = self.node(number(vector["NODE_ID"]))
                node.total_kb, node.free_kb, node.used_kb = (
                    number(vector.get(name)) for name in ("TOTAL", "FREE", "USED")
                )
                node.distance = read_ids(vector.get("DISTANCE"))


def read_core(core_id: int, cpus: str) -> Core:
    """A core of a text such as ``0:-1,4:7,4:8``: CPU id and VM (-1 none, -2 kept for the host); a report has
    the ids alone. Parts that cannot be read are left out."""
    core = Core(core_id, {})
    for part in cpus.split(","):
        cpu_text, _, vm_text = part.partition(":")
        if not cpu_text.strip().isdecimal():
            continue
        vm_ids = core.cpus.setdefault(int(cpu_text), [])
        holder = number(vm_text, FREE)
        if holder >= 0:
            vm_ids.append(holder)
        elif holder == RESERVED:
            core.reserved.add(int(cpu_text))
    return core


def read_ids(text: str | None) -> list[int]:
    """The numbers of a list with spaces; words that are none are left out."""
    return [int(word) for word in (text or "").split() if word.isdecimal()]


def number(text: str | None, default: int = 0) -> int:
    """A whole number; one that is missing or cannot be read is the default."""
    try:
        return int(text or "")
    except ValueError:
        return default


def _cpus_text(core: Core) -> str:
    parts = []
    for cpu in sorted(core.cpus):
        vm_ids = sorted(core.cpus[cpu]) or [RESERVED if cpu in core.reserved else FREE]
        parts += [f"{cpu}:{vm_id}" for vm_id in vm_ids]
    return ",".join(parts)


def _vector(name: str, values: dict[str, str]) -> str:
    inner = "".join(f"<{part}>{xmldoc.cdata(text)}</{part}>" for part, text in values.items())
    return f"<{name}>{inner}</{name}>"
