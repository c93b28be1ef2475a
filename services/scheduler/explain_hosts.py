"""What stands between one VM and one host, in words: every obstacle, each with what would remove it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.scheduler.affinity import AFFINED_ELSEWHERE, APART, HOST_RULES, Bond
from services.scheduler.records import MONITORED, VM, Host

if TYPE_CHECKING:
    from services.scheduler.candidates import Candidates, VMClass
    from services.scheduler.table import HostTable

_STATES = {
    0: "being set up", 1: "being monitored", 3: "in error", 4: "disabled", 5: "in error", 6: "being set up",
    7: "disabled", 8: "offline",
}  # fmt: skip
_BOND_WORDS = {
    HOST_RULES: "the host rules of {} exclude it",
    APART: "it holds VMs that this one must be apart from ({})",
    AFFINED_ELSEWHERE: "it holds none of the VMs that this one must be with ({})",
}

_LACKS = {
    "image": "an image datastore is too full for copies of its images",
    "pci": "no free PCI device is what it asks for",
    "numa": "its NUMA topology needs more free CPUs, memory or pages on a node",
}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that keeps a VM from a host.

    kind: the reason under which the host is counted. words: what is in the way. cure: what would remove it;
    empty when nothing simple does.
    """

    kind: str
    words: str
    cure: str = ""


def host_state(host: Host) -> str:
    """The state of a host that takes no VMs, in words."""
    return _STATES.get(host.state, f"in state {host.state}")


def obstacles(table: HostTable, one: VMClass, index: int) -> list[Obstacle]:
    """All that keeps the next VM of a class from a host now; empty when it fits there.

    Of a set that goes to one host at once, the needs are those of all its VMs together.
    """
    host = table.hosts[index]
    found = [] if host.state == MONITORED else [_state(host)]
    for part in one.parts:
        for obstacle in _of_place(table, part.candidates, part.vm, part.bond, host, index):
            if obstacle not in found:
                found.append(obstacle)
    if host.id in one.avoid:
        found.append(Obstacle("backoff", "a deployment failed there shortly before"))
    if host.id == one.vm.host_id:
        found.append(Obstacle("current", "the VM runs there now"))
    found += _of_room(table, one.candidates, one.vm, index)
    if not found and not one.fits(index):
        found.append(Obstacle("set", f"not all {len(one.parts)} VMs that must share a host fit there"))
    return found


def _of_place(
    table: HostTable, candidates: Candidates, vm: VM, bond: Bond | None, host: Host, index: int
) -> list[Obstacle]:
    found = []
    if vm.reach is not None and not vm.reach.has_host(host):
        words = "its owner may not manage the host"
        found.append(Obstacle("rights", words, "its owner had that right"))
    for test in candidates.tests:
        if not table.passes(index, test):
            found.append(Obstacle("requirements", f"{test.text} does not hold", f"{test.text} held there"))
    if not candidates.serves(host):
        words = f"cluster {host.cluster_id} has no suitable system datastore"
        cure = "its cluster had one that satisfies the VM and that its owner may use"
        found.append(Obstacle("datastore", words, cure))
    lack = candidates.shortage(index, vm)
    if lack:
        found.append(Obstacle(lack, candidates.networks.words() if lack == "network" else _LACKS[lack]))
    kind = bond.refusal(vm, host.id) if bond is not None else ""
    if bond is not None and kind:
        found.append(Obstacle(kind, _BOND_WORDS[kind].format(bond.label)))
    return found


def _of_room(table: HostTable, candidates: Candidates, vm: VM, index: int) -> list[Obstacle]:
    cpu, memory_mb = max(0, table.free_cpu[index]), max(0, table.free_memory_kb[index]) // 1024
    found = []
    if table.free_cpu[index] < vm.cpu:
        cure = f"{vm.cpu - cpu}% more CPU were free there, or the VM asked for {cpu}%"
        found.append(Obstacle("cpu", f"{vm.cpu}% CPU needed, {cpu}% free", cure))
    if table.free_memory_kb[index] < vm.memory_kb:
        need = -(-vm.memory_kb // 1024)
        cure = f"{need - memory_mb} MB more memory were free there, or the VM asked for {memory_mb} MB"
        found.append(Obstacle("memory", f"{need} MB memory needed, {memory_mb} MB free", cure))
    room_mb = candidates.room_mb(table.hosts[index])
    if 0 <= room_mb < vm.disk_mb:
        cure = f"{vm.disk_mb - room_mb} MB more were free in a system datastore"
        found.append(Obstacle("disk", f"{vm.disk_mb} MB disk needed, {room_mb} MB free", cure))
    return found


def _state(host: Host) -> Obstacle:
    return Obstacle("state", f"the host is {host_state(host)}", "the host were on")
