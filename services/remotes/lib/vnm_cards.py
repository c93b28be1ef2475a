"""Which interfaces an action on security groups is about, and what they are called on the node."""

from __future__ import annotations

from collections.abc import Mapping

import driver
from vnm_chains import Card
from vnm_document import Nic, Vm
from vnm_node import Link

# Drivers whose networks have security groups.
FILTERING = ("fw", "802.1Q", "vxlan")
_LIBVIRT = "qemu:///system"
# Hypervisors that libvirt runs; the others name interfaces as the core does.
_OF_LIBVIRT = ("kvm", "qemu")


def cards(name: str, vm: Vm, *, is_of_all: bool = False, is_leaving: bool = False) -> list[Card]:
    """The interfaces of driver ``name`` that an action is about, by the names that the core has chosen.

    That is the one being attached or detached (with is_leaving: an alias is taken out then, an interface goes
    as a whole), or all of them. An interface counts when it is the driver's, or one of its aliases is.
    """
    marked = None if is_of_all else vm.marked
    found = []
    for nic in vm.nics:
        aliases = vm.aliases_of(nic)
        if marked is not None and marked is not nic and marked not in aliases:
            continue
        if name in (nic.driver, *(alias.driver for alias in aliases)):
            left = [alias for alias in aliases if not (is_leaving and alias is marked)]
            filtered = tuple(alias for alias in left if alias.driver in FILTERING)
            is_filtered = nic.driver in FILTERING
            found.append(Card(nic, nic.tap, is_filtered, tuple(left), filtered, tuple(aliases)))
    return found


def tap(nic: Nic, vm: Vm, links: Mapping[str, Link]) -> str:
    """The name of a running machine's interface on the node. Raises DriverError."""
    if nic.tap in links or vm.hypervisor not in _OF_LIBVIRT:
        found = nic.tap or f"one-{vm.vm_id}-{nic.nic_id}"
    else:
        found = _asked(nic, vm.deploy_id or f"one-{vm.vm_id}")
    if found not in links:
        raise driver.DriverError(f"{nic.label} (MAC {nic.mac}) has no interface on this node")
    return found


def _asked(nic: Nic, deploy_id: str) -> str:
    """What libvirt calls an interface, found by its MAC address; empty when it knows none."""
    root = driver.document(driver.run(["virsh", "-c", _LIBVIRT, "dumpxml", "--", deploy_id], timeout_s=60))
    for interface in root.iterfind("devices/interface"):
        mac, target = interface.find("mac"), interface.find("target")
        if mac is not None and target is not None and mac.get("address", "").lower() == nic.mac:
            return target.get("dev", "")
    return ""
