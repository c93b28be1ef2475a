"""The disks of a machine that moves to a node which does not share them.

Everything in the VM's folder is copied, except for the disks that the machine writes to: of these an empty
one of the same kind is made on the other node, which libvirt fills while the machine runs. Layers below a
qcow2 disk do not change and are copied as they are.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import kvm_disks
from driver import DriverError, run
from kvm_peer import Peer

_SECTOR = 512
# Of what qemu-img says of a qcow2 file: what the new one is given too.
_QCOW2 = {"compat": "compat", "extended-l2": "extended_l2"}


@dataclass(frozen=True)
class Disk:
    """A disk that the machine writes to: its device, the file behind it, and that file's format."""

    target: str
    path: str
    format: str


def is_shared(peer: Peer, folder: str) -> bool:
    """Whether the other node sees the same folder, whatever the datastore says. Raises DriverError."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".migrate-") as mark:
            return peer.has(mark.name)
    except OSError as error:
        raise DriverError(f"cannot write to {folder}: {error.strerror}") from None


def written(domain_xml: Element, folder: str, peer: Peer) -> list[Disk]:
    """The disks in the VM's folder that the machine writes to.

    Other files and devices must be on the other node already. Raises DriverError for one that is not.
    """
    own = os.path.realpath(folder) + os.sep
    found = []
    for disk in domain_xml.iterfind("devices/disk"):
        path = kvm_disks.source_of(disk)
        if disk.get("type") not in ("file", "block") or not path:
            continue
        target, driver = disk.find("target"), disk.find("driver")
        name = "" if target is None else target.get("dev", "")
        real = os.path.realpath(path)
        if not real.startswith(own):
            if not peer.has(path):
                where = "outside the VM's folder and missing on host"
                raise DriverError(f"disk {name} ({path}) is {where} {peer.host}")
        elif disk.find("readonly") is None and disk.get("type") == "file":
            found.append(Disk(name, real, "raw" if driver is None else driver.get("type", "raw")))
    return found


def send(peer: Peer, folder: str, disks: list[Disk], leave: Iterable[str]) -> None:
    """Fill the VM's folder on the other node, with empty disks for those that are written to.

    leave: files that are not copied. Raises DriverError.
    """
    left = {disk.path for disk in disks} | set(leave)
    root = os.path.realpath(folder)
    peer.copy(folder, _below(root, left))
    for disk in disks:
        peer.run(*_empty(disk, os.path.join(folder, os.path.relpath(disk.path, root))))


def _below(root: str, left: set[str]) -> Iterator[str]:
    """Folders before what is in them."""
    for place, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(place, name)
            if path not in left:
                yield os.path.relpath(path, root)


def _empty(disk: Disk, path: str) -> list[str]:
    """The program that makes an empty disk of the same kind at a path. Raises DriverError."""
    if disk.format == "raw":
        size = -(-os.stat(disk.path).st_size // _SECTOR) * _SECTOR
        return ["truncate", f"--size={size}", "--", path]
    info = json.loads(run(["qemu-img", "info", "-U", "-f", disk.format, "--output=json", "--", disk.path]))
    argv = ["qemu-img", "create", "-q", "-u", "-f", disk.format]
    options = []
    if disk.format == "qcow2":
        special = info.get("format-specific", {}).get("data", {})
        options = [f"{name}={_word(special[key])}" for key, name in _QCOW2.items() if key in special]
        options.append(f"cluster_size={int(info['cluster-size'])}")
    if options:
        argv += ["-o", ",".join(options)]
    if info.get("backing-filename"):
        argv += ["-b", info["backing-filename"], "-F", info.get("backing-filename-format", "raw")]
    return [*argv, "--", path, str(int(info["virtual-size"]))]


def _word(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
