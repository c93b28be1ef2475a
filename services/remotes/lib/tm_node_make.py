"""Empty disks, made where they will be used; see tm_node."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tm_node import erase, run
from tm_node_copy import commit, stage

_MIB = 1024 * 1024
# How each mkfs is told that a file will do.
_FORCE = {"ext2": ["-F"], "ext3": ["-F"], "ext4": ["-F"], "xfs": ["-f"], "btrfs": ["-f"], "ntfs": ["-F"]}


def make(
    target: str, size_mb: int, form: str, filesystem: str, options: Sequence[str], monitor: str = ""
) -> None:
    """A sparse disk, swap or with a filesystem."""
    temporary = stage(target, monitor)
    name = os.path.basename(target)
    try:
        path = os.path.join(temporary, name)
        if form == "qcow2" and not filesystem:
            _create(path, size_mb)
        else:
            with open(path, "xb") as file:
                file.truncate(size_mb * _MIB)
        if form == "swap":
            run(["mkswap", "-L", "swap", path])
        elif filesystem:
            run(["mkfs", "-t", filesystem, *_FORCE.get(filesystem, []), *options, path])
        if form == "qcow2" and filesystem:
            converted = f"{path}.qcow2"
            run(["qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", "--", path, converted])
            os.rename(converted, path)
        commit(temporary, name, target)
    except BaseException:
        erase(temporary)
        raise


def _create(path: str, size_mb: int) -> None:
    run(["qemu-img", "create", "-q", "-f", "qcow2", "--", path, f"{size_mb}M"])
