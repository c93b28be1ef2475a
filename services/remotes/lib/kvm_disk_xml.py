"""The libvirt document of a disk that is attached while its machine runs.

Source: attributes of DISK, their defaults in kvmrc and what each becomes, release 6.0.0.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from driver import DriverError
from kvm_settings import Settings

_BUSES = {"vd": "virtio", "sd": "scsi", "hd": "ide", "xvd": "xen", "fd": "fdc"}
_SCSI_TARGETS = 256
_LIMITS = ("BYTES_SEC", "IOPS_SEC")


def build(
    disk: Mapping[str, str], vm_id: str, path: str, target: str, settings: Settings, *, bus: str = ""
) -> str:
    """The document of a disk.

    path: its file or device. bus: of the machine's devices of that prefix; '' for the usual one.
    Raises DriverError for values that cannot be.
    """
    bus = bus or bus_of(target)
    where = _Source(disk, vm_id, path)
    root = Element("disk", type=where.kind, device=where.device)
    driver = SubElement(root, "driver", name="qemu", type=disk.get("DRIVER") or "raw")
    _set(driver, "cache", disk.get("CACHE") or settings.get("DEFAULT_ATTACH_CACHE", "default"))
    _set(driver, "io", disk.get("IO") or settings.get("DEFAULT_ATTACH_IO"))
    _set(driver, "discard", disk.get("DISCARD") or settings.get("DEFAULT_ATTACH_DISCARD"))
    _set(driver, "iothread", disk.get("IOTHREAD", ""))
    where.add_to(root)
    SubElement(root, "target", dev=target, bus=bus)
    if disk.get("ORDER"):
        SubElement(root, "boot", order=disk["ORDER"])
    for name in ("readonly", "shareable"):
        if disk.get(name.upper(), "").lower() == "yes":
            SubElement(root, name)
    if disk.get("LUKS_SECRET"):
        encryption = SubElement(root, "encryption", format="luks")
        SubElement(encryption, "secret", type="passphrase", uuid=disk["LUKS_SECRET"])
    _limits(root, disk, settings)
    place = _place(target) if bus == "scsi" else None
    if place is not None:
        SubElement(root, "address", type="drive", controller="0", bus="0", target=str(place), unit="0")
    return tostring(root, encoding="unicode")


def bus_of(target: str) -> str:
    """The bus of a device by the prefix of its name. Raises DriverError for one that no bus has."""
    for prefix, bus in sorted(_BUSES.items(), key=lambda item: -len(item[0])):
        rest = target[len(prefix) :]
        if target.startswith(prefix) and rest.isascii() and rest.isalpha() and rest.islower():
            return bus
    known = ", ".join(f"{prefix}a" for prefix in _BUSES)
    raise DriverError(f"TARGET of a disk must be like {known}, found {target!r}")


def _place(target: str) -> int | None:
    """The place of a device on its controller, by the letters of its name; None beyond the last place."""
    place = 0
    for letter in target[2:]:
        place = place * 26 + ord(letter) - ord("a") + 1
    return place - 1 if place <= _SCSI_TARGETS else None


def _set(element: Element, name: str, value: str) -> None:
    if value:
        element.set(name, value)


class _Source:
    """Where a disk's contents are: a file, a device, or a server."""

    def __init__(self, disk: Mapping[str, str], vm_id: str, path: str) -> None:
        kind = disk.get("TYPE", "").lower()
        self.device = "cdrom" if kind.endswith("cdrom") else "disk"
        self.kind, self.protocol, self.name, self.hosts = "file", "", path, ""
        self.user = self.secret = ("", "")
        get = disk.get
        if kind == "iscsi":
            self._network("iscsi", get("ISCSI_IQN") or get("SOURCE", ""), get("ISCSI_HOST", ""))
            self.user, self.secret = ("iscsi", get("ISCSI_USER", "")), ("usage", get("ISCSI_USAGE", ""))
        elif kind.startswith("rbd") or get("DISK_TYPE") == "RBD":
            self._network("rbd", _rbd_name(disk, kind, vm_id), get("CEPH_HOST", ""))
            self.user, self.secret = ("ceph", get("CEPH_USER", "")), ("uuid", get("CEPH_SECRET", ""))
        elif kind == "block" or (kind != "cdrom" and get("TM_MAD") == "fs_lvm"):
            self.kind = "block"

    def _network(self, protocol: str, name: str, hosts: str) -> None:
        self.kind, self.protocol, self.name, self.hosts = "network", protocol, name, hosts

    def add_to(self, root: Element) -> None:
        """Add the source, and what it is opened with."""
        if self.kind != "network":
            SubElement(root, "source", {"dev" if self.kind == "block" else "file": self.name})
            return
        source = SubElement(root, "source", protocol=self.protocol, name=self.name)
        for host in self.hosts.split():
            name, _, port = host.partition(":")
            _set(SubElement(source, "host", name=name), "port", port)
        (secret_kind, user), (key, value) = self.user, self.secret
        if user and value:
            auth = SubElement(root, "auth", username=user)
            SubElement(auth, "secret", {"type": secret_kind, key: value})


def _rbd_name(disk: Mapping[str, str], kind: str, vm_id: str) -> str:
    number = disk.get("DISK_ID", "")
    if not kind.startswith("rbd"):
        return f"{disk.get('POOL_NAME', '')}/one-sys-{vm_id}-{number}"
    source = disk.get("SOURCE", "")
    return f"{source}-{vm_id}-{number}" if disk.get("CLONE", "").upper() == "YES" else source


def _limits(root: Element, disk: Mapping[str, str], settings: Settings) -> None:
    """Bytes and operations a second: a limit in all, else those of reading and writing."""

    def value(name: str) -> str:
        found = disk.get(name) or settings.get(f"DEFAULT_ATTACH_{name}")
        if found and not (found.isascii() and found.isdigit()):
            raise DriverError(f"{name} of disk {disk.get('DISK_ID', '?')} must be a number, found {found!r}")
        return found

    tune = Element("iotune")
    for unit in _LIMITS:
        in_all = value(f"TOTAL_{unit}") or value(f"TOTAL_{unit}_MAX")
        for way in ("TOTAL",) if in_all else ("READ", "WRITE"):
            name = f"{way}_{unit}"
            limit, peak, length_s = value(name), value(f"{name}_MAX"), value(f"{name}_MAX_LENGTH")
            if limit:
                SubElement(tune, name.lower()).text = limit
            if peak and int(peak) > int(limit or 0):
                SubElement(tune, f"{name.lower()}_max").text = peak
                if length_s:
                    SubElement(tune, f"{name.lower()}_max_length").text = length_s
    size = disk.get("SIZE_IOPS_SEC") or settings.get("DEFAULT_SIZE_IOPS_SEC") or value("SIZE_IOPS_SEC")
    if size and any(value(f"{way}_IOPS_SEC") for way in ("TOTAL", "READ", "WRITE")):
        SubElement(tune, "size_iops_sec").text = size
    if len(tune):
        root.append(tune)
