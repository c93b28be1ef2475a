"""What the rules of security groups let through, as matches of packet filters.

Source: security group pages of release 6.0; its driver: what a rule with a target, ports or types means.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

import driver
from vnm_document import Attributes

IN, OUT = "i", "o"
_DIRECTIONS = {"INBOUND": IN, "OUTBOUND": OUT}
# Words of iptables by protocol, and the families that know it.
_PROTOCOLS: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "ALL": ((), (4, 6)),
    "TCP": (("-p", "tcp"), (4, 6)),
    "UDP": (("-p", "udp"), (4, 6)),
    "ICMP": (("-p", "icmp"), (4,)),
    "ICMPV6": (("-p", "icmpv6"), (6,)),
    "IPSEC": (("-p", "esp"), (4, 6)),
}
_TYPES = {"ICMP": ("ICMP_TYPE", "--icmp-type"), "ICMPV6": ("ICMPV6_TYPE", "--icmpv6-type")}
_TARGETS = ("IP", "IP6", "IP6_GLOBAL", "IP6_ULA")
_PORTS_MAX = 15  # that one match of several ports can have; a range counts twice
_RANGE = re.compile(r"([0-9]{1,5})(?::([0-9]{1,5}))?\Z", re.ASCII)
_ICMP = re.compile(r"([0-9]{1,3})(?:/([0-9]{1,3}))?\Z", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,39}\Z", re.ASCII)


@dataclass(frozen=True)
class Grant:
    """Packets that may pass: of a family (4, 6), in a direction; networks: None for any other end."""

    family: int
    direction: str
    words: tuple[str, ...]
    networks: tuple[str, ...] | None = None


EVERYTHING = tuple(Grant(family, direction, ()) for family in (4, 6) for direction in (IN, OUT))


def grants(rules: Iterable[Attributes]) -> list[Grant]:
    """What these rules let through together; each match occurs once. Raises DriverError naming a bad rule."""
    merged: dict[tuple[int, str, tuple[str, ...]], dict[str, None] | None] = {}
    for rule in rules:
        direction = _DIRECTIONS.get(rule.get("RULE_TYPE", "").upper())
        if direction is None:
            raise _refused(rule, "RULE_TYPE", "INBOUND or OUTBOUND")
        protocol = rule.get("PROTOCOL", "").upper()
        if protocol not in _PROTOCOLS:
            raise _refused(rule, "PROTOCOL", ", ".join(_PROTOCOLS))
        words, families = _PROTOCOLS[protocol]
        networks = _networks(rule)
        for more in _details(rule, protocol):
            for family in families:
                key = (family, direction, (*words, *more))
                if networks is None:
                    merged[key] = None
                    continue
                found = [net for net, version in networks if version == family]
                known = merged.setdefault(key, {}) if found else None
                if known is not None:
                    known.update(dict.fromkeys(found))
    return [
        Grant(family, direction, words, None if known is None else tuple(known))
        for (family, direction, words), known in merged.items()
    ]


def address_blocks(first: str, size: int) -> list[tuple[str, int]]:
    """The networks that make up ``size`` addresses from ``first`` on, each with its family.

    Sets of networks have no network of all addresses: it is given as two halves.
    """
    start = ipaddress.ip_address(first)
    if size <= 0:
        return []
    highest = 2**start.max_prefixlen - 1
    end = ipaddress.ip_address(int(start) + size - 1) if int(start) + size - 1 <= highest else None
    if start.version == 4:
        last4 = ipaddress.IPv4Address(highest if end is None else int(end))
        blocks4 = ipaddress.summarize_address_range(ipaddress.IPv4Address(int(start)), last4)
        return [(str(each), 4) for block in blocks4 for each in _halves(block)]
    last6 = ipaddress.IPv6Address(highest if end is None else int(end))
    blocks6 = ipaddress.summarize_address_range(ipaddress.IPv6Address(int(start)), last6)
    return [(str(each), 6) for block in blocks6 for each in _halves(block)]


def _halves(
    block: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return list(block.subnets()) if block.prefixlen == 0 else [block]


def _networks(rule: Attributes) -> list[tuple[str, int]] | None:
    """The rule's other ends; None for any. A target without addresses grants nothing."""
    if not any(rule.get(name) for name in (*_TARGETS, "SIZE", "NETWORK_ID")):
        return None
    size = rule.get("SIZE", "") or "0"
    if not _SIZE.match(size):
        raise _refused(rule, "SIZE", "the number of addresses")
    found: list[tuple[str, int]] = []
    for name in _TARGETS:
        if rule.get(name):
            try:
                found += address_blocks(rule[name], int(size))
            except ValueError:
                raise _refused(rule, name, "an IP address") from None
    return found


def _details(rule: Attributes, protocol: str) -> list[tuple[str, ...]]:
    """What a rule says besides its protocol: the matches that it takes, one or more."""
    if rule.get("RANGE"):
        if protocol not in ("TCP", "UDP"):
            raise _refused(rule, "RANGE", f"none with PROTOCOL {protocol}")
        return [("-m", "multiport", "--dports", ports) for ports in _port_lists(rule)]
    for of, (name, option) in _TYPES.items():
        text = rule.get(name, "")
        if not text:
            continue
        match = _ICMP.match(text)
        if of != protocol or match is None or max(int(part or 0) for part in match.groups()) > 255:
            raise _refused(rule, name, f"a type up to 255 with PROTOCOL {of}")
        return [(option, text)]
    return [()]


def _port_lists(rule: Attributes) -> list[str]:
    lists: list[list[str]] = [[]]
    room = _PORTS_MAX
    for part in rule["RANGE"].split(","):
        match = _RANGE.match(part.strip())
        first, last = (match[1], match[2] or match[1]) if match else ("1", "0")
        if match is None or not int(first) <= int(last) <= 65535:
            raise _refused(rule, "RANGE", "ports and port ranges such as 22,80:90")
        takes = 2 if match[2] else 1
        if takes > room:
            lists.append([])
            room = _PORTS_MAX
        lists[-1].append(part.strip())
        room -= takes
    return [",".join(each) for each in lists]


def _refused(rule: Attributes, name: str, expected: str) -> driver.DriverError:
    group = rule.get("SECURITY_GROUP_ID", "?")[:20]
    return driver.DriverError(
        f"security group {group}: a rule has {name} {rule.get(name, '')[:60]!r}, expected {expected}"
    )
