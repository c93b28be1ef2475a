"""Shortcut options that describe an address range (onevnet addar, onevntemplate instantiate)."""

from __future__ import annotations

from typing import Any

from services.cli.decl import Opt
from services.cli.errors import CliError
from services.cli.template_text import vector

RANGE = (
    Opt("size", "number of addresses", "size", "s", "count"),
    Opt("mac", "first MAC address, as 02:00:c0:a8:00:01", "mac", "m"),
    Opt("ip", "first IPv4 address", "ip", "i"),
    Opt("ip6", "first IPv6 address with its prefix length, as 2001:db8::1/64", "ip6", "6"),
    Opt("ip6_global", "global IPv6 prefix", "ip6_pref", "g"),
    Opt("ip6_ula", "unique local IPv6 prefix", "ip6_pref", "u"),
    Opt("gateway", "address of the gateway", "ip"),
    Opt("netmask", "netmask, as 255.255.255.0", "mask"),
    Opt("vn_mad", "driver of networks made from it", "mad"),
    Opt("vlanid", "VLAN number", "id"),
)


def is_used(opts: Any) -> bool:
    """Whether any option of an address range was given."""
    return any(getattr(opts, option.key) is not None for option in RANGE)


def address_range(opts: Any) -> str:
    """The address range that the options describe. Raises CliError."""
    if opts.size is None:
        raise CliError("--size is missing: the number of addresses of the range.")
    parts = [("TYPE", _type(opts)), ("SIZE", str(opts.size))]
    ip6 = opts.ip6
    if ip6 is not None:
        ip6, length = _split_ip6(ip6)
        parts.append(("PREFIX_LENGTH", length))
    named = (
        ("IP", opts.ip),
        ("IP6", ip6),
        ("MAC", opts.mac),
        ("GLOBAL_PREFIX", opts.ip6_global),
        ("ULA_PREFIX", opts.ip6_ula),
        ("GATEWAY", opts.gateway),
        ("MASK", opts.netmask),
        ("VN_MAD", opts.vn_mad),
        ("VLAN_ID", opts.vlanid),
    )
    return vector("AR", parts + [(name, value) for name, value in named if value])


def _type(opts: Any) -> str:
    prefixes = opts.ip6_global or opts.ip6_ula
    if opts.ip:
        return "IP4_6" if prefixes else "IP4_6_STATIC" if opts.ip6 else "IP4"
    return "IP6_STATIC" if opts.ip6 else "IP6" if prefixes else "ETHER"


def _split_ip6(text: str) -> tuple[str, str]:
    import socket

    address, _, length = text.partition("/")
    try:
        socket.inet_pton(socket.AF_INET6, address)
        if not length.isdigit() or not 1 <= int(length) <= 128:
            raise ValueError
    except (OSError, ValueError):
        raise CliError(
            f"--ip6: expected an address with prefix length (2001:db8::1/64), found {text!r}"
        ) from None
    return address, length


def address_name(text: str) -> str:
    """IP, IP6 or MAC, after the form of an address. Raises CliError."""
    import re
    import socket

    for family, name in ((socket.AF_INET, "IP"), (socket.AF_INET6, "IP6")):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return name
    if re.fullmatch(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", text):
        return "MAC"
    raise CliError(f"Expected an IPv4, IPv6 or MAC address, found {text!r}.")


def lease(text: str, range_id: int | None) -> str:
    """The template of one address, for hold and release."""
    parts = [(address_name(text), text)]
    if range_id is not None:
        parts.append(("AR_ID", str(range_id)))
    return vector("LEASES", parts)
