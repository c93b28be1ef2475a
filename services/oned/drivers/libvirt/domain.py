"""The deployment file of a machine under libvirt (VM_MAD sections of TYPE kvm or qemu): a domain.

Source: deployment files of release 6.0.0.3; KVM driver and virtual machine template references of release
6.0; libvirt's domain format.
"""

from __future__ import annotations

import time

from lxml import etree

from services.common.template import Vector
from services.oned.drivers.libvirt import bounds, devices, processor
from services.oned.drivers.libvirt.disks import write_disks
from services.oned.drivers.libvirt.interfaces import write_interfaces
from services.oned.drivers.libvirt.markup import METADATA, QEMU, Element, add, fragment, merge
from services.oned.drivers.libvirt.settings import Settings
from services.oned.drivers.step import PlanError
from services.oned.drivers.vm_context import VmContext
from services.oned.version import COMPATIBLE_RELEASE

TYPES = ("kvm", "qemu")
_EMULATOR = "/usr/bin/kvm"
# In these sections RAW data and ours stand side by side; of all others libvirt takes the first.
_SHARED = frozenset({"os", "devices", "features", "metadata"})


def deployment_text(context: VmContext, now_s: int | None = None) -> str:
    """The domain of a VM where it is now, for ``virsh create``; secrets in clear.

    now_s: the time of deployment that it notes, by default the present. Raises PlanError naming the VM and
    the attribute that cannot be used.
    """
    settings = Settings.of(context)
    folder = context.here.folder
    emulator = context.vmm.deployment_type.lower()
    domain = etree.Element("domain", nsmap={"qemu": QEMU})
    domain.set("type", emulator)
    add(domain, "name", f"one-{context.vm_id}")
    add(domain, "title", " ".join(context.vm.name.splitlines()))
    machine = settings.vm.get_vector("OS") or {}
    if machine.get("UUID"):
        add(domain, "uuid", machine["UUID"])
    processor.write_capacity(domain, settings)
    _write_os(domain, settings, folder)
    processor.write_model(domain, settings)
    iothreads = settings.number("FEATURES", "IOTHREADS")
    if iothreads:
        add(domain, "iothreads", iothreads)
    parts = add(domain, "devices")
    add(parts, "emulator", settings.text("EMULATOR") or _EMULATOR)
    write_disks(parts, settings, folder, context.vm.oid, iothreads)
    write_interfaces(parts, settings, folder, context.vm.oid)
    devices.write_screen(parts, settings)
    devices.write_input(parts, settings)
    devices.write_pci(parts, settings)
    devices.write_agent(parts, settings)
    _write_features(domain, settings)
    _write_metadata(domain, context, int(time.time()) if now_s is None else now_s)
    _write_raw(domain, settings, emulator)
    devices.write_console(parts)
    etree.indent(domain, "  ")
    return etree.tostring(domain, encoding="unicode") + "\n"


def _write_os(domain: Element, settings: Settings, folder: str) -> None:
    element = add(domain, "os")
    architecture = settings.text("OS", "ARCH")
    if not architecture:
        raise PlanError(f"{settings.label}: OS/ARCH is not given, and the driver's defaults have none")
    add(element, "type", "hvm", arch=architecture, machine=settings.text("OS", "MACHINE"))
    kernel, bootloader = bounds.boot_file(settings, "KERNEL", folder), settings.text("OS", "BOOTLOADER")
    if kernel:
        add(element, "kernel", kernel)
        initrd = bounds.boot_file(settings, "INITRD", folder)
        if initrd:
            add(element, "initrd", initrd)
        words = settings.text("OS", "KERNEL_CMD")
        root = settings.text("OS", "ROOT")
        if root:
            words = f"root=/dev/{root} {words}"
        if words:
            add(element, "cmdline", words)
    elif bootloader:
        add(element, "bootloader", bootloader)


def _write_features(domain: Element, settings: Settings) -> None:
    wanted = [name for name in ("pae", "acpi", "apic", "hyperv") if settings.is_set("FEATURES", name.upper())]
    if wanted:
        features = add(domain, "features")
        for name in wanted:
            element = add(features, name)
            if name == "hyperv":
                options = settings.text("HYPERV_OPTIONS")
                element.extend(fragment(options, f"{settings.label}: HYPERV_OPTIONS"))
    if settings.is_set("FEATURES", "LOCALTIME"):
        add(domain, "clock", offset="localtime")


def _write_metadata(domain: Element, context: VmContext, now_s: int) -> None:
    """What drivers on the node read of the machine, the folder of its disks above all."""
    vm = context.vm
    facts = {
        "system_datastore": context.here.folder,
        "name": vm.name,
        "uname": vm.uname,
        "uid": vm.uid,
        "gname": vm.gname,
        "gid": vm.gid,
        "opennebula_version": COMPATIBLE_RELEASE,
        "stime": vm.stime,
        "deployment_time": now_s,
    }
    element = etree.SubElement(add(domain, "metadata"), f"{{{METADATA}}}vm", nsmap={"one": METADATA})
    for name, value in facts.items():
        add(element, f"{{{METADATA}}}{name}", value)


def _write_raw(domain: Element, settings: Settings, emulator: str) -> None:
    given: list[Vector] = settings.vm.vectors("RAW")
    for raw in given:
        if raw.get("TYPE", "").lower() in ("kvm", emulator):
            merge(domain, fragment(raw.get("DATA", ""), f"{settings.label}: RAW/DATA"), _SHARED)
    merge(domain, fragment(settings.default("RAW"), f"{settings.label}: RAW of its host or driver"), _SHARED)
