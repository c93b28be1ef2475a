"""libvirt and qemu: whose files disks are, who may use libvirt, and what a container does not allow."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from onebox_cli.node.item import Finding, read, write
from onebox_cli.node.settings import Settings
from onebox_cli.node.wanted import USER, Wanted

_QEMU = Path("/etc/libvirt/qemu.conf")
_LIBVIRTD = Path("/etc/libvirt/libvirtd.conf")
_APPARMOR = Path("/etc/apparmor.d")
# Disks belong to oneadmin, whose actions copy and delete them; libvirt must not give them away.
_OWNER = {"user": f'"{USER}"', "group": f'"{USER}"', "dynamic_ownership": "0"}
# libvirtd may neither make control groups nor mount in a container that is not privileged.
_CONTAINER = {"cgroup_controllers": "[ ]", "namespaces": "[ ]", "security_driver": '"none"'}
# Members of group libvirt are let in, as Debian's rules for polkit say; these hold without polkit too.
_SOCKET = {
    "unix_sock_group": '"libvirt"',
    "unix_sock_ro_perms": '"0770"',
    "unix_sock_rw_perms": '"0770"',
    "auth_unix_ro": '"none"',
    "auth_unix_rw": '"none"',
}


def is_container() -> bool:
    """Whether this machine is a container."""
    if any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")):
        return True
    return b"container=" in Path("/proc/1/environ").read_bytes()


def items() -> list[Settings]:
    """The settings of qemu and of libvirt's service."""
    return [
        Settings("qemu", _QEMU, {**_OWNER, **(_CONTAINER if is_container() else {})}),
        Settings("libvirt", _LIBVIRTD, _SOCKET),
    ]


@dataclass(frozen=True)
class AppArmor:
    """Where AppArmor confines machines: their disks and contexts lie below the datastores."""

    wanted: Wanted
    name: str = "apparmor"

    @property
    def _file(self) -> Path:
        return _APPARMOR / "local/abstractions/libvirt-qemu"

    @property
    def _rule(self) -> str:
        return f"{self.wanted.datastores}/** rwk,"

    def examine(self) -> Finding:
        """Whether the rule is there, if one is needed."""
        if (
            not Path("/sys/module/apparmor").exists()
            or not (_APPARMOR / "libvirt").is_dir()
            or is_container()
        ):
            return Finding("does not confine machines here")
        if not re.search(rf"^\s*{re.escape(self._rule)}$", read(self._file), re.MULTILINE):
            return Finding("keeps machines from their disks", f"add '{self._rule}' to {self._file}")
        return Finding(str(self._file))

    def apply(self) -> None:
        """Add the rule; profiles of machines that start later have it."""
        text = read(self._file)
        note = "# Disks of OpenNebula's machines (onebox node).\n"
        write(
            self._file, f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{note}  {self._rule}\n"
        )


class Acceleration:
    """Says which hypervisor a front-end shall use this node with; nothing can be done about it from here."""

    name = "acceleration"

    def examine(self) -> Finding:
        """Whether the machine can be used with VM_MAD kvm."""
        try:
            os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            return Finding(f"/dev/kvm: {error.strerror}; add the host with VM_MAD and IM_MAD qemu")
        return Finding("/dev/kvm is there; add the host with VM_MAD and IM_MAD kvm")

    def apply(self) -> None:
        """Nothing to do."""
