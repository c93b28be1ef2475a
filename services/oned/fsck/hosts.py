"""What hosts count against the virtual machines that are on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial

from services.common import numa_pin, pci
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


def check(zone: Zone) -> Iterator[Finding]:
    """VMs, CPU, memory, PCI devices and pinned CPUs of each host; VMs on hosts that do not exist."""
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
        yield from _devices(host, {vm.oid: vm for vm in here})
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


# -- PCI devices and pinned CPUs ---------------------------------------------------------------------------
def _devices(host: Host, here: dict[int, VM]) -> Iterator[Finding]:
    for device in host.share.pci.all:
        held_by = pci.holder(device)
        if held_by != pci.FREE and held_by not in here:
            address = device.get("ADDRESS") or device.get("SHORT_ADDRESS") or "?"
            text = f"host {host.oid}: PCI device {address} is taken by virtual machine {held_by}"
            yield Finding(f"{text}, which is not there", partial(_free_devices, oid=host.oid, holder=held_by))
    pinned = {one for core in host.share.numa.cores() for vm_ids in core.cpus.values() for one in vm_ids}
    for vm_id in sorted(pinned - here.keys()):
        text = f"host {host.oid}: CPUs are pinned to virtual machine {vm_id}, which is not there"
        yield Finding(text, partial(_free_cpus, oid=host.oid, holder=vm_id))
    expected = _memory_held(host, here.values())
    for node_id, node in host.share.numa.by_id.items():
        right = expected.get(node_id, (0, {}))
        usage_kb, pages = right
        actual = {size: one.usage for size, one in node.pages.items()}
        wanted = {size: pages.get(size, 0) for size in actual}
        if node.usage_kb != usage_kb or actual != wanted:
            text = f"host {host.oid}: NUMA node {node_id} counts {node.usage_kb} KB and pages {actual}"
            text = f"{text}, the virtual machines say {usage_kb} KB and {wanted}"
            repair = partial(_set_usage, oid=host.oid, node_id=node_id, usage_kb=usage_kb, pages=wanted)
            yield Finding(text, repair)


def _memory_held(host: Host, here: Iterable[VM]) -> dict[int, tuple[int, dict[int, int]]]:
    """KB and huge pages by size of each node, by what the virtual machines say."""
    held: dict[int, tuple[int, dict[int, int]]] = {}
    for vm in here:
        # A machine on the move has its previous place on the host that it leaves.
        is_new = vm.history is not None and vm.history.hid == host.oid
        for spot in numa_pin.memory_held(
            vm.template.get_vector("TOPOLOGY") or {}, vm.template.vectors("NUMA_NODE"), previous=not is_new
        ):
            usage_kb, pages = held.setdefault(spot.node_id, (0, {}))
            if spot.page_kb:
                pages[spot.page_kb] = pages.get(spot.page_kb, 0) + spot.memory_kb // spot.page_kb
            held[spot.node_id] = (usage_kb + spot.memory_kb, pages)
    return held


def _free_devices(tx: Tx, oid: int, holder: int) -> None:
    host = Host.load(tx, oid)
    host.share.pci.release(holder, (), has_left=False)
    host.save(tx)


def _free_cpus(tx: Tx, oid: int, holder: int) -> None:
    host = Host.load(tx, oid)
    numa_pin.free_cpus(host.share.numa, holder)
    host.save(tx)


def _set_usage(tx: Tx, oid: int, node_id: int, usage_kb: int, pages: dict[int, int]) -> None:
    host = Host.load(tx, oid)
    node = host.share.numa.by_id[node_id]
    node.usage_kb = usage_kb
    for size, usage in pages.items():
        node.pages[size].usage = usage
    host.save(tx)
