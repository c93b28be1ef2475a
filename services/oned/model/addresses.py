"""Network addresses as numbers: MAC, IPv4, IPv6, and IPv6 addresses made from a prefix and a MAC.

A MAC counts up in its last four bytes only, and an IPv6 address in its last four, as OpenNebula's ranges do.
Source: virtual network reference of release 6.0 (address ranges).
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

_WORD = 0xFFFFFFFF
_MAC = re.compile(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}\Z")
_IP4 = re.compile(r"\d+(\.\d+){3}\Z", re.ASCII)
_LINK_LOCAL = 0xFE80 << 48


def parse_mac(text: str) -> int | None:
    """The 48-bit number of a MAC address, or None."""
    if not _MAC.match(text):
        return None
    return int("".join(part.rjust(2, "0") for part in text.split(":")), 16)


def format_mac(mac: int) -> str:
    """The text of a MAC address: six pairs of lower-case digits."""
    digits = f"{mac & 0xFFFFFFFFFFFF:012x}"
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def parse_ip4(text: str) -> int | None:
    """The 32-bit number of an IPv4 address, or None; leading zeros do not mean octal."""
    if not _IP4.match(text):
        return None
    number = 0
    for part in text.split("."):
        byte = int(part)
        if byte > 255:
            return None
        number = number << 8 | byte
    return number


def format_ip4(number: int) -> str:
    """The text of an IPv4 address."""
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def parse_ip6(text: str) -> int | None:
    """The 128-bit number of an IPv6 address, or None."""
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")
    except (OSError, ValueError):
        return None


def format_ip6(number: int) -> str:
    """The shortest text of an IPv6 address."""
    return socket.inet_ntop(socket.AF_INET6, number.to_bytes(16, "big"))


def parse_prefix(text: str) -> int | None:
    """The upper 64 bits of an IPv6 prefix (0 for an empty text), or None when it is not one."""
    if not text:
        return 0
    number = parse_ip6(text)
    return None if number is None else number >> 64


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address."""
    if parse_ip6(text) is not None:
        return True
    try:
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


def step_word(number: int, index: int) -> int:
    """The number with its lowest 32 bits moved on; what lies above never changes."""
    return number & ~_WORD | (number + index) & _WORD


def autoconfigured(prefix: int, mac: int) -> str:
    """The IPv6 address that a card with that MAC gives itself below a 64-bit prefix (modified EUI-64)."""
    upper, lower = mac >> 24 ^ 0x020000, mac & 0xFFFFFF
    return format_ip6(prefix << 64 | upper << 40 | 0xFFFE << 24 | lower)


def link_local(mac: int) -> str:
    """The link-local IPv6 address of a card with that MAC."""
    return autoconfigured(_LINK_LOCAL, mac)


@dataclass(frozen=True, slots=True)
class Series:
    """The first addresses of a run, from which all the others follow by their offset.

    ip, ip6: None for a run without them. prefixes: (name, upper 64 bits) of the IPv6 networks whose addresses
    follow from the MAC; has_link: so does a link-local one. ports: (start, number for an address), or zeros.
    """

    mac: int
    ip: int | None = None
    ip6: int | None = None
    prefixes: tuple[tuple[str, int], ...] = ()
    has_link: bool = False
    ports: tuple[int, int] = (0, 0)

    def at(self, offset: int) -> dict[str, str]:
        """Every address at an offset, under the names that a network card's vector has."""
        mac = step_word(self.mac, offset)
        found = {"MAC": format_mac(mac)}
        if all(self.ports):
            start, count = self.ports
            first = start + offset * count + 1
            found["EXTERNAL_PORT_RANGE"] = f"{first}:{first + count - 1}"
            found["INTERNAL_PORT_RANGE"] = f"1-{count}/{first}"
        if self.ip is not None:
            found["IP"] = format_ip4(step_word(self.ip, offset))
        if self.has_link:
            found["IP6_LINK"] = link_local(mac)
        for name, prefix in self.prefixes:
            found[name] = autoconfigured(prefix, mac)
        if self.ip6 is not None:
            found["IP6"] = format_ip6(step_word(self.ip6, offset))
        return found
