"""Device names of disks (sda, hdb): which each disk gets that asks for none.

The first disk with a system gets the first name, then CD-ROMs and the context disk, then all others; each
prefix counts for itself. Source: disk section of the VM template reference of release 6.0.
"""

from __future__ import annotations

from services.common.template import Vector
from services.oned.errors import RequestError
from services.oned.model.image import ImageType

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Targets:
    """The device names that a VM's disks have."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._waiting: dict[ImageType, list[tuple[str, Vector]]] = {
            ImageType.OS: [],
            ImageType.CDROM: [],
            ImageType.DATABLOCK: [],
        }

    def use(self, target: str) -> None:
        """Note a name that a disk has already. Raises RequestError when another one has it."""
        if target in self._used:
            raise RequestError(f"Two disks have defined the same target {target}")
        self._used.add(target)

    def add(self, disk: Vector, kind: ImageType, prefix: str) -> None:
        """Note a disk: its TARGET is used; without one it gets a name by assign(). Raises RequestError."""
        if disk.get("TARGET"):
            self.use(disk["TARGET"])
            return
        if kind is ImageType.OS and self._waiting[kind]:
            kind = ImageType.DATABLOCK
        self._waiting[kind].append((prefix, disk))

    def assign(self) -> None:
        """Give every noted disk without TARGET the first free name of its prefix."""
        for waiting in self._waiting.values():
            for prefix, disk in waiting:
                names = [prefix + letter for letter in _LETTERS]
                disk["TARGET"] = next((name for name in names if name not in self._used), names[-1])
                self._used.add(disk["TARGET"])
            waiting.clear()
