"""Settings of the network drivers: OpenNebulaNetwork.conf, and what a network's template says instead.

The file is YAML, of which it uses two levels of `:key: value`; nodes need no YAML package for that.
Source: OpenNebulaNetwork.conf and virtual network pages of release 6.0.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import driver
from vnm_document import Nic

PATH = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "etc", "vnm", "OpenNebulaNetwork.conf")

_LINE = re.compile(r"(?P<indent> *):?(?P<key>[A-Za-z0-9_.-]+):(?:\s+(?P<value>.*))?\Z", re.ASCII)
_OPTION = re.compile(r"[a-z][a-z0-9_]{0,31}\Z", re.ASCII)
_VALUE = re.compile(r"[A-Za-z0-9_.:/%][A-Za-z0-9_.:/%-]{0,63}\Z", re.ASCII)
_DELETE = "__delete__"
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")

# brctl's names, of older releases, and those of ip.
_BRCTL = {
    "setageing": "ageing_time",
    "sethello": "hello_time",
    "setmaxage": "max_age",
    "stp": "stp_state",
    "setbridgeprio": "priority",
    "setfd": "forward_delay",
}

# Settings that are attributes of networks by themselves.
_OWN = ("vxlan_mode", "vxlan_mc", "vxlan_tep")

# What holds when the file does not say otherwise.
_DEFAULTS = {
    "validate_vlan_id": "false",
    "vlan_mtu": "1500",
    "vxlan_mode": "multicast",
    "vxlan_mc": "239.0.0.0",
    "vxlan_ttl": "16",
    "vxlan_mtu": "1500",
    "vxlan_tep": "dev",
    "ipset_maxelem": "65536",
    "keep_empty_bridge": "false",
}


@dataclass(frozen=True)
class Settings:
    """The file's settings: single values, and maps by name."""

    values: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULTS))
    maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, nic: Nic, name: str) -> str:
        """A setting for an interface: its network's (mostly in CONF), the file's, or the default."""
        own = nic.given.get(name.upper(), "") if name in _OWN else ""
        return own or _pairs(nic.given.get("CONF", "")).get(name) or self.values.get(name, "")

    def is_set(self, nic: Nic, name: str) -> bool:
        """A setting that is true or false."""
        return self.of(nic, name).lower() in _TRUE

    def number(self, nic: Nic, name: str) -> int:
        """A setting that is a positive number. Raises DriverError."""
        text = self.of(nic, name)
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or int(text) == 0:
            raise driver.DriverError(f"{nic.label}: {name} is {text[:40]!r}, expected a positive number")
        return int(text)

    def bridge_options(self, nic: Nic) -> list[str]:
        """Options of `ip link add type bridge`. Raises DriverError."""
        chosen = {_BRCTL.get(name, name): text for name, text in self.maps.get("bridge_conf", {}).items()}
        chosen.update(self.maps.get("ip_bridge_conf", {}))
        return _words(
            nic, "BRIDGE_CONF", _merged(chosen, nic.given.get("BRIDGE_CONF", ""), _BRCTL), ("1", "0")
        )

    def link_options(self, nic: Nic) -> list[str]:
        """Further options of `ip link add` for VLAN interfaces. Raises DriverError."""
        chosen = dict(self.maps.get("ip_link_conf", {}))
        return _words(
            nic, "IP_LINK_CONF", _merged(chosen, nic.given.get("IP_LINK_CONF", ""), {}), ("on", "off")
        )


def load(path: str = PATH) -> Settings:
    """The settings of a file; the defaults without one. Raises DriverError naming the line that is wrong."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise driver.DriverError(f"{os.path.normpath(path)} cannot be read: {error}") from None
    values, maps = dict(_DEFAULTS), dict[str, dict[str, str]]()
    current: dict[str, str] | None = None
    for number, line in enumerate(lines, 1):
        text = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if not text or text == "---":
            continue
        match = _LINE.match(text)
        if match is None or (match["indent"] and current is None):
            raise driver.DriverError(
                f"{os.path.normpath(path)}, line {number}: found {line.strip()[:60]!r}, expected :key: value"
            )
        value = (match["value"] or "").strip().strip("\"'")
        key = match["key"].lower()
        if match["indent"]:
            assert current is not None
            current[key] = value
        elif value:
            values[key], current = value, None
        else:
            current = maps.setdefault(key, {})
    return Settings(values, maps)


def _pairs(text: str) -> dict[str, str]:
    """`a=1,b=,c=x` as a mapping; parts without an equal sign are passed over, as OpenNebula does."""
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def _merged(chosen: dict[str, str], text: str, names: Mapping[str, str]) -> dict[str, str]:
    for given, value in _pairs(text).items():
        name = names.get(given, given)
        if value == _DELETE:
            chosen.pop(name, None)
        else:
            chosen[name] = value
    return chosen


def _words(nic: Nic, what: str, options: Mapping[str, str], switch: tuple[str, str]) -> list[str]:
    words: list[str] = []
    for name, value in options.items():
        if not _OPTION.match(name) or (value and not _VALUE.match(value)):
            raise driver.DriverError(
                f"{nic.label}: {what} has {f'{name}={value}'[:80]!r}, expected option=value of ip link"
            )
        words.append(name)
        if value.lower() in _TRUE or value.lower() in _FALSE:
            words.append(switch[0] if value.lower() in _TRUE else switch[1])
        elif value:
            words.append(value)
    return words
