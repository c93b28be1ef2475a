"""VLAN interfaces: how 802.1Q and VXLAN networks leave a node.

Source: drivers 802.1Q and vxlan of release 6.0.0.3 (names, commands, defaults, ranges).
"""

from __future__ import annotations

import ipaddress
import re

import driver
import vnm_document
import vnm_node
from vnm_document import Nic
from vnm_node import Link
from vnm_settings import Settings

_KINDS = {"802.1Q": "vlan", "vxlan": "vxlan"}
_HIGHEST = {"vlan": 4094, "vxlan": 2**24 - 1}
_MODES, _ENDS = ("multicast", "evpn"), ("dev", "local_ip")


def is_tagged(nic: Nic) -> bool:
    """Whether the network of an interface is a VLAN."""
    return nic.driver in _KINDS


def vlan_id(nic: Nic) -> str:
    """The number of the VLAN. Raises DriverError."""
    text, highest = nic.given.get("VLAN_ID", ""), _HIGHEST[_KINDS[nic.driver]]
    if not re.fullmatch(r"[0-9]{1,8}", text, re.ASCII) or not 1 <= int(text) <= highest:
        raise driver.DriverError(
            f"{nic.label}: VLAN_ID is {text[:40]!r}, driver {nic.driver} expects 1 to {highest}"
        )
    return str(int(text))


def name(nic: Nic) -> str:
    """The VLAN's interface: the physical one's name, a dot, the number. Raises DriverError."""
    return vnm_document.interface_name(f"{nic.phydev}.{vlan_id(nic)}", f"{nic.label}: its VLAN interface")


def check(nic: Nic, link: Link) -> None:
    """Refuse an interface of that name which is another thing. Raises DriverError."""
    kind = _KINDS[nic.driver]
    if link.kind != kind or link.vlan_id != vlan_id(nic):
        found = f"type {link.kind or 'unknown'}" + (f" with id {link.vlan_id}" if link.vlan_id else "")
        raise driver.DriverError(
            f"{nic.label}: interface {link.name} is of {found}, expected type {kind} with id {vlan_id(nic)}"
        )


def words(nic: Nic, settings: Settings) -> list[str]:
    """What `ip link add` says after the name of a VLAN's interface. Raises DriverError."""
    return _vxlan(nic, settings) if _KINDS[nic.driver] == "vxlan" else _vlan(nic, settings)


def _vlan(nic: Nic, settings: Settings) -> list[str]:
    mtu = _mtu(nic, settings, "vlan_mtu")
    return ["link", nic.phydev, *mtu, "type", "vlan", "id", vlan_id(nic), *settings.link_options(nic)]


def _vxlan(nic: Nic, settings: Settings) -> list[str]:
    mode = _choice(nic, settings, "vxlan_mode", _MODES)
    end = ["dev", nic.phydev]
    group: list[str] = []
    if mode == "multicast":
        group = ["group", _group(nic, settings)]
    elif _choice(nic, settings, "vxlan_tep", _ENDS) == "local_ip":
        end = ["local", vnm_node.first_address(nic.phydev)]
    ttl = ["ttl", str(settings.number(nic, "vxlan_ttl"))] if settings.of(nic, "vxlan_ttl") else []
    mtu = _mtu(nic, settings, "vxlan_mtu")
    return [*mtu, "type", "vxlan", "id", vlan_id(nic), *group, *ttl, *end, *settings.link_options(nic)]


def _group(nic: Nic, settings: Settings) -> str:
    """The multicast address of a network: the first one plus its number."""
    first = settings.of(nic, "vxlan_mc")
    try:
        address = ipaddress.IPv4Address(first) + int(vlan_id(nic))
    except (ipaddress.AddressValueError, ValueError):
        address = None
    if address is None or not address.is_multicast:
        raise driver.DriverError(
            f"{nic.label}: vxlan_mc is {first[:40]!r}, expected an IPv4 address that is a multicast address "
            f"with VLAN_ID {vlan_id(nic)} added"
        )
    return str(address)


def _choice(nic: Nic, settings: Settings, setting: str, allowed: tuple[str, ...]) -> str:
    text = settings.of(nic, setting).lower()
    if text not in allowed:
        raise driver.DriverError(f"{nic.label}: {setting} is {text[:40]!r}, expected {' or '.join(allowed)}")
    return text


def _mtu(nic: Nic, settings: Settings, setting: str) -> list[str]:
    text = nic.given.get("MTU", "") or str(settings.number(nic, setting))
    if not re.fullmatch(r"[0-9]{2,5}", text, re.ASCII) or not 68 <= int(text) <= 65535:
        raise driver.DriverError(f"{nic.label}: MTU is {text[:40]!r}, expected 68 to 65535 bytes")
    return ["mtu", text]
