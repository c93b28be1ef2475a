"""Sizes of datastores and disks, on a machine that has them; see tm_node."""

from __future__ import annotations

import base64
import os
import re

from tm_node import Fault

_MIB = 1024 * 1024
_DISK = re.compile(r"disk\.(\d+)")


def datastore(path: str, is_with_disks: bool) -> dict[str, object]:
    """Room of a datastore in MB, as df counts it, and its VMs' lines when they are wanted."""
    os.makedirs(path, exist_ok=True)
    room = os.statvfs(path)
    total_mb = room.f_blocks * room.f_frsize // _MIB
    if not total_mb:
        raise Fault(f"{path} has no size")
    return {
        "total_mb": total_mb,
        "used_mb": (room.f_blocks - room.f_bfree) * room.f_frsize // _MIB,
        "free_mb": room.f_bavail * room.f_frsize // _MIB,
        "vms": vms(path) if is_with_disks else [],
    }


def vms(path: str) -> list[str]:
    """A line VM = [ ID = n, MONITOR = "..." ] for each VM: what disks and snapshots take in MB."""
    lines = []
    for vm_id in sorted((entry for entry in _entries(path) if entry.isdigit()), key=int):
        said = "".join(_disk_lines(os.path.join(path, vm_id)))
        if said:
            text = base64.b64encode(said.encode()).decode()
            lines.append(f'VM = [ ID = {vm_id}, MONITOR = "{text}" ]')
    return lines


def _disk_lines(folder: str) -> list[str]:
    lines = []
    for entry in sorted(_entries(folder)):
        found = _DISK.fullmatch(entry)
        size_mb = _used_mb(os.path.join(folder, entry)) if found else None
        if found is None or size_mb is None:
            continue
        disk_id = found.group(1)
        lines.append(f"\nDISK_SIZE = [ ID={disk_id}, SIZE={size_mb} ]")
        snapshots = os.path.join(folder, f"{entry}.snap")
        for number in sorted((name for name in _entries(snapshots) if name.isdigit()), key=int):
            size_mb = _used_mb(os.path.join(snapshots, number))
            if size_mb is not None:
                lines.append(f"\nSNAPSHOT_SIZE = [ ID={number}, DISK_ID={disk_id}, SIZE={size_mb} ]")
    return lines


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _used_mb(path: str) -> int | None:
    """What a file takes, rounded up, as du counts it; through links."""
    try:
        return -(-os.stat(path).st_blocks * 512 // _MIB)
    except OSError:
        return None
