"""The Debian packages that make a machine a node, and what each is for. The one list of it."""

from __future__ import annotations

import os
import subprocess

PACKAGES = {
    "libvirt-daemon-system": "libvirt and its service",
    "libvirt-clients": "virsh, which the machine driver runs",
    "qemu-system-x86": "the hypervisor",
    "qemu-utils": "disk images",
    "e2fsprogs": "file systems of new disks",
    "openssh-server": "the front-end comes over SSH",
    "openssh-client": "disks go from node to node over SSH",
    "rsync": "driver actions and disks",
    "sudo": "single commands as root",
    "python3": "driver actions and probes",
    "iproute2": "bridges and interfaces",
    "iptables": "security groups",
    "ipset": "security groups",
    "nftables": "security groups",
    "procps": "what the probes read",
    "pciutils": "PCI devices for machines",
    "dmidecode": "libvirt's report of the machine",
    "kmod": "kernel modules of networks",
}


def missing(names: tuple[str, ...] = tuple(PACKAGES)) -> list[str]:
    """Which of the packages are not installed."""
    result = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    there = {line.split()[0] for line in result.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in there]


def install(names: list[str]) -> None:
    """Install packages from the machine's own sources. Raises subprocess.CalledProcessError."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (("update", "-q"), ("install", "-y", "-q", "--no-install-recommends", *names)):
        subprocess.run(
            ["apt-get", *words], env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True
        )
