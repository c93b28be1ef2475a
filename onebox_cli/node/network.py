"""Bridges for machines, kept over a restart by whatever manages this machine's network."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from onebox_cli.node.item import Finding, Unfit, call, read, run, write
from onebox_cli.node.wanted import Bridge

_NET = Path("/sys/class/net")
_INTERFACES = Path("/etc/network/interfaces.d")
_BRIDGE_SYSCTL = Path("/proc/sys/net/bridge")
_CALLS = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables")
_NETWORKD = Path("/etc/systemd/network")


class BridgeFilter:
    """Frames on bridges go through iptables, where the rules of security groups are."""

    name = "bridge filter"
    _FILES = {
        Path("/etc/modules-load.d/onebox-node.conf"): "br_netfilter\n",
        Path(
            "/etc/sysctl.d/90-onebox-node.conf"
        ): "# Security groups see the frames on bridges (onebox node).\n"
        + "".join(f"net.bridge.{name} = 1\n" for name in _CALLS),
    }

    def examine(self) -> Finding:
        """Whether the kernel does it, and will after a restart."""
        for path, text in self._FILES.items():
            if read(path) != text:
                return Finding("not set", f"write {path}")
        for name in _CALLS:
            if (found := read(_BRIDGE_SYSCTL / name).strip()) != "1":
                return Finding(
                    f"{name} is {found or 'not there'}", f"modprobe br_netfilter; sysctl net.bridge.{name}=1"
                )
        return Finding("frames on bridges go through iptables")

    def apply(self) -> None:
        """Set it now and for later. Raises Unfit where the kernel cannot, or may not be told."""
        for path, text in self._FILES.items():
            write(path, text)
        if not _BRIDGE_SYSCTL.is_dir():
            call("modprobe", "br_netfilter")
        for name in _CALLS:
            if read(_BRIDGE_SYSCTL / name).strip() == "1":
                continue
            try:
                (_BRIDGE_SYSCTL / name).write_text("1")
            except OSError as error:
                raise Unfit(
                    f"{error.filename}: {error.strerror}; without it security groups do not see any packet "
                    "(a container needs its /proc/sys to be writable)"
                ) from None


@dataclass(frozen=True)
class BridgeItem:
    """A bridge. An interface with an address is not put into it: that would cut somebody off."""

    bridge: Bridge

    @property
    def name(self) -> str:
        """For messages."""
        return f"bridge {self.bridge.name}"

    def examine(self) -> Finding:
        """Whether it is there, up, and has its port."""
        name, port = self.bridge.name, self.bridge.port
        if not (_NET / name).exists():
            return Finding("not there", f"make bridge {name}")
        if not (_NET / name / "bridge").is_dir():
            return Finding(f"{name} is there, and no bridge", "choose another name: --bridge NAME")
        if port and not (_NET / name / "brif" / port).exists():
            return Finding(f"{port} is not in {name}", f"ip link set {port} master {name}")
        if not _is_up(name):
            return Finding(f"{name} is down", f"ip link set {name} up")
        if (wanted := self._lasting()) and any(read(path) != text for path, text in wanted.items()):
            return Finding(f"{name} is gone after a restart", f"write {', '.join(map(str, wanted))}")
        ports = sorted(path.name for path in (_NET / name / "brif").iterdir())
        return Finding(
            f"up, {len(ports)} interfaces{'' if wanted else ', made by hand: not kept over a restart'}"
        )

    def apply(self) -> None:
        """Make it. Raises Unfit where that would cut somebody off."""
        name, port = self.bridge.name, self.bridge.port
        if (_NET / name).exists() and not (_NET / name / "bridge").is_dir():
            raise Unfit(f"{name} is there, and no bridge; choose another name: --bridge NAME")
        if port and not (_NET / name / "brif" / port).exists():
            self._check_port(port)
        if not (_NET / name).exists():
            run("ip", "link", "add", name, "type", "bridge", "forward_delay", "0")
        if port:
            run("ip", "link", "set", port, "master", name)
            run("ip", "link", "set", port, "up")
        run("ip", "link", "set", name, "up")
        for path, text in self._lasting().items():
            write(path, text)

    def _check_port(self, port: str) -> None:
        if not (_NET / port).exists():
            raise Unfit(f"there is no interface {port} to put into {self.bridge.name}")
        if (_NET / port / "master").exists():
            raise Unfit(f"{port} is in {(_NET / port / 'master').resolve().name} already")
        found = json.loads(run("ip", "-j", "address", "show", "dev", port) or "[]")
        addresses = [
            row["local"]
            for link in found
            for row in link.get("addr_info", [])
            if row.get("scope") == "global"
        ]
        if addresses:
            raise Unfit(
                f"{port} has the address {addresses[0]}: whoever is connected over it would be cut off; "
                f"give the address to {self.bridge.name} in this machine's network settings first"
            )

    def _lasting(self) -> dict[Path, str]:
        """The files that bring it back after a restart; none when nothing manages networks here."""
        name, port = self.bridge.name, self.bridge.port
        note = "# A bridge for machines (onebox node).\n"
        if shutil.which("ifup") and _INTERFACES.is_dir():
            text = f"{note}auto {name}\niface {name} inet manual\n"
            # By ip alone: Debian's bridge-utils need not be there.
            made = f"ip link add {name} type bridge forward_delay 0"
            text += f"    pre-up ip link show {name} >/dev/null 2>&1 || {made}\n"
            text += f"    up ip link set {port} master {name} up\n" if port else ""
            text += f"    up ip link set {name} up\n"
            return {_INTERFACES / f"onebox-{name}": text}
        if call("systemctl", "is-enabled", "--quiet", "systemd-networkd").returncode == 0:
            files = {
                _NETWORKD / f"50-onebox-{name}.netdev": f"{note}[NetDev]\nName={name}\nKind=bridge\n"
                "[Bridge]\nForwardDelaySec=0\n",
                _NETWORKD / f"50-onebox-{name}.network": f"{note}[Match]\nName={name}\n[Link]\n"
                "ActivationPolicy=always-up\n[Network]\nLinkLocalAddressing=no\nConfigureWithoutCarrier=yes\n",
            }
            if port:
                files[_NETWORKD / f"50-onebox-{name}-port.network"] = (
                    f"{note}[Match]\nName={port}\n[Network]\nBridge={name}\n"
                )
            return files
        return {}


def _is_up(name: str) -> bool:
    return bool(int((_NET / name / "flags").read_text(), 16) & 1)
