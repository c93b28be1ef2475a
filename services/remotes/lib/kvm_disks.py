"""Disks of a running machine: attach, detach, resize, and the context disk that is changed under it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

import kvm_disk_xml
import kvm_message
import kvm_node
import kvm_settings
from driver import DriverError
from kvm_virsh import Virsh, when_not_busy

# How long a guest may take to let go of a device, for each of VIRSH_RETRIES requests.
_RELEASE_S = 10.0
_POLL_S = 0.5
_SOURCES = ("file", "dev", "name", "dir")
_SCSI = "<controller type='scsi' index='0' model='virtio-scsi'/>"


def attach(argv: Sequence[str]) -> None:
    """DEPLOY_ID SOURCE TARGET TARGET_INDEX DRV_ACTION64 VM_ID HOST: attach the disk with ATTACH = YES.

    The same disk in the same place already is no failure.
    """
    names = "DEPLOY_ID SOURCE TARGET TARGET_INDEX DRV_ACTION64 VM_ID"
    domain, source, target, _, message, vm_id = kvm_node.arguments(argv, names)
    root = kvm_message.of_argument(message)
    disk = kvm_message.disk(root, "ATTACH", "YES")
    settings = kvm_settings.load()
    virsh = Virsh(settings)
    with kvm_node.alone(vm_id):
        virsh.require_active(domain)
        try:
            found = virsh.xml(domain)
            there = find(found, target)
            if there is not None:
                _require_same(there, source, target)
                return
            bus = _bus(found, target, kvm_message.text_of(root, "VM/TEMPLATE/OS/SD_DISK_BUS"))
            xml = kvm_disk_xml.build(disk, vm_id, source, target, settings, bus=bus)
            if bus == "scsi" and found.find("devices/controller[@type='scsi']") is None:
                # Left to itself libvirt adds an old controller, for which guests lack a driver.
                virsh.device("attach-device", domain, _SCSI)
            virsh.device("attach-device", domain, xml)
        except DriverError as error:
            raise DriverError(f"Could not attach {source} ({target}) to domain {domain}: {error}") from None


def _bus(domain_xml: Element, target: str, sd_bus: str) -> str:
    """The bus of a device: as the machine's others of its kind, else as the VM says, else the usual one."""
    usual = kvm_disk_xml.bus_of(target)
    for device in domain_xml.iterfind("devices/disk/target"):
        if device.get("dev", "")[:2] == target[:2] and device.get("bus"):
            return device.get("bus", usual)
    if usual == "scsi":
        return sd_bus or usual
    kind = domain_xml.find("os/type")
    is_q35 = kind is not None and "q35" in kind.get("machine", "")
    return "sata" if usual == "ide" and is_q35 else usual


def _require_same(there: Element, source: str, target: str) -> None:
    path = source_of(there)
    if os.path.realpath(path) != os.path.realpath(source):
        raise DriverError(f"{target} is {path or 'an empty drive'} already")


def find(domain_xml: Element, target: str) -> Element | None:
    """The disk of a domain's document that is that device; None for none."""
    for disk in domain_xml.iterfind("devices/disk"):
        device = disk.find("target")
        if device is not None and device.get("dev") == target:
            return disk
    return None


def source_of(disk: Element) -> str:
    """The path or name of a disk's contents; '' for an empty drive."""
    source = disk.find("source")
    if source is None:
        return ""
    return next((value for name in _SOURCES if (value := source.get(name))), "")


def detach(argv: Sequence[str]) -> None:
    """DEPLOY_ID SOURCE TARGET TARGET_INDEX VM_ID HOST: detach a disk. Gone already is no failure."""
    names = "DEPLOY_ID SOURCE TARGET TARGET_INDEX VM_ID"
    domain, _, target, _, vm_id = kvm_node.arguments(argv, names)
    virsh = Virsh(kvm_settings.load())
    with kvm_node.alone(vm_id):
        virsh.require_active(domain)

        def is_there() -> bool:
            return find(virsh.xml(domain), target) is not None

        def ask() -> None:
            virsh.call("detach-disk", f"--domain={domain}", f"--target={target}", "--live")

        try:
            release(virsh.settings, is_there, ask)
        except DriverError as error:
            raise DriverError(f"Could not detach {target} from domain {domain}: {error}") from None


def release(settings: kvm_settings.Settings, is_there: Callable[[], bool], ask: Callable[[], None]) -> None:
    """Ask the guest to let go of a device until it has; VIRSH_RETRIES times. Raises DriverError."""
    fault = ""
    for _ in range(settings.retries):
        if not is_there():
            return
        try:
            ask()
            fault = ""
        except DriverError as error:
            fault = str(error)  # said also of a request that the guest still works on
        ends_at = time.monotonic() + _RELEASE_S
        while time.monotonic() < ends_at:
            if not is_there():
                return
            time.sleep(_POLL_S)
    raise DriverError(fault or "the guest does not let go of it")


def resize(argv: Sequence[str]) -> None:
    """DEPLOY_ID DISK_ID SIZE DRV_ACTION64 HOST VM_ID HOST: tell the machine its disk's new size in MiB."""
    names = "DEPLOY_ID DISK_ID SIZE DRV_ACTION64 HOST VM_ID"
    domain, number, size_mib, message, _, vm_id = kvm_node.arguments(argv, names)
    target = kvm_message.disk(kvm_message.of_argument(message), "DISK_ID", number).get("TARGET", "")
    if not target:
        raise DriverError(f"disk {number} of vm {vm_id} has no TARGET")
    if not (size_mib.isascii() and size_mib.isdigit()):
        raise DriverError(f"the size of disk {number} of vm {vm_id} must be in MiB, found {size_mib!r}")
    virsh = Virsh(kvm_settings.load())
    with kvm_node.alone(vm_id):
        virsh.require_active(domain)
        options = (f"--domain={domain}", f"--path={target}", f"--size={size_mib}M")
        try:
            when_not_busy(lambda: virsh.call("blockresize", *options), busy=("is in use", "active block job"))
        except DriverError as error:
            raise DriverError(f"Could not resize disk {number} of domain {domain}: {error}") from None


# -- context disk ------------------------------------------------------------------------------------------
def eject(argv: Sequence[str]) -> None:
    """DEPLOY_ID TARGET_DEVICE VM_ID HOST: take the context disk out. An empty drive is no failure."""
    domain, target, vm_id = kvm_node.arguments(argv, "DEPLOY_ID TARGET_DEVICE VM_ID")
    virsh = Virsh(kvm_settings.load())
    with kvm_node.alone(vm_id):
        virsh.require_active(domain)
        if source_of(_drive(virsh, domain, target)):
            _change(virsh, domain, target, "--eject", "--force")


def insert(argv: Sequence[str]) -> None:
    """DEPLOY_ID TARGET_DEVICE ISO_PATH VM_ID HOST: put the context disk in, in place of what is in there."""
    domain, target, path, vm_id = kvm_node.arguments(argv, "DEPLOY_ID TARGET_DEVICE ISO_PATH VM_ID")
    virsh = Virsh(kvm_settings.load())
    with kvm_node.alone(vm_id):
        virsh.require_active(domain)
        if source_of(_drive(virsh, domain, target)):
            _change(virsh, domain, target, "--eject", "--force")
        _change(virsh, domain, target, f"--source={path}", "--insert")


def _drive(virsh: Virsh, domain: str, target: str) -> Element:
    disk = find(virsh.xml(domain), target)
    if disk is None:
        raise DriverError(f"domain {domain} has no drive {target} for its context disk")
    return disk


def _change(virsh: Virsh, domain: str, target: str, *options: str) -> None:
    try:
        virsh.call("change-media", f"--domain={domain}", f"--path={target}", *options)
    except DriverError as error:
        raise DriverError(f"Could not change what is in {target} of domain {domain}: {error}") from None
