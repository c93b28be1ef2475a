"""Disks of a domain, its context CD-ROM, their controller.

Source: KVM driver and disk section of the virtual machine template of release 6.0; libvirt's domain format.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import cycle

from services.common.template import Vector, is_yes
from services.oned.drivers.libvirt import network_disks
from services.oned.drivers.libvirt.limits import write_limits
from services.oned.drivers.libvirt.markup import Element, add
from services.oned.drivers.libvirt.settings import Settings
from services.oned.drivers.step import PlanError

_TARGET = re.compile(r"[a-z]{3,8}\Z")
_SATA_PORTS = 6  # of a controller
_SCSI_TARGETS = 256
_BLOCK = {"BLOCK": "disk", "BLOCK_CDROM": "cdrom"}


@dataclass(frozen=True, slots=True)
class Bus:
    """How devices get at their bus: ``machine`` is OS/MACHINE, ``sd`` OS/SD_DISK_BUS."""

    machine: str
    sd: str

    def of(self, target: str) -> str:
        """The bus of a device name (sda, vdb); '' leaves it to libvirt."""
        if target[0] == "s":
            return self.sd
        if target[0] == "v":
            return "virtio"
        return "sata" if "q35" in self.machine else "ide"


def write_disks(devices: Element, settings: Settings, folder: str, vm_id: int, iothreads: int) -> None:
    """Every DISK and the CONTEXT of a VM whose disks are in ``folder``. Raises PlanError.

    iothreads: how many threads the domain has for its disks; they take turns.
    """
    bus = Bus(settings.text("OS", "MACHINE"), settings.text("OS", "SD_DISK_BUS"))
    turns = cycle(range(1, iothreads + 1)) if iothreads else None
    on_scsi, first_port = 0, _first_port(settings, bus)
    for disk in settings.vm.vectors("DISK"):
        target = _target(settings, disk, "DISK")
        element = _source(devices, disk, settings, folder, vm_id)
        kind = bus.of(target)
        add(element, "target", dev=target, bus=kind)
        _traits(element, disk)
        driver = _driver(element, disk, settings)
        if iothreads and turns and kind == "virtio":
            wanted = settings.checked("DISK/IOTHREAD", disk.get("IOTHREAD", "")) or 0
            driver.set("iothread", str(wanted if 1 <= wanted <= iothreads else next(turns)))
        write_limits(element, disk, settings)
        if target.startswith("sd"):
            on_scsi += kind != "sata"
            _address(element, target, kind, first_port)
    _context(devices, settings, folder, bus)
    queues = settings.number("FEATURES", "VIRTIO_SCSI_QUEUES")
    if queues or on_scsi > 1:
        controller = add(devices, "controller", type="scsi", index=0, model="virtio-scsi")
        thread = next(turns) if turns else None
        if queues or thread:
            add(controller, "driver", queues=queues or None, iothread=thread)


def _target(settings: Settings, disk: Vector, what: str) -> str:
    target = disk.get("TARGET", "")
    if not _TARGET.match(target):
        number = disk.get("DISK_ID", "?")
        raise PlanError(
            f"{settings.label}: TARGET of {what} {number} must be a device name such as vda, "
            f"found {target[:40]!r}"
        )
    return target


def _source(devices: Element, disk: Vector, settings: Settings, folder: str, vm_id: int) -> Element:
    kind = disk.get("TYPE", "").upper()
    path = f"{folder}/disk.{disk.get('DISK_ID', '0')}"
    if kind in _BLOCK:
        element = add(devices, "disk", type="block", device=_BLOCK[kind])
        add(element, "source", dev=path)
        return element
    if network_disks.protocol_of(disk):
        return network_disks.write_source(devices, disk, settings, vm_id)
    element = add(devices, "disk", type="file", device="cdrom" if kind == "CDROM" else "disk")
    add(element, "source", file=path)
    return element


def _traits(element: Element, disk: Vector) -> None:
    if disk.get("LUKS_SECRET"):
        secret = add(element, "encryption", format="luks")
        add(secret, "secret", type="passphrase", uuid=disk["LUKS_SECRET"])
    if disk.get("ORDER"):
        add(element, "boot", order=disk["ORDER"])
    if is_yes(disk.get("READONLY", "")):
        add(element, "readonly")
    if is_yes(disk.get("SHAREABLE", "")):
        add(element, "shareable")


def _driver(element: Element, disk: Vector, settings: Settings) -> Element:
    is_cdrom = disk.get("TYPE", "").upper() == "CDROM"
    return add(
        element,
        "driver",
        name="qemu",
        type="raw" if is_cdrom else settings.of_vector("DISK", disk, "DRIVER") or "raw",
        cache=settings.of_vector("DISK", disk, "CACHE") or "default",
        io=settings.of_vector("DISK", disk, "IO"),
        discard=settings.of_vector("DISK", disk, "DISCARD"),
    )


def _address(element: Element, target: str, bus: str, first_port: int) -> None:
    """The place on the controller, so that the guest finds a disk under the same number each time."""
    number = _number(target)
    if bus == "sata":
        controller, unit = divmod(first_port + number, _SATA_PORTS)
        add(element, "address", type="drive", controller=controller, bus=0, target=0, unit=unit)
    elif number < _SCSI_TARGETS:
        add(element, "address", type="drive", controller=0, bus=0, target=number, unit=0)


def _number(target: str) -> int:
    """0 of sda, 25 of sdz, 26 of sdaa."""
    number = 0
    for letter in target[2:]:
        number = number * 26 + ord(letter) - ord("a") + 1
    return number - 1


def _first_port(settings: Settings, bus: Bus) -> int:
    """The SATA port of sda: libvirt gives hda, hdb, … the first ones, where they are SATA too."""
    if bus.of("hda") != "sata":
        return 0
    devices = [*settings.vm.vectors("DISK"), settings.vm.get_vector("CONTEXT") or {}]
    numbers = [_number(target) for device in devices if (target := device.get("TARGET", ""))[:2] == "hd"]
    return 0 if not numbers else (max(numbers) // _SATA_PORTS + 1) * _SATA_PORTS


def _context(devices: Element, settings: Settings, folder: str, bus: Bus) -> None:
    context = settings.vm.get_vector("CONTEXT")
    if context is None or not context.get("TARGET"):
        return
    target = _target(settings, context, "CONTEXT")
    element = add(devices, "disk", type="file", device="cdrom")
    add(element, "source", file=f"{folder}/disk.{context.get('DISK_ID', '0')}")
    add(element, "target", dev=target, bus=bus.of(target))
    add(element, "readonly")
    add(element, "driver", name="qemu", type="raw")
