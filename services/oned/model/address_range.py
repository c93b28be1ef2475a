"""Address ranges: the runs of addresses that a network gives out, one lease a network card.

A range counts its addresses from 0. MAC, IPv4 and static IPv6 address of a lease are the range's first ones
moved on by the lease's offset; other IPv6 addresses follow from prefix and MAC.
Source: virtual network reference of release 6.0; network documents of real databases; address ranges of
release 6.0.0.3.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import IntEnum

from services.common import xmldoc
from services.common.template import Vector
from services.oned.model import addresses
from services.oned.model.lease_map import Holder, Lease, LeaseMap

INTERNAL_IPAM = "internal"
# Elements that are worked out for a document and never stored.
SHOWN_ONLY = (
    "MAC_END", "IP_END", "IP6_END", "IP6_ULA", "IP6_ULA_END", "IP6_GLOBAL", "IP6_GLOBAL_END",
)  # fmt: skip
_RULE_PARTS = ("AR_ID", "TYPE", "SIZE", "MAC", "IP", "IP6")
_CUT_PARTS = ("MAC", "IP", "IP6", "EXTERNAL_PORT_RANGE", "INTERNAL_PORT_RANGE")
_PLACE_PARTS = ("VN_MAD", "BRIDGE", "PHYDEV", "VLAN_ID")
_LEASE_OWNERS = {Holder.VM: "VM", Holder.NET: "VNET", Holder.VR: "VROUTER"}
_ETHER, _IP4, _IP6, _STATIC = 1, 2, 4, 8
_NUMBER = re.compile(r"\s*[+-]?\d+\Z", re.ASCII)


class RangeType(IntEnum):
    """TYPE of a range: a sum of Ethernet (1), IPv4 (2), IPv6 by prefix (4) and static IPv6 (8)."""

    ETHER = _ETHER
    IP4 = _ETHER | _IP4
    IP6 = _ETHER | _IP6
    IP4_6 = _ETHER | _IP4 | _IP6
    IP6_STATIC = _ETHER | _STATIC
    IP4_6_STATIC = _ETHER | _IP4 | _STATIC


def unsigned(text: str) -> int | None:
    """The unsigned 32-bit number of a text, or None; as in OpenNebula a negative one counts from the end."""
    if not _NUMBER.match(text) or abs(int(text)) > 0xFFFFFFFF:
        return None
    return int(text) & 0xFFFFFFFF


def id_set(text: str) -> set[int]:
    """The numbers of a comma-separated list; what is no number is passed over."""
    return {int(found[1]) for part in text.split(",") if (found := re.match(r"\s*([+-]?\d+)", part))}


class AddressRange:
    """One range. ``values`` are its attributes, ``leases`` what is taken.

    ``shows_leases``: whether the stored form has the element of the leases, which stays once there were some.
    """

    __slots__ = ("leases", "shows_leases", "values")

    def __init__(self, values: Vector, leases: str | None = None) -> None:
        self.values = values
        self.leases = LeaseMap(leases or "")
        self.shows_leases = leases is not None

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> AddressRange:
        """The range of an AR element of a stored document."""
        values = {str(part.tag): part.text or "" for part in element}
        return cls(values, values.pop("ALLOCATED", None))

    # -- what it is --------------------------------------------------------------------------------------
    @property
    def ar_id(self) -> int:
        """The range's number in its network."""
        return int(self.values.get("AR_ID") or 0)

    @property
    def type(self) -> int:
        """Bits of RangeType; 0 for a word that is none."""
        word = self.values.get("TYPE", "").upper()
        return RangeType[word] if word in RangeType.__members__ else 0

    @property
    def size(self) -> int:
        """How many addresses it has."""
        return unsigned(self.values.get("SIZE", "")) or 0

    @property
    def free(self) -> int:
        """How many addresses nobody has."""
        return self.size - len(self.leases)

    @property
    def mac(self) -> int:
        """The first MAC address."""
        return addresses.parse_mac(self.values.get("MAC", "")) or 0

    @property
    def ip(self) -> int | None:
        """The first IPv4 address, or None for a range without them."""
        return addresses.parse_ip4(self.values.get("IP", "")) if self.type & _IP4 else None

    @property
    def ip6(self) -> int | None:
        """The first static IPv6 address, or None for a range without them."""
        return addresses.parse_ip6(self.values.get("IP6", "")) if self.type & _STATIC else None

    @property
    def is_ipam(self) -> bool:
        """Whether an IPAM driver, and not OpenNebula, hands out the addresses."""
        return self.values.get("IPAM_MAD", "") not in ("", INTERNAL_IPAM)

    @property
    def parent_ar_id(self) -> int:
        """The range of the parent network that a reservation is cut from, or -1."""
        return int(self.values.get("PARENT_NETWORK_AR_ID") or -1)

    @property
    def security_groups(self) -> set[int]:
        """The security groups of every lease of this range."""
        return id_set(self.values.get("SECURITY_GROUPS", ""))

    def _prefixes(self) -> list[tuple[str, int]]:
        """(element, prefix) of the IPv6 networks whose addresses follow from the MAC."""
        if not self.type & _IP6:
            return []
        found = [("IP6_ULA", self.values.get("ULA_PREFIX")), ("IP6_GLOBAL", self.values.get("GLOBAL_PREFIX"))]
        return [(name, prefix) for name, text in found if (prefix := addresses.parse_prefix(text or ""))]

    # -- addresses ---------------------------------------------------------------------------------------
    @property
    def series(self) -> addresses.Series:
        """The addresses by offset; read it once when many are wanted."""
        start, count = (unsigned(self.values.get(name, "")) or 0 for name in ("PORT_START", "PORT_SIZE"))
        return addresses.Series(
            self.mac, self.ip, self.ip6, tuple(self._prefixes()), bool(self.type & _IP6), (start, count)
        )

    def offset_of(self, name: str, text: str) -> int | None:
        """Which of the addresses a MAC, IP or IP6 (``name``) is, or None when it lies outside."""
        parse, first = {
            "MAC": (addresses.parse_mac, self.mac),
            "IP": (addresses.parse_ip4, self.ip),
            "IP6": (addresses.parse_ip6, self.ip6),
        }[name]
        number = parse(text)
        if number is None or first is None or number < first or number >> 32 != first >> 32:
            return None
        return number - first if number - first < self.size else None

    # -- leases ------------------------------------------------------------------------------------------
    def take(self, offset: int, holder: Holder, oid: int) -> None:
        """Lease a free address."""
        self.leases.add(offset, holder, oid)
        self.shows_leases = True

    def take_range(self, start: int, size: int, holder: Holder, oid: int) -> None:
        """Lease free addresses in a row."""
        self.leases.add_range(start, size, holder, oid)
        self.shows_leases = True

    def give_back(self, offset: int, holder: Holder, oid: int) -> bool:
        """Free an address that this object holds; whether it did."""
        return self.leases.remove(offset, holder, oid)

    def give_back_all(self, holder: Holder, oid: int, among: range | None = None) -> None:
        """Free what an object holds (among some offsets)."""
        self.shows_leases = True
        self.leases.remove_owner(holder, oid, among)

    def fill_nic(self, nic: Vector, offset: int, inherited: Collection[str]) -> None:
        """Write a lease's addresses and what the range says of its network into a card's vector."""
        nic.update(self.series.at(offset))
        nic["AR_ID"] = str(self.ar_id)
        nic.update({name: text for name in _PLACE_PARTS if (text := self.values.get(name))})
        for name in inherited:
            if not nic.get(name) and self.values.get(name):
                nic[name] = self.values[name]

    def cut(self, start: int, size: int, ar_id: int) -> AddressRange:
        """The range of a reservation: ``size`` addresses from offset ``start`` on, as number ``ar_id``."""
        moved = self.series.at(start)
        own = {**self.values, **{name: moved[name] for name in _CUT_PARTS if name in moved}}
        for name in ("IPAM_MAD", "USED_LEASES", "LEASES", "PARENT_NETWORK"):
            own.pop(name, None)
        own.update(SIZE=str(size), AR_ID=str(ar_id), PARENT_NETWORK_AR_ID=str(self.ar_id))
        return AddressRange(own)

    def as_rule(self, rule: Vector) -> Vector:
        """A security group's rule about this range's network, narrowed to the range."""
        first = {name: text for name in _RULE_PARTS if (text := self.values.get(name))}
        own = {name: addresses.autoconfigured(prefix, self.mac) for name, prefix in self._prefixes()}
        return {**rule, **first, **own}

    # -- documents ---------------------------------------------------------------------------------------
    def to_xml(self) -> str:
        """The stored form."""
        values = {**self.values, "ALLOCATED": ""} if self.shows_leases else self.values
        parts = []
        for name in sorted(values):
            # A lease text holds digits only, and may be long.
            text = f"<![CDATA[{self.leases.text}]]>" if name == "ALLOCATED" else xmldoc.cdata(values[name])
            parts.append(f"<{name}>{text}</{name}>")
        return f"<AR>{''.join(parts)}</AR>"

    def to_xml_extended(self, sees: Mapping[Holder, Collection[int] | None]) -> str:
        """The form of ``one.vn.info``: with the last addresses, and the leases of visible objects.

        sees: for each kind of holder the ids that the caller may see, None meaning all.
        """
        series = self.series
        first, last = series.at(0), series.at(self.size - 1)
        shown = [*sorted(self.values.items()), ("MAC_END", last["MAC"])]
        if "IP" in last:
            shown.append(("IP_END", last["IP"]))
        for name, _ in series.prefixes:
            shown += [(name, first[name]), (f"{name}_END", last[name])]
        if "IP6" in last:
            shown.append(("IP6_END", last["IP6"]))
        inner = "".join(f"<{name}>{xmldoc.cdata(text)}</{name}>" for name, text in shown)
        leases = "".join(_lease_xml(series, lease) for lease in self.leases if _is_seen(lease, sees))
        rows = f"<LEASES>{leases}</LEASES>" if len(self.leases) else "<LEASES/>"
        return f"<AR>{inner}<USED_LEASES>{len(self.leases)}</USED_LEASES>{rows}</AR>"


def _lease_xml(series: addresses.Series, lease: Lease) -> str:
    parts = {**series.at(lease.offset), _LEASE_OWNERS[lease.holder]: str(lease.oid)}
    # Addresses and numbers need no escaping.
    inner = "".join(f"<{name}><![CDATA[{parts[name]}]]></{name}>" for name in sorted(parts))
    return f"<LEASE>{inner}</LEASE>"


def _is_seen(lease: Lease, sees: Mapping[Holder, Collection[int] | None]) -> bool:
    ids = sees[lease.holder]
    return ids is None or lease.oid in ids
