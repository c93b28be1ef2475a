"""What a user's own attributes may make of a domain.

SPICE_OPTIONS, OS/KERNEL, OS/INITRD and NIC/TARGET are not among OpenNebula's restricted attributes, and the
domain is made by a service with all rights on the node: what is said there must reach the VM's own alone.
"""

from __future__ import annotations

import posixpath
import re

from services.oned.drivers.libvirt.markup import Element, fragment
from services.oned.drivers.libvirt.settings import Settings
from services.oned.drivers.step import PlanError

_PARTS = ("video", "sound", "channel", "redirdev", "redirfilter", "smartcard", "controller")
# Devices that lead to the screen's client; other types open files, sockets and devices of the node.
_TYPES = {
    "channel": ("spicevmc", "spiceport"),
    "redirdev": ("spicevmc",),
    "smartcard": ("spicevmc",),
    "controller": ("usb", "virtio-serial", "ccid"),
}
# Whatever element they are in, they name something of the node.
_OF_THE_NODE = frozenset({"path", "file", "dev", "dir", "rendernode", "host", "service"})
_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:%-]{0,14}\Z", re.ASCII)
_MADE_BY_CORE = re.compile(r"one-[0-9]+-[0-9]+\Z", re.ASCII)
# Where a node keeps what is not for guests. Other disks lie below the datastores, which are added to these.
_CLOSED = ("/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/var/lib/one", "/var/log", "/var/run")


def spice_options(settings: Settings) -> list[Element]:
    """The elements of SPICE_OPTIONS. Raises PlanError for what a VM may not add; its host and driver may."""
    what = f"{settings.label}: SPICE_OPTIONS"
    found = fragment(settings.text("SPICE_OPTIONS"), what)
    if settings.vm.get("SPICE_OPTIONS"):
        for element in found:
            _check_device(element, what)
    return found


def _check_device(element: Element, what: str) -> None:
    tag = str(element.tag)
    allowed = _TYPES.get(tag)
    kind = element.get("type", "")
    if tag not in _PARTS or (allowed is not None and kind not in allowed):
        name = f"{tag} of type {kind}" if kind else tag
        raise PlanError(
            f"{what} of a VM has {name[:60]!r}, expected {', '.join(_PARTS)} that lead to its screen; "
            "host, cluster and driver may add others, and RAW"
        )
    for part in element.iter():
        named = _OF_THE_NODE & set(map(str, part.attrib))
        if named:
            raise PlanError(f"{what} of a VM has {tag} with {sorted(named)[0]!r}, which is of the node")


def boot_file(settings: Settings, part: str, folder: str) -> str:
    """OS/KERNEL or OS/INITRD, '' for none. Raises PlanError for one where others' files are.

    folder: of the VM's disks. What it names is read into the guest's memory, whatever it is.
    """
    path = settings.text("OS", part)
    if not path or path != (settings.vm.get_vector("OS") or {}).get(part):
        return path
    plain = posixpath.normpath(path)
    store, vm_id = posixpath.split(folder)
    datastores = posixpath.dirname(store)
    # Also where it was before it came to another datastore.
    if re.match(rf"{re.escape(datastores)}/[0-9]+/{vm_id}/", plain):
        return path
    if not plain.startswith("/") or any(_is_below(plain, place) for place in (datastores, *_CLOSED)):
        raise PlanError(
            f"{settings.label}: OS/{part} is {path[:120]!r}, expected an absolute path of the node, not in "
            f"its datastores and {', '.join(_CLOSED)}; images are named by {part}_DS"
        )
    return path


def _is_below(path: str, folder: str) -> bool:
    # Two slashes at the beginning are kept by normpath, and one to the kernel.
    return f"/{path.lstrip('/')}/".startswith(f"{folder}/")


def target(label: str, nic_id: str, vm_id: int, name: str) -> str:
    """TARGET of an interface. Raises PlanError for no interface's name, and for that of another machine's."""
    if not _INTERFACE.match(name):
        raise PlanError(
            f"{label}: TARGET of NIC {nic_id} must be an interface's name of at most 15 letters, digits and "
            f"._:%-, found {name[:40]!r}"
        )
    if _MADE_BY_CORE.match(name) and not name.startswith(f"one-{vm_id}-"):
        raise PlanError(f"{label}: TARGET of NIC {nic_id} is {name!r}, an interface of another VM")
    return name
