"""PCI devices of a VM: what the template asks for, and the addresses that the guest sees.

Source: PCI passthrough guide of release 6.0; documents of real databases.
"""

from __future__ import annotations

import re

from services.common.template import Template, Vector
from services.oned.config import OnedConf
from services.oned.errors import RequestError

_HEX = re.compile(r"[ \t]*(?:0[xX])?[0-9a-fA-F]+\Z")
_DEFAULT_BUS = "0x01"
_ASKED = ("VENDOR", "DEVICE", "CLASS")


def move_pci(conf: OnedConf, user: Template, core: Template) -> None:
    """Number the PCI vectors, give them addresses in the guest and move them into the core's part.

    Raises RequestError for one that asks for nothing, or with numbers that are not hexadecimal.
    """
    devices = user.vectors("PCI")
    user.remove("PCI")
    for number, given in enumerate(devices):
        default_bus = conf.settings.get("PCI_PASSTHROUGH_BUS") or _DEFAULT_BUS
        device = {**given, "PCI_ID": str(number)}
        _check(device)
        _set_address(device, number, default_bus)
        core.add("PCI", device)


def _check(device: Vector) -> None:
    asked = [name for name in _ASKED if device.get(name)]
    for name in asked:
        if not _HEX.match(device[name]):
            raise RequestError(f"Wrong Hex value for PCI attribute {name}, found {device[name][:40]!r}")
    if not asked and not device.get("SHORT_ADDRESS"):
        raise RequestError("DEVICE, VENDOR or CLASS must be defined for PCI.")


def _set_address(device: Vector, number: int, default_bus: str) -> None:
    text = device.get("VM_BUS") or default_bus
    if not _HEX.match(text):
        raise RequestError(f"Wrong BUS in PCI attribute, found {text[:40]!r}")
    bus, slot = int(text, 16), number + 1
    device["VM_DOMAIN"] = "0x0000"
    device["VM_FUNCTION"] = "0"
    device["VM_BUS"] = f"{bus:#04x}"
    device["VM_SLOT"] = f"{slot:#04x}"
    device["VM_ADDRESS"] = f"{bus:02x}:{slot:02x}.0"
