"""Interfaces of a running machine: attach and detach.

Source: attributes of NIC, their defaults in kvmrc and what each becomes, release 6.0.0.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

import kvm_disks
import kvm_message
import kvm_node
import kvm_settings
from driver import DriverError
from kvm_virsh import Virsh

_BANDWIDTH = {"average": "AVG_BW", "peak": "PEAK_BW", "burst": "PEAK_KB"}


def build(nic: Mapping[str, str], settings: kvm_settings.Settings) -> str:
    """The libvirt document of an interface."""
    bridge = nic.get("BRIDGE", "")
    root = Element("interface", type="bridge" if bridge else "ethernet")
    if bridge:
        if nic.get("BRIDGE_TYPE") == "openvswitch":
            SubElement(root, "virtualport", type="openvswitch")
        SubElement(root, "source", bridge=bridge)
    model = nic.get("MODEL") or settings.get("DEFAULT_ATTACH_NIC_MODEL")
    for tag, attribute, value in (
        ("mac", "address", nic.get("MAC")),
        ("target", "dev", nic.get("TARGET")),
        ("boot", "order", nic.get("ORDER")),
        ("script", "path", nic.get("SCRIPT")),
        ("model", "type", model),
    ):
        if value:
            SubElement(root, tag, {attribute: value})
    if nic.get("VIRTIO_QUEUES") and model == "virtio":
        SubElement(root, "driver", name="vhost", queues=nic["VIRTIO_QUEUES"])
    _filter(root, nic, nic.get("FILTER") or settings.get("DEFAULT_ATTACH_NIC_FILTER"))
    _bandwidth(root, nic)
    return tostring(root, encoding="unicode")


def _filter(root: Element, nic: Mapping[str, str], name: str) -> None:
    if not name or not nic.get("IP"):
        return
    reference = SubElement(root, "filterref", filter=name)
    for address in (nic["IP"], nic.get("VROUTER_IP")):
        if address:
            SubElement(reference, "parameter", name="IP", value=address)


def _bandwidth(root: Element, nic: Mapping[str, str]) -> None:
    limits = Element("bandwidth")
    for way in ("inbound", "outbound"):
        values = {
            name: value
            for name, suffix in _BANDWIDTH.items()
            if (value := nic.get(f"{way.upper()}_{suffix}"))
        }
        if values:
            SubElement(limits, way, values)
    if len(limits):
        root.append(limits)


def attach(argv: Sequence[str]) -> None:
    """DEPLOY_ID MAC BRIDGE MODEL NET_DRV TARGET VM_ID HOST, the message on standard input.

    Attach the interface with ATTACH = YES. One with its address already is no failure.
    """
    names = "DEPLOY_ID MAC BRIDGE MODEL NET_DRV TARGET VM_ID"
    domain, mac, _, _, _, _, vm_id = kvm_node.arguments(argv, names)
    settings = kvm_settings.load()
    nic = kvm_message.nic(kvm_message.of_stdin(), "ATTACH", "YES")
    if nic.get("MAC", "").lower() != mac.lower():
        raise DriverError(f"the interface to attach to vm {vm_id} is {nic.get('MAC', '?')}, expected {mac}")
    xml = build(nic, settings)
    virsh = Virsh(settings)
    with kvm_node.alone(vm_id):
        virsh.require_active(domain)
        try:
            if _find(virsh, domain, mac) is None:
                virsh.device("attach-device", domain, xml)
        except DriverError as error:
            number = nic.get("NIC_ID", "?")
            raise DriverError(f"Could not attach NIC {number} ({mac}) to domain {domain}: {error}") from None


def detach(argv: Sequence[str]) -> None:
    """DEPLOY_ID MAC VM_ID HOST: detach an interface. Gone already is no failure."""
    domain, mac, vm_id = kvm_node.arguments(argv, "DEPLOY_ID MAC VM_ID")
    virsh = Virsh(kvm_settings.load())
    with kvm_node.alone(vm_id):
        virsh.require_active(domain)

        def ask() -> None:
            found = _find(virsh, domain, mac)
            kind = "bridge" if found is None else found.get("type", "bridge")
            virsh.call("detach-interface", f"--domain={domain}", f"--type={kind}", f"--mac={mac}", "--live")

        try:
            kvm_disks.release(virsh.settings, lambda: _find(virsh, domain, mac) is not None, ask)
        except DriverError as error:
            raise DriverError(f"Could not detach NIC {mac} from domain {domain}: {error}") from None


def _find(virsh: Virsh, domain: str, mac: str) -> Element | None:
    for interface in virsh.xml(domain).iterfind("devices/interface"):
        address = interface.find("mac")
        if address is not None and address.get("address", "").lower() == mac.lower():
            return interface
    return None
