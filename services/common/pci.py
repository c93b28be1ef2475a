"""PCI devices of a host, and which of them a VM gets.

A request (a PCI vector of a VM) names VENDOR, DEVICE or CLASS in hexadecimal, or the SHORT_ADDRESS of one
device. Devices are tried in the order of their addresses.

Source: PCI passthrough guide; HOST_SHARE/PCI_DEVICES of real databases.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common import matching, xmldoc
from services.common.template import Vector

if TYPE_CHECKING:
    from lxml import etree

FREE = -1
_ASKED = ("VENDOR", "DEVICE", "CLASS")
_PLACE = ("DOMAIN", "BUS", "SLOT", "FUNCTION")
_PREVIOUS = "PREV_ADDRESS"


@dataclass(frozen=True, slots=True)
class Request:
    """What a device must be; None where anything will do."""

    vendor: int | None = None
    device: int | None = None
    kind: int | None = None
    short_address: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it asks for nothing that can be read: no device satisfies it."""
        return self == Request()

    def accepts(self, device: Vector) -> bool:
        """Whether a device of a host is what is asked for."""
        wanted = (self.vendor, self.device, self.kind)
        for name, value in zip(_ASKED, wanted, strict=True):
            if value is not None and value != _hex(device.get(name, "")):
                return False
        return not self.short_address or self.short_address == device.get("SHORT_ADDRESS", "").lower()


def request(vector: Vector) -> Request:
    """The request of a VM's PCI vector. A number that cannot be read makes it empty."""
    vendor, device, kind = (_hex(vector.get(name, "")) for name in _ASKED)
    given = [name for name in _ASKED if vector.get(name)]
    if len(given) != sum(value is not None for value in (vendor, device, kind)):
        return Request()
    return Request(vendor, device, kind, vector.get("SHORT_ADDRESS", "").strip().lower())


def _hex(text: str) -> int | None:
    try:
        return int(text, 16) if text.strip() else None
    except ValueError:
        return None


class Devices:
    """The devices of one host: vectors as in PCI_DEVICES, with VMID -1 for a free one."""

    def __init__(self, devices: Iterable[Vector] = ()) -> None:
        self.all = [dict(device) for device in devices]

    @classmethod
    def from_element(cls, element: etree._Element | None) -> Devices:
        """The devices of a PCI_DEVICES element."""
        found = element.iterfind("PCI") if element is not None else ()
        return cls({str(part.tag): part.text or "" for part in device} for device in found)

    def to_xml(self) -> str:
        """The PCI_DEVICES element."""
        parts = []
        for device in self.all:
            inner = "".join(f"<{name}>{xmldoc.cdata(device[name])}</{name}>" for name in sorted(device))
            parts.append(f"<PCI>{inner}</PCI>")
        return f"<PCI_DEVICES>{''.join(parts)}</PCI_DEVICES>"

    def choose(self, requests: Sequence[Request]) -> list[Vector] | None:
        """A free device of its own for each request, None when there are not enough."""
        if any(one.is_empty for one in requests):
            return None
        order = sorted(range(len(self.all)), key=lambda number: self.all[number].get("ADDRESS", ""))
        free = [number for number in order if holder(self.all[number]) == FREE]
        wishes = [[number for number in free if one.accepts(self.all[number])] for one in requests]
        chosen = matching.assign(wishes, lambda number: 1)
        return None if chosen is None else [self.all[number] for number in chosen]

    # -- what VMs hold -----------------------------------------------------------------------------------
    def take(self, vm_id: int, vectors: Sequence[Vector]) -> bool:
        """Give a VM a device for each of its PCI vectors and write there where it is; False without enough.

        A vector that has a device elsewhere already keeps that one's address as PREV_ADDRESS.
        """
        chosen = self.choose([request(vector) for vector in vectors])
        if chosen is None:
            return False
        for vector, device in zip(vectors, chosen, strict=True):
            device["VMID"] = str(vm_id)
            if vector.get("ADDRESS"):
                vector[_PREVIOUS] = vector["ADDRESS"]
            _write_place(vector, device)
        return True

    def release(self, vm_id: int, vectors: Sequence[Vector], *, has_left: bool) -> None:
        """Take the devices of a VM back, and off its vectors the address that it loses.

        has_left: it has moved away from this host, so that what it loses is its previous address.
        """
        for device in self.all:
            if holder(device) == vm_id:
                device["VMID"] = str(FREE)
        for vector in vectors:
            vector.pop(_PREVIOUS if has_left else "ADDRESS", None)

    def restore(self, vectors: Sequence[Vector]) -> None:
        """The VM stays on this host: what it had here before is its device again."""
        by_address = {device.get("ADDRESS", ""): device for device in self.all}
        for vector in vectors:
            device = by_address.get(vector.pop(_PREVIOUS, ""))
            if device is not None:
                _write_place(vector, device)

    # -- what monitoring says ------------------------------------------------------------------------------
    def report(self, found: Iterable[Vector]) -> None:
        """Bring the list in line with what the host has.

        New devices are free, and one that is gone stays only while a VM holds it.
        """
        seen = {device["ADDRESS"]: device for device in found if device.get("ADDRESS")}
        known = {device.get("ADDRESS", "") for device in self.all}
        self.all = [one for one in self.all if one.get("ADDRESS", "") in seen or holder(one) != FREE]
        new = (device for address, device in seen.items() if address not in known)
        self.all += [{**device, "VMID": str(FREE)} for device in new]


def holder(device: Vector) -> int:
    """The VM that has a device, FREE (-1) for none."""
    try:
        return int(device.get("VMID", ""))
    except ValueError:
        return FREE


def nodes(devices: Iterable[Vector]) -> frozenset[int]:
    """The NUMA nodes that devices, or the vectors of VMs that hold them, are attached to."""
    found = (device.get("NUMA_NODE", "") for device in devices)
    return frozenset(int(node) for node in found if node.isdecimal())


def _write_place(vector: Vector, device: Vector) -> None:
    for name in _PLACE:
        vector[name] = device.get(name, "")
    vector["ADDRESS"] = device.get("ADDRESS", "")
    node = device.get("NUMA_NODE", "")
    if node.isdecimal():  # -1: attached to none
        vector["NUMA_NODE"] = node
    else:
        vector.pop("NUMA_NODE", None)
