"""CPUs and memory of a domain: how many, their topology, NUMA nodes, pinning, huge pages.

Source: NUMA and CPU pinning guide and KVM driver of release 6.0; libvirt's domain format.
"""

from __future__ import annotations

import math

from services.common.template import Vector
from services.oned.drivers.libvirt.markup import Element, add
from services.oned.drivers.libvirt.settings import Settings
from services.oned.drivers.step import PlanError

_KB_PER_MB = 1024
_MODES = ("host-passthrough", "host-model")
# Of one CPU. Version 2 of cgroups counts from 1 to 10000, and gives 100 to who says nothing.
_SHARES = 1024
_SHARES_V2 = 100
_SHARES_V2_MAX = 10000


def write_capacity(domain: Element, settings: Settings) -> None:
    """vcpu, cputune, memory, maxMemory. Raises PlanError for numbers that are none."""
    vcpu, vcpu_max = settings.number("VCPU"), settings.number("VCPU_MAX")
    if vcpu_max:
        add(domain, "vcpu", vcpu_max, current=vcpu or vcpu_max)
    elif vcpu:
        add(domain, "vcpu", vcpu)
    tune = add(domain, "cputune")
    add(tune, "shares", _shares(settings))
    _pin(tune, settings)
    memory_mb = _memory_mb(settings)
    add(domain, "memory", memory_mb * _KB_PER_MB)
    memory_max_mb = _memory_max_mb(settings)
    if memory_max_mb and settings.vm.get_vector("TOPOLOGY") is None:
        slots = settings.number("MEMORY_SLOTS")
        add(domain, "maxMemory", memory_max_mb * _KB_PER_MB, slots=slots)


def _shares(settings: Settings) -> int:
    text = settings.vm.get("CPU") or "1"
    try:
        cpu = float(text)
    except ValueError:
        cpu = math.nan
    if not 0 < cpu < math.inf:
        raise PlanError(f"{settings.label}: CPU must be a number above 0, found {text[:40]!r}")
    if settings.default("CGROUPS_VERSION") == "2":
        return min(math.ceil(cpu * _SHARES_V2), _SHARES_V2_MAX)
    return math.ceil(cpu * _SHARES)


def _memory_mb(settings: Settings) -> int:
    memory_mb = settings.checked("MEMORY", settings.vm.get("MEMORY") or "")
    if not memory_mb:
        raise PlanError(f"{settings.label}: MEMORY must be a number of MB, found none")
    return memory_mb


def _memory_max_mb(settings: Settings) -> int:
    """What the memory can grow to while the machine runs; 0 when it cannot."""
    most = settings.checked("MEMORY_MAX", settings.vm.get("MEMORY_MAX") or "") or 0
    return most if most > _memory_mb(settings) else 0


def _pin(tune: Element, settings: Settings) -> None:
    policy = (settings.vm.get_vector("TOPOLOGY") or {}).get("PIN_POLICY", "").upper()
    if policy not in ("CORE", "THREAD", "SHARED"):
        return
    vcpu, sets = 0, []
    for node in settings.vm.vectors("NUMA_NODE"):
        count = settings.checked("NUMA_NODE/TOTAL_CPUS", node.get("TOTAL_CPUS", "")) or 0
        cpus = [cpu.strip() for cpu in node.get("CPUS", "").split(",") if cpu.strip()]
        if not count or not cpus:
            continue
        if policy != "SHARED" and len(cpus) < count:
            raise PlanError(
                f"{settings.label}: NUMA_NODE has {count} TOTAL_CPUS, but only {len(cpus)} CPUS to pin to"
            )
        for number in range(count):
            chosen = ",".join(cpus) if policy == "SHARED" else cpus[number]
            add(tune, "vcpupin", vcpu=vcpu, cpuset=chosen)
            vcpu += 1
        sets += cpus
    if sets:
        add(tune, "emulatorpin", cpuset=",".join(sets))


def write_model(domain: Element, settings: Settings) -> None:
    """cpu with model, topology and NUMA cells; numatune and memoryBacking. Raises PlanError."""
    model = settings.text("CPU_MODEL", "MODEL")
    topology, nodes = settings.vm.get_vector("TOPOLOGY"), settings.vm.vectors("NUMA_NODE")
    grows = bool(_memory_max_mb(settings))
    if not model and topology is None and not grows:
        return
    cpu = add(domain, "cpu")
    if model:
        cpu.set("mode", model if model in _MODES else "custom")
        if model not in _MODES:
            add(cpu, "model", model, fallback="forbid")
    if topology is not None:
        counts = {name: topology.get(name.upper(), "") or "1" for name in ("sockets", "cores", "threads")}
        for name, text in counts.items():
            settings.checked(f"TOPOLOGY/{name.upper()}", text)
        add(cpu, "topology", **counts)
    if nodes:
        _numa(domain, cpu, settings, topology or {}, nodes)
    elif grows:
        # Memory can be added to NUMA cells only.
        most = max(settings.number("VCPU"), settings.number("VCPU_MAX"), 1)
        kb = _memory_mb(settings) * _KB_PER_MB
        add(add(cpu, "numa"), "cell", id=0, cpus=f"0-{most - 1}", memory=kb, unit="KiB")


def _numa(domain: Element, cpu: Element, settings: Settings, topology: Vector, nodes: list[Vector]) -> None:
    access = topology.get("MEMORY_ACCESS", "").lower()
    numa, first = add(cpu, "numa"), 0
    places: list[tuple[int, str]] = []
    for number, node in enumerate(nodes):
        count = settings.checked("NUMA_NODE/TOTAL_CPUS", node.get("TOTAL_CPUS", "")) or 0
        kb = settings.checked("NUMA_NODE/MEMORY", node.get("MEMORY", ""))
        cell = add(numa, "cell", id=number, memory=kb)
        if count:
            cell.set("cpus", f"{first}-{first + count - 1}")
        if access in ("private", "shared"):
            cell.set("memAccess", access)
        first += count
        if node.get("MEMORY_NODE_ID"):
            places.append((number, node["MEMORY_NODE_ID"]))
    if places:
        tune = add(domain, "numatune")
        add(tune, "memory", mode="strict", nodeset=",".join(dict.fromkeys(of for _, of in places)))
        for number, of in places:
            add(tune, "memnode", cellid=number, mode="strict", nodeset=of)
    page_mb = settings.checked("TOPOLOGY/HUGEPAGE_SIZE", topology.get("HUGEPAGE_SIZE", ""))
    if page_mb:
        add(add(add(domain, "memoryBacking"), "hugepages"), "page", size=page_mb * _KB_PER_MB)
