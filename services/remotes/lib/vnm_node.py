"""The node's network: its links as they are, the commands that change them, one change at a time.

Commands that need it run by `sudo -n` with the paths that node preparation allows.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import driver

# Sudo's rules name these paths; see the README of these drivers.
IP = "/usr/sbin/ip"
IPTABLES_SAVE = {4: "/usr/sbin/iptables-save", 6: "/usr/sbin/ip6tables-save"}
IPTABLES_RESTORE = {4: "/usr/sbin/iptables-restore", 6: "/usr/sbin/ip6tables-restore"}
EBTABLES_SAVE = "/usr/sbin/ebtables-save"
EBTABLES_RESTORE = "/usr/sbin/ebtables-restore"
IPSET = "/usr/sbin/ipset"
# `ipset restore` writes a file that its input names (`save -file`): it gets the right to administer networks,
# and is nobody otherwise.
_NOBODY = (
    *("/usr/bin/setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"),
    *("--inh-caps=-all,+net_admin", "--ambient-caps=-all,+net_admin", "--bounding-set=-all,+net_admin"),
)

_TIMEOUT_S = 60.0
# What we make is in this group of interfaces; only that is ever removed. The group is given in the command
# that makes an interface, so that a crash leaves nothing without it.
_GROUP = "9869"
_HERE = os.path.dirname(os.path.realpath(__file__))


@dataclass(frozen=True)
class Link:
    """An interface of the node. kind: bridge, vlan, vxlan …; master: its bridge. Empty without one."""

    name: str
    kind: str
    master: str
    is_ours: bool
    vlan_id: str = ""


def privileged(argv: Sequence[str], *, stdin: str = "") -> str:
    """The output of a command that needs the administrator's rights. Raises DriverError with what it said."""
    prefix: Sequence[str] = () if os.geteuid() == 0 else ("sudo", "-n")
    return driver.run([*prefix, *argv], stdin=stdin.encode(), timeout_s=_TIMEOUT_S)


def restore_sets(text: str) -> None:
    """Make and remove sets as `ipset restore` reads it. Raises DriverError with what it said."""
    lowered = () if os.geteuid() == 0 else _NOBODY
    privileged([*lowered, IPSET, "restore", "-exist"], stdin=text)


@contextmanager
def locked() -> Iterator[None]:
    """One network action at a time on this node; a lock ends with its process."""
    folder = os.open(_HERE, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def links() -> dict[str, Link]:
    """The node's interfaces by name. Raises DriverError."""
    return parse_links(driver.run(["ip", "-json", "-details", "link", "show"], timeout_s=_TIMEOUT_S))


def parse_links(text: str) -> dict[str, Link]:
    """Interfaces from what `ip -json -details link show` prints. Raises DriverError."""
    try:
        rows: list[dict[str, Any]] = [row for row in json.loads(text or "[]") if row.get("ifname")]
    except ValueError:
        raise driver.DriverError("ip -json link show did not print JSON") from None
    found = {}
    for row in rows:
        info = row.get("linkinfo") or {}
        kind = str(info.get("info_kind", ""))
        name = str(row["ifname"])
        vlan_id = str((info.get("info_data") or {}).get("id", "")) if kind in ("vlan", "vxlan") else ""
        master = str(row.get("master", ""))
        found[name] = Link(name, kind, master, str(row.get("group")) == _GROUP, vlan_id)
    return found


def first_address(name: str) -> str:
    """The first address of an interface, as a tunnel's end. Raises DriverError when it has none."""
    text = driver.run(["ip", "-json", "address", "show", "dev", name], timeout_s=_TIMEOUT_S)
    for row in json.loads(text or "[]"):
        for each in row.get("addr_info", ()):
            local = str(each.get("local", ""))
            if local and not local.startswith("127.") and local != "::1":
                return local
    raise driver.DriverError(f"interface {name} has no address that a tunnel could end at")


def add_link(name: str, words: Sequence[str]) -> None:
    """Make an interface and bring it up; words: what follows in `ip link add`. Raises DriverError."""
    privileged([IP, "link", "add", "name", name, "group", _GROUP, "up", *words])


def set_master(name: str, bridge: str) -> None:
    """Put an interface into a bridge, and bring it up. Raises DriverError."""
    privileged([IP, "link", "set", "dev", name, "master", bridge, "up"])


def release(name: str) -> None:
    """Take an interface out of its bridge. Raises DriverError."""
    privileged([IP, "link", "set", "dev", name, "nomaster"])


def delete_link(name: str) -> None:
    """Remove an interface. Raises DriverError."""
    privileged([IP, "link", "delete", "dev", name])
