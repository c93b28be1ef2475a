"""Screen, input, PCI devices, guest agent and serial console of a domain.

Source: KVM driver, I/O devices and PCI passthrough guides of release 6.0; libvirt's domain format.
"""

from __future__ import annotations

import re

from services.common.template import Vector
from services.oned.drivers.libvirt import bounds
from services.oned.drivers.libvirt.markup import Element, add
from services.oned.drivers.libvirt.settings import Settings
from services.oned.drivers.step import PlanError

_SCREENS = ("vnc", "spice")
_VNC_PASSWORD_LENGTH = 8  # RFB's authentication ignores the rest, and libvirt refuses it
_AGENT = "org.qemu.guest_agent.0"
_HEX = re.compile(r"(?:0x)?([0-9a-fA-F]{1,8})\Z")
_ADDRESS = ("domain", "bus", "slot", "function")


def write_screen(devices: Element, settings: Settings) -> None:
    """graphics of a VM with GRAPHICS of TYPE vnc or spice; for spice SPICE_OPTIONS too. Raises PlanError."""
    screen = settings.vm.get_vector("GRAPHICS")
    kind = (screen or {}).get("TYPE", "").lower()
    if screen is None or kind not in _SCREENS:
        return
    password = screen.get("PASSWD", "")
    add(
        devices,
        "graphics",
        type=kind,
        listen=screen.get("LISTEN"),
        port=settings.checked("GRAPHICS/PORT", screen.get("PORT", "")),
        passwd=password[:_VNC_PASSWORD_LENGTH] if kind == "vnc" else password,
        keymap=screen.get("KEYMAP"),
    )
    if kind == "spice":
        devices.extend(bounds.spice_options(settings))


def write_input(devices: Element, settings: Settings) -> None:
    """The first INPUT (mouse, tablet)."""
    wanted = settings.vm.get_vector("INPUT") or {}
    if wanted.get("TYPE"):
        add(devices, "input", type=wanted["TYPE"], bus=wanted.get("BUS"))


def write_pci(devices: Element, settings: Settings) -> None:
    """hostdev of every PCI device that the VM has been given. Raises PlanError for a wrong address."""
    for device in settings.vm.vectors("PCI"):
        if not all(device.get(name.upper()) for name in _ADDRESS):
            continue
        element = add(devices, "hostdev", mode="subsystem", type="pci", managed="yes")
        add(add(element, "source"), "address", **_address(device, settings, ""))
        if all(device.get(f"VM_{name.upper()}") for name in _ADDRESS):
            add(element, "address", type="pci", **_address(device, settings, "VM_"))


def _address(device: Vector, settings: Settings, prefix: str) -> dict[str, str]:
    parts = {}
    for name in _ADDRESS:
        text = device[f"{prefix}{name.upper()}"]
        found = _HEX.match(text)
        if found is None:
            raise PlanError(
                f"{settings.label}: PCI/{prefix}{name.upper()} must be a hexadecimal number, "
                f"found {text[:40]!r}"
            )
        parts[name] = f"0x{found[1]}"
    return parts


def write_agent(devices: Element, settings: Settings) -> None:
    """The channel that the guest's agent listens at (FEATURES/GUEST_AGENT)."""
    if settings.is_set("FEATURES", "GUEST_AGENT"):
        channel = add(devices, "channel", type="unix")
        add(channel, "source", mode="bind")
        add(channel, "target", type="virtio", name=_AGENT)


def write_console(devices: Element) -> None:
    """A serial console (``virsh console``), unless something before has given the machine one."""
    if devices.find("serial") is None and devices.find("console") is None:
        add(add(devices, "serial", type="pty"), "target", port=0)
        add(add(devices, "console", type="pty"), "target", type="serial", port=0)
