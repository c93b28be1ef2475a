"""What has arrived from another machine leads nowhere else; see tm_node.

A node that was taken over sends what it likes: a link or a layer that names a file of the machine it comes to
would be read there, and be given to whoever owns the VM.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from tm_node import Fault
from tm_node_chain import header
from tm_node_copy import is_qcow2

_DISK = re.compile(r"disk\.(\d{1,9})(?:\.snap/\d{1,9})?")


def check_disk(path: str, place: str, is_layered: bool) -> None:
    """Raises Fault for a disk that becomes an image and stands on another file, and so for its snapshots.

    place: the image; what it stands on already is an administrator's choice. is_layered: whether the disk is
    qcow2 for its hypervisor; what guests have written to others is not looked at.
    """
    known = header(place)[0] if is_layered and os.path.isfile(place) and is_qcow2(place) else ""
    folder = f"{path}.snap"
    entries = os.listdir(folder) if os.path.isdir(folder) and not os.path.islink(folder) else []
    for file in (path, *(os.path.join(folder, entry) for entry in entries)):
        if is_layered and os.path.isfile(file) and not os.path.islink(file) and is_qcow2(file):
            below = _below(file)
            if below and below != known:
                raise Fault(f"{os.path.basename(path)} stands on {below[:100]!r}, which has not arrived")


def check_folder(path: str, place: str, layered: Sequence[str] = (), images: Sequence[str] = ()) -> None:
    """Raises Fault for links and layers that lead out of a VM's folder.

    path, place: where it is, and where it goes. layered: the numbers of its qcow2 disks. images: what its
    disks may stand on.
    """
    for folder, folders, files in os.walk(path):
        for entry in (*folders, *files):
            found = os.path.join(folder, entry)
            name = os.path.relpath(found, path)
            way = ""
            if os.path.islink(found):
                way = os.readlink(found)
            elif (disk := _DISK.fullmatch(name)) and disk[1] in layered and is_qcow2(found):
                way = _below(found)
            if way and not _is_own(way, os.path.join(place, os.path.dirname(name)), place, images):
                raise Fault(f"{name} leads to {way[:100]!r}, which is not of this VM")


def _below(path: str) -> str:
    """The file that a qcow2 disk stands on; '' for none. Raises Fault."""
    below, is_external = header(path)
    if is_external:
        raise Fault(f"{os.path.basename(path)} keeps its data in another file, which is not supported")
    return below


def _is_own(way: str, folder: str, place: str, images: Sequence[str]) -> bool:
    # With links on the way, `..` is not what it seems; what has a colon is an address for qemu, or options.
    if ".." in way.split("/") or ":" in way.partition("/")[0]:
        return False
    lead = os.path.normpath(os.path.join(folder, way))
    if lead == place or lead.startswith(f"{place}/"):
        return True
    return any(lead in (image, f"{image}.snap") or lead.startswith(f"{image}.snap/") for image in images)
