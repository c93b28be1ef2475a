"""A host's capacity: what it has, what is kept back, what its VMs take.

Memory is in kB, CPU in percent of one core, disk in MB. Source: HOST_SHARE of the host XSD; overcommitment
page (RESERVED_CPU and RESERVED_MEM).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from services.common import numa_pin, pci, xmldoc
from services.common.numa import Nodes
from services.common.pci import Devices
from services.common.template import Template
from services.oned.model.base import number

_DISK_NUMBERS = ("DISK_USAGE", "FREE_DISK", "MAX_DISK", "USED_DISK")
_RESERVATION = re.compile(r"\s*([+-]?\d+)(%?)\s*\Z")


def usable(total: int, reservation: str) -> int:
    """What is left of a total after a reservation: ``"10%"`` or an absolute amount; negative ones overcommit.

    An empty or unreadable reservation leaves the total, as OpenNebula does.
    """
    match = _RESERVATION.match(reservation)
    if match is None:
        return total
    amount = int(match.group(1))
    # Whole numbers throughout: a float would lose kilobytes of large hosts.
    return total * (100 - amount) // 100 if match.group(2) else total - amount


@dataclass(slots=True)
class HostShare:
    """The HOST_SHARE element."""

    mem_usage: int = 0
    cpu_usage: int = 0
    total_mem: int = 0
    total_cpu: int = 0
    max_mem: int = 0
    max_cpu: int = 0
    running_vms: int = 0
    vms_thread: int = 1
    datastores: Template = field(default_factory=lambda: Template([(name, "0") for name in _DISK_NUMBERS]))
    pci: Devices = field(default_factory=Devices)
    numa: Nodes = field(default_factory=Nodes)

    def to_xml(self) -> str:
        """The element."""
        return (
            f"<HOST_SHARE><MEM_USAGE>{self.mem_usage}</MEM_USAGE><CPU_USAGE>{self.cpu_usage}</CPU_USAGE>"
            f"<TOTAL_MEM>{self.total_mem}</TOTAL_MEM><TOTAL_CPU>{self.total_cpu}</TOTAL_CPU>"
            f"<MAX_MEM>{self.max_mem}</MAX_MEM><MAX_CPU>{self.max_cpu}</MAX_CPU>"
            f"<RUNNING_VMS>{self.running_vms}</RUNNING_VMS><VMS_THREAD>{self.vms_thread}</VMS_THREAD>"
            f"{self.datastores.to_xml('DATASTORES')}{self.pci.to_xml()}{self.numa.to_xml()}</HOST_SHARE>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element | None) -> HostShare:
        """The share of a HOST_SHARE element; None gives an empty one."""
        share = cls()
        if element is None:
            return share
        for name in ("mem_usage", "cpu_usage", "total_mem", "total_cpu", "max_mem", "max_cpu", "running_vms"):
            setattr(share, name, number(element, name.upper()))
        share.vms_thread = number(element, "VMS_THREAD", 1)
        disks = Template.from_element(element.find("DATASTORES"))
        for name in _DISK_NUMBERS:
            if not disks.get(name):
                disks.set(name, "0")
        share.datastores = disks
        share.pci = Devices.from_element(element.find("PCI_DEVICES"))
        share.numa = Nodes.from_element(element.find("NUMA_NODES"), share.vms_thread)
        return share

    def count(self, cpu_percent: int, mem_kb: int, disk_mb: int, vms: int) -> None:
        """Add (or, with negative values, take off) what VMs use."""
        self.cpu_usage += cpu_percent
        self.mem_usage += mem_kb
        self.running_vms += vms
        if disk_mb:
            used = self.datastores.get_int("DISK_USAGE", 0) or 0
            self.datastores.set("DISK_USAGE", str(used + disk_mb))

    def reserve(self, cpu: str, mem: str) -> None:
        """Set MAX_* from the totals and the reservations in force."""
        self.max_cpu = usable(self.total_cpu, cpu)
        self.max_mem = usable(self.total_mem, mem)

    def forget_capacity(self) -> None:
        """What nobody measures any more counts as nothing."""
        self.total_cpu = self.total_mem = self.max_cpu = self.max_mem = 0

    def why_too_small(self, cpu_percent: int, mem_kb: int) -> str | None:
        """What is missing for a VM of that size, or None when it fits."""
        free_cpu, free_mem = self.max_cpu - self.cpu_usage, self.max_mem - self.mem_usage
        if free_cpu < cpu_percent:
            return f"Not enough CPU: {cpu_percent}/{free_cpu}"
        if free_mem < mem_kb:
            return f"Not enough memory: {mem_kb}/{free_mem}"
        return None

    # -- devices and pinned CPUs ---------------------------------------------------------------------------
    def why_not_pinned(self, template: Template) -> str | None:
        """What is missing for the PCI devices and the NUMA topology of a VM, or None when it has all."""
        vectors = template.vectors("PCI")
        chosen = self.pci.choose([pci.request(vector) for vector in vectors])
        if chosen is None:
            return f"Unavailable PCI device, {len(vectors)} asked for"
        asked = numa_pin.pinning(template.get_vector("TOPOLOGY") or {}, template.vectors("NUMA_NODE"))
        if asked is not None and numa_pin.fit(self.numa, asked, pci.nodes(chosen)) is None:
            return "Cannot allocate NUMA topology"
        return None

    def claim(self, vm_id: int, template: Template) -> bool:
        """Give a VM its PCI devices and pinned CPUs, and write into its template which; False without enough.

        What it has on another host stays in PREV_… attributes until release() or give_back().
        """
        vectors = template.vectors("PCI")
        has_devices = self.pci.take(vm_id, vectors)
        near = pci.nodes(vectors) if has_devices else frozenset()
        topology = template.get_vector("TOPOLOGY")
        if topology is None:
            return has_devices
        return numa_pin.take(self.numa, vm_id, topology, template.vectors("NUMA_NODE"), near) and has_devices

    def release(self, vm_id: int, template: Template, *, has_left: bool) -> None:
        """Take them back. has_left: the VM has what it needs on another host by now."""
        self.pci.release(vm_id, template.vectors("PCI"), has_left=has_left)
        topology = template.get_vector("TOPOLOGY") or {}
        numa_pin.release(self.numa, vm_id, topology, template.vectors("NUMA_NODE"), has_left=has_left)

    def repin(self, vm_id: int, before: Template, template: Template) -> bool:
        """Pin a VM of a changed topology anew; False when it does not fit. before: with its old places."""
        old, new = before.get_vector("TOPOLOGY") or {}, template.get_vector("TOPOLOGY") or {}
        numa_pin.release(self.numa, vm_id, old, before.vectors("NUMA_NODE"), has_left=False)
        near = pci.nodes(template.vectors("PCI"))
        return numa_pin.take(self.numa, vm_id, new, template.vectors("NUMA_NODE"), near)

    def give_back(self, template: Template) -> None:
        """A VM stays here after all: what it has here is its own again."""
        self.pci.restore(template.vectors("PCI"))
        numa_pin.restore(template.vectors("NUMA_NODE"))
