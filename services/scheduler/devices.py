"""PCI devices and pinned CPUs of the hosts, counted while a plan grows.

Only hosts that a VM with such needs looks at are read, and a question is asked again only when a host has
changed. The front-end decides with the same code which devices and CPUs a VM really gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common import numa_pin, pci
from services.common.numa import Nodes, number
from services.common.numa_pin import Pinning
from services.common.pci import Devices, Request
from services.common.template import Vector

if TYPE_CHECKING:
    from lxml import etree


@dataclass(frozen=True, slots=True)
class Needs:
    """What a VM needs of a host besides CPU, memory and disk."""

    devices: tuple[Request, ...] = ()
    pinning: Pinning | None = None


def needs(
    devices: Iterable[Vector], topology: Mapping[str, str], nodes: Sequence[Mapping[str, str]]
) -> Needs | None:
    """The needs of a VM's PCI, TOPOLOGY and NUMA_NODE vectors; None when it has none."""
    found = Needs(tuple(map(pci.request, devices)), numa_pin.pinning(topology, nodes))
    return found if found != Needs() else None


@dataclass(slots=True)
class _Model:
    devices: Devices
    nodes: Nodes
    version: int = 0

    def near(self, requests: Sequence[Request]) -> frozenset[int]:
        return pci.nodes(self.devices.choose(requests) or ())

    def has(self, wanted: Needs) -> bool:
        chosen = self.devices.choose(wanted.devices)
        if chosen is None:
            return False
        return (
            wanted.pinning is None or numa_pin.fit(self.nodes, wanted.pinning, pci.nodes(chosen)) is not None
        )

    def take(self, vm_id: int, wanted: Needs) -> None:
        near = self.near(wanted.devices)
        for device in self.devices.choose(wanted.devices) or ():
            device["VMID"] = str(vm_id)
        if wanted.pinning is not None:
            numa_pin.hold(self.nodes, vm_id, wanted.pinning, near)
        self.version += 1


class HostDevices:
    """The devices and nodes of hosts, by the place of a host in the given order.

    shares: HOST_SHARE elements; promised: for each host the VMs that will be there, which it does not count.
    """

    def __init__(
        self, shares: Sequence[etree._Element | None], promised: Sequence[Sequence[tuple[int, Needs]]]
    ) -> None:
        self._shares = shares
        self._promised = promised
        self._models: dict[int, _Model] = {}
        self._held: dict[int, list[tuple[int, Needs]]] = {}
        self._answers: dict[tuple[int, Needs], tuple[int, bool]] = {}
        self._version = 0

    def _model(self, index: int) -> _Model:
        model = self._models.get(index)
        if model is None:
            share = self._shares[index]
            threads = number(share.findtext("VMS_THREAD"), 1) if share is not None else 1
            devices = Devices.from_element(share.find("PCI_DEVICES") if share is not None else None)
            nodes = Nodes.from_element(share.find("NUMA_NODES") if share is not None else None, threads)
            self._version += 1_000_000  # answers about the model before this one do not hold
            model = self._models[index] = _Model(devices, nodes, self._version)
            for vm_id, wanted in (*self._promised[index], *self._held.get(index, ())):
                model.take(vm_id, wanted)
        return model

    def has(self, index: int, wanted: Needs) -> bool:
        """Whether a host has all that a VM needs now."""
        model = self._model(index)
        version, answer = self._answers.get((index, wanted), (-1, False))
        if version != model.version:
            answer = model.has(wanted)
            self._answers[index, wanted] = (model.version, answer)
        return answer

    def has_devices(self, index: int, wanted: Needs) -> bool:
        """Whether a host has the PCI devices alone."""
        return self.has(index, Needs(wanted.devices))

    def take(self, index: int, vm_id: int, wanted: Needs) -> None:
        """Count a VM on a host."""
        self._model(index).take(vm_id, wanted)
        self._held.setdefault(index, []).append((vm_id, wanted))

    def take_back(self, index: int) -> None:
        """Undo the newest ``take`` on a host."""
        self._held[index].pop()
        self._models.pop(index, None)  # made anew when somebody asks
