"""What an image file is, told by its first bytes, and its size as a disk.

Images come from anybody. One that names another file (a backing file, a data file, extents) would let a guest
read any file of the front-end or the node, so it is refused, and programs are told the format.
"""

from __future__ import annotations

import json
import resource
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from driver import DriverError

MB = 1024 * 1024
HEAD_BYTES = 64 * 1024
_ARCHIVES = ((0, b"PK\x03\x04", "zip"), (257, b"ustar", "tar"))
_REFUSED = (
    (0, b"QED\0", "QED"),
    (0, b"WithoutFreeSpace", "Parallels"),
    (0, b"WithouFreSpacExt", "Parallels"),
    (0, b"Bochs Virtual HD Image", "Bochs"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard"),
)
_EXTERNAL_DATA = 1 << 2
# A crafted image can make a program read it for hours or fill the memory.
_INSPECT_CPU_S = 60
_INSPECT_MEMORY_BYTES = 2 * 1024 * MB
_INSPECT_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Format:
    """A format by qemu's name; virtual_bytes: the size of the disk, None when the head does not tell it."""

    name: str
    virtual_bytes: int | None = None


def of_head(head: bytes, label: str) -> Format:
    """The format of a file by its first HEAD_BYTES. Raises DriverError for what cannot be an image."""
    for offset, magic, name in (*_ARCHIVES, *_REFUSED):
        if head[offset : offset + len(magic)] == magic:
            kind = "an archive" if (offset, magic, name) in _ARCHIVES else "an image"
            raise DriverError(f"{label} is {kind} of format {name}; expected a raw or qcow2 image")
    if head.startswith(b"QFI\xfb"):
        return _qcow2(head, label)
    if head.startswith(b"KDMV"):
        return Format("vmdk", _number(head, 12, "<Q", label) * 512)
    if head.startswith(b"COWD") or b"# Disk DescriptorFile" in head[:512]:
        raise DriverError(f"{label} is a VMDK image that consists of several files; expected one file")
    if head[64:68] == b"\x7f\x10\xda\xbe":
        return Format("vdi", _number(head, 0x170, "<Q", label))
    if head.startswith(b"conectix"):
        return Format("vpc", _number(head, 48, ">Q", label))
    if head.startswith(b"vhdxfile"):
        return Format("vhdx")
    return Format("raw")


def _qcow2(head: bytes, label: str) -> Format:
    version = _number(head, 4, ">I", label)
    if version not in (2, 3):
        raise DriverError(f"{label} is a qcow image of version {version}; expected version 2 or 3")
    if _number(head, 8, ">Q", label):
        raise DriverError(f"{label} needs another file (its backing file); expected an image without one")
    if version == 3 and _number(head, 72, ">Q", label) & _EXTERNAL_DATA:
        raise DriverError(f"{label} keeps its data in another file; expected an image without one")
    return Format("qcow2", _number(head, 24, ">Q", label))


def _number(head: bytes, offset: int, form: str, label: str) -> int:
    try:
        return int(struct.unpack_from(form, head, offset)[0])
    except struct.error:
        raise DriverError(f"{label} is cut off: its header ends after {len(head)} bytes") from None


def of_file(path: str, label: str) -> Format:
    """The format of a complete file and its size as a disk. Raises DriverError."""
    try:
        with open(path, "rb") as file:
            found = of_head(file.read(HEAD_BYTES), label)
            size_bytes = file.seek(0, 2)
    except OSError as error:
        raise DriverError(f"{label} cannot be read: {error.strerror}") from None
    if found.name == "raw":
        return Format("raw", size_bytes)
    return Format(found.name, _virtual_bytes(path, found.name, label))


def _virtual_bytes(path: str, name: str, label: str) -> int:
    said = qemu_img(["info", "--output=json", "-f", name, "--", path], label)
    try:
        info = json.loads(said)
        external = [key for key in ("backing-filename", "full-backing-filename") if info.get(key)]
        if external:
            raise DriverError(f"{label} needs another file (its backing file); expected an image without one")
        return int(info["virtual-size"])
    except (ValueError, KeyError, TypeError):
        raise DriverError(f"{label} is no usable {name} image") from None


def qemu_img(args: Sequence[str], label: str, *, is_inspection: bool = True) -> str:
    """What qemu-img prints. is_inspection: it only looks, so its time and memory are limited."""
    try:
        done = subprocess.run(
            ["qemu-img", *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_INSPECT_TIMEOUT_S if is_inspection else None,
            preexec_fn=_limit if is_inspection else None,
            check=False,
        )
    except FileNotFoundError:
        raise DriverError("qemu-img is not installed here") from None
    except subprocess.TimeoutExpired:
        raise DriverError(f"{label}: qemu-img {args[0]} did not end in time") from None
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise DriverError(f"{label}: qemu-img {args[0]} failed: {said[-500:]}")
    return done.stdout


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_INSPECT_CPU_S, _INSPECT_CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (_INSPECT_MEMORY_BYTES, _INSPECT_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def convert(path: str, found: str, wanted: str, target: str, label: str) -> None:
    """Write an image in another format. Raises DriverError."""
    qemu_img(["convert", "-f", found, "-O", wanted, "--", path, target], label, is_inspection=False)


def size_mb(size_bytes: int) -> int:
    """Bytes in whole MB, rounded up; at least 1."""
    return max(1, -(-size_bytes // MB))
