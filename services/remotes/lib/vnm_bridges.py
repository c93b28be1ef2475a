"""Bridges and what connects them to the world: made when missing, removed when nobody needs them.

What is there already is used as it is. Only what an action has made is removed again, and only when no
machine is connected to it any more.
Source: drivers bridge, fw, 802.1Q and vxlan of release 6.0.0.3 (commands, options, names).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import driver
import vnm_node
import vnm_uplinks
from vnm_document import Nic
from vnm_node import Link
from vnm_settings import Settings

Links = dict[str, Link]


def connect(nics: Iterable[Nic], settings: Settings) -> None:
    """Make what machines with these interfaces need. Raises DriverError; what was made for others stays."""
    for nic in nics:
        links = vnm_node.links()
        if not nic.bridge:
            raise driver.DriverError(f"{nic.label}: its network has no BRIDGE")
        port = _port(nic)
        _check(nic, port, links, settings)
        made: list[str] = []
        try:
            _make(nic, port, links, settings, made)
        except driver.DriverError as error:
            for name in reversed(made):
                vnm_node.delete_link(name)
            raise driver.DriverError(f"{nic.label}: {error}") from None


def disconnect(nics: Iterable[Nic], settings: Settings) -> None:
    """Remove what we have made for these interfaces, unless a machine still uses it. Raises DriverError."""
    for nic in nics:
        links = vnm_node.links()
        bridge = links.get(nic.bridge)
        if bridge is None or bridge.kind != "bridge" or settings.is_set(nic, "keep_empty_bridge"):
            continue
        port = _port(nic)
        if any(link.master == nic.bridge and link.name != port for link in links.values()):
            continue
        uplink = links.get(port) if port else None
        if uplink is not None and uplink.master == nic.bridge and uplink.is_ours:
            vnm_node.delete_link(uplink.name)
        if bridge.is_ours:
            vnm_node.delete_link(bridge.name)


def _port(nic: Nic) -> str:
    """The interface that connects the bridge; empty without one."""
    if not nic.phydev:
        return ""
    return vnm_uplinks.name(nic) if vnm_uplinks.is_tagged(nic) else nic.phydev


def _check(nic: Nic, port: str, links: Links, settings: Settings) -> None:
    """Refuse what cannot work, before anything is made."""
    bridge = links.get(nic.bridge)
    if bridge is not None and bridge.kind != "bridge":
        raise driver.DriverError(
            f"{nic.label}: {nic.bridge} is {_kind(bridge)} on this node, expected a bridge or nothing"
        )
    if nic.phydev and nic.phydev not in links:
        raise driver.DriverError(f"{nic.label}: there is no interface {nic.phydev} (PHYDEV) on this node")
    if vnm_uplinks.is_tagged(nic) and not port and bridge is None:
        raise driver.DriverError(f"{nic.label}: driver {nic.driver} needs PHYDEV, or a bridge {nic.bridge}")
    uplink = links.get(port) if port else None
    if uplink is not None and uplink.master not in ("", nic.bridge):
        raise driver.DriverError(
            f"{nic.label}: interface {port} is in bridge {uplink.master}, expected in {nic.bridge} or in none"
        )
    if uplink is not None and vnm_uplinks.is_tagged(nic):
        vnm_uplinks.check(nic, uplink)
    if vnm_uplinks.is_tagged(nic) and port and settings.is_set(nic, "validate_vlan_id"):
        for link in links.values():
            if link.master == nic.bridge and link.vlan_id and link.vlan_id != vnm_uplinks.vlan_id(nic):
                raise driver.DriverError(
                    f"{nic.label}: interface {link.name} in bridge {nic.bridge} has VLAN id {link.vlan_id}, "
                    f"expected {vnm_uplinks.vlan_id(nic)}"
                )


def _make(nic: Nic, port: str, links: Links, settings: Settings, made: list[str]) -> None:
    if nic.bridge not in links:
        _add(nic.bridge, ["type", "bridge", *settings.bridge_options(nic)], made)
    if not port:
        return
    if port not in links:
        _add(port, vnm_uplinks.words(nic, settings), made)
    if port not in links or not links[port].master:
        vnm_node.set_master(port, nic.bridge)


def _add(name: str, words: list[str], made: list[str]) -> None:
    try:
        vnm_node.add_link(name, words)
    except driver.DriverError as error:
        if re.search(r"Unknown device type|[Oo]peration not supported", str(error)):
            kind = words[words.index("type") + 1]
            raise driver.DriverError(
                f"this node's kernel cannot make interfaces of type {kind} ({error})"
            ) from None
        raise
    made.append(name)


def _kind(link: Link) -> str:
    return f"an interface of type {link.kind}" if link.kind else "an interface"
