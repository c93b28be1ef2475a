"""Virtual CPU topology and NUMA nodes of a VM, settled before capacity is checked and charged.

Source: NUMA and CPU pinning guide of release 6.0.
"""

from __future__ import annotations

from services.common.template import Template, Vector
from services.oned.errors import AllocateError
from services.oned.lifecycle.numbers import whole

_PIN_POLICIES = ("CORE", "THREAD", "SHARED")
_MISMATCH = "Total threads per core and socket needs to match VCPU"


def is_pinned(template: Template) -> bool:
    """Whether the VM's virtual CPUs are bound to CPUs of its host."""
    topology = template.get_vector("TOPOLOGY") or {}
    return topology.get("PIN_POLICY", "").upper() in _PIN_POLICIES


def settle(template: Template) -> None:
    """Complete TOPOLOGY and NUMA_NODE, and with them VCPU and, for a pinned VM, CPU; MEMORY of nodes in KB.

    Nothing happens without either attribute. Raises AllocateError saying which numbers do not fit.
    """
    topology = template.get_vector("TOPOLOGY")
    nodes = template.vectors("NUMA_NODE")
    template.remove("TOPOLOGY")
    if topology is None and not nodes:
        return
    topology = {} if topology is None else topology
    template.add("TOPOLOGY", topology)
    topology = template.vectors("TOPOLOGY")[0]
    pinned = is_pinned(template)
    memory_mb = whole(template.get("MEMORY"))
    if memory_mb is None:
        raise AllocateError("VM with TOPOLOGY needs MEMORY, found none that is a number")
    vcpu = whole(template.get("VCPU"))
    if vcpu is None:
        vcpu = 1
        template.set("VCPU", "1")
    if pinned:
        template.set("CPU", str(vcpu))
    if whole(template.get("VCPU_MAX")) is not None:
        raise AllocateError("VM with TOPOLOGY does not support CPU hotplug (VCPU_MAX)")
    if pinned:
        sockets = _pinned_topology(topology, vcpu, len(nodes))
        numa = _given_nodes(nodes, vcpu, memory_mb) if nodes else _equal_nodes(sockets, vcpu, memory_mb)
    else:
        _virtual_topology(topology, vcpu)
        numa = []
    template.remove("NUMA_NODE")
    for node in numa:
        template.add("NUMA_NODE", node)


def _virtual_topology(topology: Vector, vcpu: int) -> None:
    sockets, cores, threads = (_count(topology, name) for name in ("SOCKETS", "CORES", "THREADS"))
    if not (sockets and cores and threads):
        raise AllocateError(
            "Non-pinned VMs with a virtual topology needs to set SOCKETS, CORES and THREADS numbers."
        )
    if sockets * cores * threads != vcpu:
        raise AllocateError(f"{_MISMATCH}: {sockets} x {cores} x {threads} is not {vcpu}")
    topology["PIN_POLICY"] = "NONE"


def _pinned_topology(topology: Vector, vcpu: int, nodes: int) -> int:
    """Complete SOCKETS and THREADS; the number of sockets. What else is missing, the scheduler sets."""
    sockets, cores, threads = (_count(topology, name) for name in ("SOCKETS", "CORES", "THREADS"))
    if not sockets:
        sockets = nodes or 1
        topology["SOCKETS"] = str(sockets)
    if cores and threads and sockets * cores * threads != vcpu:
        raise AllocateError(f"{_MISMATCH}: {sockets} x {cores} x {threads} is not {vcpu}")
    if cores and not threads:
        if vcpu % (cores * sockets):
            raise AllocateError("VCPU is not multiple of the total number of cores")
        threads = vcpu // (cores * sockets)
        if threads & (threads - 1):
            raise AllocateError("Computed number of threads is not power of 2")
        topology["THREADS"] = str(threads)
    return sockets


def _equal_nodes(count: int, vcpu: int, memory_mb: int) -> list[Vector]:
    if vcpu % count:
        raise AllocateError("VCPU is not multiple of the number of NUMA nodes")
    if memory_mb % count:
        raise AllocateError("MEMORY is not multiple of the number of NUMA nodes")
    return [_node(vcpu // count, memory_mb // count) for _ in range(count)]


def _given_nodes(nodes: list[Vector], vcpu: int, memory_mb: int) -> list[Vector]:
    made: list[Vector] = []
    cpus_in_all = memory_in_all = 0
    for node in nodes:
        cpus, memory = _count(node, "TOTAL_CPUS"), whole(node.get("MEMORY")) or 0
        if cpus <= 0:
            raise AllocateError("A NUMA_NODE must have TOTAL_CPUS greater than 0")
        if memory <= 0:
            raise AllocateError("A NUMA_NODE must have MEMORY greater than 0")
        made.append(_node(cpus, memory))
        cpus_in_all += cpus
        memory_in_all += memory
    if cpus_in_all != vcpu:
        raise AllocateError(f"Total CPUS of NUMA nodes ({cpus_in_all}) is different from VM VCPU ({vcpu})")
    if memory_in_all != memory_mb:
        raise AllocateError(
            f"Total MEMORY of NUMA nodes ({memory_in_all}) is different from VM MEMORY ({memory_mb})"
        )
    return made


def _node(cpus: int, memory_mb: int) -> Vector:
    return {"TOTAL_CPUS": str(cpus), "MEMORY": str(memory_mb * 1024)}


def _count(vector: Vector, name: str) -> int:
    return whole(vector.get(name)) or 0
