"""What a disk may read and write: bytes and operations a second, and how far for how long beyond.

Source: I/O limits of the disk section of the virtual machine template of release 6.0.
"""

from __future__ import annotations

from services.common.template import Vector
from services.oned.drivers.libvirt.markup import Element, add
from services.oned.drivers.libvirt.settings import Settings

_UNITS = ("BYTES", "IOPS")
_WITH_SIZE = ("total_iops_sec", "read_iops_sec", "write_iops_sec")


def write_limits(element: Element, disk: Vector, settings: Settings) -> None:
    """iotune with every limit of a disk, or by default; nothing without any. Raises PlanError.

    A limit of the total rules out those of reading and writing. ``…_MAX`` counts when it is larger than the
    limit itself, ``…_MAX_LENGTH`` with a ``…_MAX`` that counts.
    """
    found: dict[str, int] = {}
    for unit in _UNITS:
        total = _limit(disk, settings, f"TOTAL_{unit}")
        found |= total or _limit(disk, settings, f"READ_{unit}") | _limit(disk, settings, f"WRITE_{unit}")
    size = _number(disk, settings, "SIZE_IOPS_SEC")
    if size is not None and any(name in found for name in _WITH_SIZE):
        found["size_iops_sec"] = size
    if found:
        tune = add(element, "iotune")
        for name, value in found.items():
            add(tune, name, value)


def _limit(disk: Vector, settings: Settings, name: str) -> dict[str, int]:
    limit = _number(disk, settings, f"{name}_SEC")
    most = _number(disk, settings, f"{name}_SEC_MAX")
    found = {} if limit is None else {f"{name.lower()}_sec": limit}
    if most is not None and most > (limit or 0):
        found[f"{name.lower()}_sec_max"] = most
        length_s = _number(disk, settings, f"{name}_SEC_MAX_LENGTH")
        if length_s is not None:
            found[f"{name.lower()}_sec_max_length"] = length_s
    return found


def _number(disk: Vector, settings: Settings, part: str) -> int | None:
    return settings.checked(f"DISK/{part}", settings.of_vector("DISK", disk, part))
