"""Network interfaces of a domain.

Source: KVM driver and NIC section of the virtual machine template of release 6.0; libvirt's domain format.
"""

from __future__ import annotations

from services.common.template import Vector
from services.oned.drivers.libvirt import bounds
from services.oned.drivers.libvirt.markup import Element, add
from services.oned.drivers.libvirt.settings import Settings

_BANDWIDTH = {"average": "AVG_BW", "peak": "PEAK_BW", "burst": "PEAK_KB"}


def write_interfaces(devices: Element, settings: Settings, folder: str, vm_id: int) -> None:
    """Every NIC of a VM, whose sockets (of DPDK bridges) are in ``folder``. Raises PlanError."""
    for nic in settings.vm.vectors("NIC"):
        if nic.get("TARGET"):
            bounds.target(settings.label, nic.get("NIC_ID", "?"), vm_id, nic["TARGET"])
        element = _connection(devices, nic, folder)
        if nic.get("MAC"):
            add(element, "mac", address=nic["MAC"])
        if nic.get("TARGET"):
            add(element, "target", dev=nic["TARGET"])
        if nic.get("ORDER"):
            add(element, "boot", order=nic["ORDER"])
        if nic.get("SCRIPT"):
            add(element, "script", path=nic["SCRIPT"])
        model = settings.of_vector("NIC", nic, "MODEL")
        if model:
            add(element, "model", type=model)
        queues = settings.checked("NIC/VIRTIO_QUEUES", nic.get("VIRTIO_QUEUES", ""))
        if queues and model == "virtio":
            add(element, "driver", name="vhost", queues=queues)
        _filter(element, nic, settings)
        _limits(element, nic, settings)


def _connection(devices: Element, nic: Vector, folder: str) -> Element:
    bridge, kind = nic.get("BRIDGE", ""), nic.get("BRIDGE_TYPE", "").lower()
    if not bridge:
        return add(devices, "interface", type="ethernet")
    if kind == "openvswitch_dpdk":
        element = add(devices, "interface", type="vhostuser")
        add(element, "source", type="unix", mode="server", path=f"{folder}/{nic.get('TARGET', '')}")
        return element
    element = add(devices, "interface", type="bridge")
    if kind == "openvswitch":
        add(element, "virtualport", type="openvswitch")
    add(element, "source", bridge=bridge)
    return element


def _filter(element: Element, nic: Vector, settings: Settings) -> None:
    name = settings.of_vector("NIC", nic, "FILTER")
    if not name or not nic.get("IP"):
        return
    reference = add(element, "filterref", filter=name)
    for address in (nic["IP"], nic.get("VROUTER_IP", "")):
        if address:
            add(reference, "parameter", name="IP", value=address)


def _limits(element: Element, nic: Vector, settings: Settings) -> None:
    ways = {}
    for way in ("inbound", "outbound"):
        names = {name: f"{way.upper()}_{part}" for name, part in _BANDWIDTH.items()}
        found = {name: settings.checked(f"NIC/{part}", nic.get(part, "")) for name, part in names.items()}
        given = {name: value for name, value in found.items() if value is not None}
        if given:
            ways[way] = given
    if ways:
        bandwidth = add(element, "bandwidth")
        for way, given in ways.items():
            add(bandwidth, way, **given)
