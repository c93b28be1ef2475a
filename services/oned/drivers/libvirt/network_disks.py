"""Disks that qemu reaches over the network itself: Ceph, iSCSI, Gluster, Sheepdog.

Source: disk sections of the virtual machine template and storage guides of release 6.0.
"""

from __future__ import annotations

from services.common.template import Vector, is_yes
from services.oned.drivers.libvirt.markup import Element, add
from services.oned.drivers.libvirt.settings import Settings
from services.oned.drivers.step import PlanError

_PROTOCOLS = {
    "ISCSI": "iscsi",
    "RBD": "rbd",
    "RBD_CDROM": "rbd",
    "SHEEPDOG": "sheepdog",
    "SHEEPDOG_CDROM": "sheepdog",
    "GLUSTER": "gluster",
    "GLUSTER_CDROM": "gluster",
}
# Attribute of the servers, their usual port, and what they are reached by where that must be said.
_SERVERS = {
    "iscsi": ("ISCSI_HOST", "3260", ""),
    "rbd": ("CEPH_HOST", "6789", ""),
    "sheepdog": ("SHEEPDOG_HOST", "", "tcp"),
    "gluster": ("GLUSTER_HOST", "24007", "tcp"),
}


def protocol_of(disk: Vector) -> str:
    """rbd, iscsi, gluster or sheepdog; '' for a disk that is a file or a device of the node."""
    if disk.get("DISK_TYPE", "").upper() == "RBD":  # volatile disks in Ceph
        return "rbd"
    return _PROTOCOLS.get(disk.get("TYPE", "").upper(), "")


def write_source(devices: Element, disk: Vector, settings: Settings, vm_id: int) -> Element:
    """The disk element with its source, servers and who it logs in as. Raises PlanError without servers."""
    protocol = protocol_of(disk)
    is_cdrom = disk.get("TYPE", "").upper().endswith("_CDROM")
    element = add(devices, "disk", type="network", device="cdrom" if is_cdrom else "disk")
    source = add(element, "source", protocol=protocol, name=_name(protocol, disk, vm_id))
    attribute, usual_port, transport = _SERVERS[protocol]
    for server in disk.get(attribute, "").split():
        name, port = _server(server)
        add(source, "host", name=name, port=port or usual_port, transport=transport)
    if protocol == "gluster" and not len(source):
        raise PlanError(f"{settings.label}: disk {disk.get('DISK_ID')} has no {attribute}")
    if protocol == "iscsi" and disk.get("ISCSI_USER") and disk.get("ISCSI_USAGE"):
        login = add(element, "auth", username=disk["ISCSI_USER"])
        add(login, "secret", type="iscsi", usage=disk["ISCSI_USAGE"])
    if protocol == "rbd" and disk.get("CEPH_USER") and disk.get("CEPH_SECRET"):
        login = add(element, "auth", username=disk["CEPH_USER"])
        add(login, "secret", type="ceph", uuid=disk["CEPH_SECRET"])
    return element


def _server(text: str) -> tuple[str, str]:
    """Name and port of ``ceph1:6789``; an IPv6 address with a port stands in brackets."""
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        return name, rest.removeprefix(":")
    if text.count(":") > 1:
        return text, ""
    name, _, port = text.partition(":")
    return name, port


def _name(protocol: str, disk: Vector, vm_id: int) -> str:
    source, disk_id = disk.get("SOURCE", ""), disk.get("DISK_ID", "0")
    own = is_yes(disk.get("CLONE", ""))
    if protocol == "iscsi":
        return disk.get("ISCSI_IQN", "") or source
    if protocol == "gluster":
        volume = disk.get("GLUSTER_VOLUME", "")
        return f"{volume}/{vm_id}/disk.{disk_id}" if own else f"{volume}/{source.rpartition('/')[2]}"
    if protocol == "rbd" and not source:
        return f"{disk.get('POOL_NAME') or 'one'}/one-sys-{vm_id}-{disk_id}"
    return f"{source}-{vm_id}-{disk_id}" if own else source
