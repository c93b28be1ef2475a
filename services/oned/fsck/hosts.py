"""What hosts count against the virtual machines that are on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from services.common import xmldoc
from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.lifecycle.effects import capacity_of
from services.oned.lifecycle.states import VmState
from services.oned.model import history
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Tx

_FREE = {
    *(VmState.INIT, VmState.PENDING, VmState.HOLD, VmState.CLONING, VmState.CLONING_FAILURE),
    *(VmState.DONE, VmState.STOPPED, VmState.UNDEPLOYED),
}
# The disks are on the front-end meanwhile.
_AWAY = {"DISK_RESIZE_UNDEPLOYED", "HOTPLUG_SAVEAS_UNDEPLOYED", "HOTPLUG_SAVEAS_STOPPED"}
# A VM comes here from a host, or from the front-end.
_EITHER = {"EPILOG", "EPILOG_FAILURE", "CLEANUP_DELETE", "CLEANUP_RESUBMIT"}
_BOTH = {"MIGRATE", "SAVE_MIGRATE"}
_NOBODY = "-1"


def check(zone: Zone) -> Iterator[Finding]:
    """VMs, CPU, memory and PCI devices of each host; VMs on hosts that do not exist."""
    counted = {host.oid: set(host.vms) for host in zone.hosts}
    held: dict[int, list[VM]] = defaultdict(list)
    for vm in zone.vms:
        for host_id in _hosts_of(zone, vm, counted):
            held[host_id].append(vm)
    for host in zone.hosts:
        here = held.pop(host.oid, [])
        expected: dict[str, int | list[int]] = {
            "VMS": sorted(vm.oid for vm in here),
            "CPU_USAGE": sum(capacity_of(vm)[0] for vm in here),
            "MEM_USAGE": sum(capacity_of(vm)[1] for vm in here),
            "RUNNING_VMS": len(here),
        }
        actual = {
            "VMS": sorted(host.vms),
            "CPU_USAGE": host.cpu_usage,
            "MEM_USAGE": host.mem_usage,
            "RUNNING_VMS": host.running_vms,
        }
        for name, right in expected.items():
            if actual[name] != right:
                text = f"host {host.oid}: {name} is {actual[name]}, the virtual machines say {right}"
                yield Finding(text, partial(_set, oid=host.oid, name=name, right=right))
        yield from _devices(host, {str(vm.oid) for vm in here})
    for hid, here in held.items():
        yield Finding(f"host {hid} does not exist, but virtual machines {[v.oid for v in here]} are on it")


def counts_on_host(vm: VM) -> bool:
    """Whether the host of a VM's newest record counts it, where the VM alone decides that."""
    return not (vm.state in _FREE or vm.history is None or vm.condition in _AWAY or vm.condition in _EITHER)


def _hosts_of(zone: Zone, vm: VM, counted: dict[int, set[int]]) -> set[int]:
    """The hosts that must count a VM."""
    if vm.state in _FREE or vm.history is None or vm.condition in _AWAY:
        return set()
    host_id = vm.history.hid
    if vm.condition in _EITHER and vm.oid not in counted.get(host_id, set()):
        return set()
    before = history.before(zone.tx, vm.history) if vm.condition in _BOTH else None
    return {host_id, before.hid} if before else {host_id}


def _set(tx: Tx, oid: int, name: str, right: int | list[int]) -> None:
    host = Host.load(tx, oid)
    if isinstance(right, list):
        host.vms = right
    else:
        setattr(host.share, name.lower(), right)
    host.save(tx)


# -- PCI devices -------------------------------------------------------------------------------------------
def _devices(host: Host, here: set[str]) -> Iterator[Finding]:
    for device in xmldoc.parse(host.share.pci_devices, "PCI_DEVICES"):
        holder = device.findtext("VMID") or _NOBODY
        if holder != _NOBODY and holder not in here:
            address = device.findtext("ADDRESS") or device.findtext("SHORT_ADDRESS") or "?"
            text = f"host {host.oid}: PCI device {address} is taken by virtual machine {holder}"
            yield Finding(f"{text}, which is not there", partial(_free_devices, oid=host.oid, holder=holder))


def _free_devices(tx: Tx, oid: int, holder: str) -> None:
    host = Host.load(tx, oid)
    for taken in (f"<VMID><![CDATA[{holder}]]></VMID>", f"<VMID>{holder}</VMID>"):
        free = f"<VMID><![CDATA[{_NOBODY}]]></VMID>"
        host.share.pci_devices = host.share.pci_devices.replace(taken, free)
    host.save(tx)
