"""The VM as network drivers see it: its interfaces, their aliases, the rules of their security groups.

Every name and address that ends up in a command is checked here.
Source: document that network drivers of release 6.0.0.3 get.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import driver

_ID = re.compile(r"[0-9]{1,10}\Z", re.ASCII)
_DEPLOY_ID = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.:+-]{0,127}\Z", re.ASCII)
# Fifteen characters are the kernel's limit. It would take others: a `+` stands for many interfaces in rules.
_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,14}\Z", re.ASCII)
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\Z", re.ASCII)

_ADDRESSES_4 = ("IP", "VROUTER_IP")
_ADDRESSES_6 = ("IP6", "IP6_GLOBAL", "IP6_ULA", "IP6_LINK")

Attributes = Mapping[str, str]


@dataclass(frozen=True)
class Nic:
    """An interface, or an alias of one (parent_id is set then).

    given: its attributes as the core sent them. bridge, phydev: empty without one. is_marked: it is being
    attached or detached, and only it.
    """

    vm_id: str
    nic_id: str
    given: Attributes
    driver: str
    bridge: str
    phydev: str
    mac: str
    parent_id: str = ""
    is_marked: bool = False

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"nic {self.nic_id} of vm {self.vm_id}"

    @property
    def tap(self) -> str:
        """The interface on the node, when the core has chosen its name; else empty.

        A name that a user has chosen is not used: it could be that of any interface of the node.
        """
        own = f"one-{self.vm_id}-{self.nic_id}"
        return own if self.given.get("TARGET") == own else ""

    @property
    def group_ids(self) -> list[str] | None:
        """Its security groups; None when nothing is said, which allows everything."""
        text = self.given.get("SECURITY_GROUPS", "")
        return [part.strip() for part in text.split(",") if part.strip()] if text.strip() else None

    @property
    def addresses(self) -> list[str]:
        """Every address that it may use, IPv4 and IPv6, those shared by virtual routers too."""
        found: list[str] = []
        for name in (*_ADDRESSES_4, *_ADDRESSES_6, *(f"VROUTER_{name}" for name in _ADDRESSES_6)):
            text = self.given.get(name, "").strip()
            if text:
                try:
                    found.append(str(ipaddress.ip_address(text)))
                except ValueError:
                    raise driver.DriverError(
                        f"{self.label}: {name} is {text[:60]!r}, expected an IP address"
                    ) from None
        return list(dict.fromkeys(found))

    def is_set(self, name: str) -> bool:
        """Whether an attribute says YES."""
        return self.given.get(name, "").strip().upper() in ("YES", "TRUE")


@dataclass(frozen=True)
class Vm:
    """A VM's part of the networks: rules are those of all its security groups."""

    vm_id: str
    deploy_id: str
    hypervisor: str
    nics: tuple[Nic, ...]
    aliases: tuple[Nic, ...]
    rules: tuple[Attributes, ...]

    def aliases_of(self, nic: Nic) -> list[Nic]:
        """The further addresses of an interface."""
        return [alias for alias in self.aliases if alias.parent_id == nic.nic_id]

    def own_nics(self, name: str) -> list[Nic]:
        """The interfaces of one driver."""
        return [nic for nic in self.nics if nic.driver == name]

    @property
    def marked(self) -> Nic | None:
        """The interface or alias that is being attached or detached."""
        return next((nic for nic in (*self.nics, *self.aliases) if nic.is_marked), None)


def read(data: bytes) -> Vm:
    """The VM from what an action finds on its standard input. Raises DriverError."""
    try:
        text = base64.b64decode(data.strip(), validate=False)
    except (binascii.Error, ValueError):
        raise driver.DriverError("standard input: expected the VM's document in base64") from None
    root = driver.document(text)
    vm_id = _checked(_ID.match, (root.findtext("ID") or "").strip(), "VM/ID", "a number")
    template = root.find("TEMPLATE")
    elements = list(template) if template is not None else []
    return Vm(
        vm_id=vm_id,
        deploy_id=deploy_id((root.findtext("DEPLOY_ID") or "").strip()),
        hypervisor=(root.findtext("HISTORY_RECORDS/HISTORY/VM_MAD") or "").strip(),
        nics=tuple(_nic(vm_id, each) for each in elements if each.tag == "NIC"),
        aliases=tuple(_nic(vm_id, each) for each in elements if each.tag == "NIC_ALIAS"),
        rules=tuple(_attributes(each) for each in elements if each.tag == "SECURITY_GROUP_RULE"),
    )


def deploy_id(text: str) -> str:
    """A hypervisor's name of a machine; empty for none. Raises DriverError."""
    if text in ("", "-"):
        return ""
    return _checked(_DEPLOY_ID.match, text, "deploy id", "a machine's name")


def interface_name(text: str, what: str) -> str:
    """A name of a network interface, as given. Raises DriverError."""
    expected = "an interface's name of at most 15 letters, digits and ._:-"
    return _checked(_INTERFACE.match, text, what, expected)


def _nic(vm_id: str, element: ElementTree.Element) -> Nic:
    given = _attributes(element)
    name = f"{element.tag} of vm {vm_id}"
    nic_id = _checked(_ID.match, given.get("NIC_ID", ""), f"{name}: NIC_ID", "a number")
    name = f"nic {nic_id} of vm {vm_id}"
    parent_id, bridge, phydev = given.get("PARENT_ID", ""), given.get("BRIDGE", ""), given.get("PHYDEV", "")
    mac = given.get("MAC", "").lower()
    return Nic(
        vm_id=vm_id,
        nic_id=nic_id,
        given=given,
        driver=given.get("VN_MAD", ""),
        bridge=interface_name(bridge, f"{name}: BRIDGE") if bridge else "",
        phydev=interface_name(phydev, f"{name}: PHYDEV") if phydev else "",
        mac=_checked(_MAC.match, mac, f"{name}: MAC", "a MAC address") if mac else "",
        parent_id=_checked(_ID.match, parent_id, f"{name}: PARENT_ID", "a number") if parent_id else "",
        is_marked=given.get("ATTACH", "").upper() == "YES",
    )


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    return {child.tag: (child.text or "").strip() for child in element if len(child) == 0}


def _checked(matches: Callable[[str], object], text: str, what: str, expected: str) -> str:
    if not matches(text):
        raise driver.DriverError(f"{what} is {text[:60]!r}, expected {expected}")
    return text
