"""Probes of the datastores that a node keeps for itself: their space, and the disks of machines in them.

A system datastore is looked at here when it holds a file ``.monitor`` with the name of its transfer driver;
that driver's ``monitor_ds FOLDER`` lists the machines' disks. Sizes in MiB.
"""

from __future__ import annotations

import os
import re

from driver import DriverError, run
from im_context import Context
from im_text import line, vector

_DRIVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_MB = 1024 * 1024
_DEFAULT_DRIVER = "ssh"
_CACHE = "replica"
_TIMEOUT_S = 60.0


def space(at: Context) -> str:
    """DS_LOCATION_USED_MB, _TOTAL_MB and _FREE_MB, and a DS vector of each datastore with a mark."""
    try:
        os.makedirs(at.datastores, exist_ok=True)
    except OSError as error:
        raise DriverError(f"{at.datastores} cannot be made: {error.strerror}") from None
    used_mb, total_mb, free_mb = _space_mb(at.datastores)
    said = [
        line("DS_LOCATION_USED_MB", used_mb),
        line("DS_LOCATION_TOTAL_MB", total_mb),
        line("DS_LOCATION_FREE_MB", free_mb),
    ]
    for ds_id, driver in marked(at):
        folder = os.path.join(at.datastores, str(ds_id))
        parts: dict[str, object] = {"ID": ds_id}
        if driver == _CACHE:
            images, size_mb = _cached(folder)
            parts |= {"REPLICA_CACHE": "YES", "REPLICA_CACHE_SIZE": f"{size_mb}M", "REPLICA_IMAGES": images}
        used_mb, total_mb, free_mb = _space_mb(folder)
        said.append(vector("DS", {**parts, "USED_MB": used_mb, "TOTAL_MB": total_mb, "FREE_MB": free_mb}))
    return "".join(said)


def disks(at: Context) -> str:
    """What each marked datastore's driver says of its machines' disks (VM vectors with MONITOR).

    A driver without ``monitor_ds``, or whose run fails, says nothing: the other figures still count.
    """
    said = []
    for ds_id, driver in marked(at):
        action = at.path("tm", driver, "monitor_ds")
        if os.access(action, os.X_OK):
            try:
                said.append(run([action, os.path.join(at.datastores, str(ds_id))], timeout_s=_TIMEOUT_S))
            except DriverError:
                continue
    return "".join(text if not text or text.endswith("\n") else text + "\n" for text in said)


def marked(at: Context) -> list[tuple[int, str]]:
    """The datastores with a mark and their transfer drivers, by ID."""
    try:
        entries = os.listdir(at.datastores)
    except OSError:
        return []
    found = []
    for entry in entries:
        if re.match(r"\d{1,9}\Z", entry):
            try:
                with open(
                    os.path.join(at.datastores, entry, ".monitor"), encoding="ascii", errors="replace"
                ) as file:
                    driver = file.read(256).strip() or _DEFAULT_DRIVER
            except OSError:
                continue
            if _DRIVER.match(driver):
                found.append((int(entry), driver))
    return sorted(found)


def _space_mb(folder: str) -> tuple[int, int, int]:
    """Used, all, and what is free for others than root."""
    try:
        stat = os.statvfs(folder)
    except OSError:
        return 0, 0, 0
    block = stat.f_frsize
    used = (stat.f_blocks - stat.f_bfree) * block
    return -(-used // _MB), stat.f_blocks * block // _MB, stat.f_bavail * block // _MB


def _cached(folder: str) -> tuple[int, int]:
    """How many images a replica cache holds, and how many MiB they take."""
    count = size = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                size += entry.stat(follow_symlinks=False).st_blocks * 512
                count += bool(re.match(r"[-a-f0-9]+\Z", entry.name))
    return count, -(-size // _MB)
