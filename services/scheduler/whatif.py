"""Questions to the plan: why does this VM wait, what comes to this host, and what if things were different.

Everything is decided by the scheduler's own plan on a snapshot that was read just now, with the rights of
whoever asks; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field, replace

from services.common.oca import OneError
from services.scheduler import groups, rights
from services.scheduler import snapshot as reading
from services.scheduler.candidates import VMClass
from services.scheduler.config import SchedConf
from services.scheduler.explain_hosts import Obstacle, host_state, obstacles
from services.scheduler.plan import Plan, Planner
from services.scheduler.records import MONITORED, VM, Snapshot
from services.scheduler.snapshot import Caller

OFFLINE = 8
_SEED = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different. cpu_percent, memory_kb: what the VM asks for. hosts_down: host ids."""

    cpu_percent: int | None = None
    memory_kb: int | None = None
    hosts_down: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One host for one VM. obstacles: what is in the way, in words; none when the VM fits there."""

    host_id: int
    name: str
    rank: float | None
    obstacles: list[str]
    cures: list[str]


@dataclass(slots=True)
class VMAnswer:
    """Why a VM waits, or where it goes.

    host_id, ds_id, rank: the place that it gets, None when it gets none. reason: why it gets none. hosts:
    every host, those with the least in the way first; of a VM that gets a place, looked at as if no other VM
    waited.
    """

    vm_id: int
    host_id: int | None = None
    host_name: str = ""
    ds_id: int | None = None
    rank: float | None = None
    reason: str = ""
    hosts: list[Verdict] = field(default_factory=list)


@dataclass(slots=True)
class HostAnswer:
    """What a host gets of the VMs that wait.

    state: empty when it takes VMs, else why it does not. coming: VMs that are placed there. elsewhere: host
    ids by VM, for VMs that get another place. blocked: (what is in the way, VM ids) for those that get none.
    """

    host_id: int
    name: str
    state: str
    free_cpu_percent: int
    free_memory_mb: int
    coming: list[int] = field(default_factory=list)
    elsewhere: dict[int, int] = field(default_factory=dict)
    blocked: list[tuple[str, list[int]]] = field(default_factory=list)


def read(
    client: Caller, conf: SchedConf, vm_ids: Iterable[int] = (), hosts_down: Collection[int] = ()
) -> tuple[Snapshot, list[str]]:
    """The cloud as the caller sees it, and notes on what the caller could not see.

    vm_ids: VMs to include although they do not wait. hosts_down: the VMs on these hosts are included too.
    Raises what the client raises, and XmlError.
    """
    notes: list[str] = []
    vms = reading.read_vms(client, conf.memory_system_ds_scale)
    found = reading.read_resources(client, vms)
    wanted = set(vm_ids) | {i for host in found.hosts if host.id in hosts_down for i in host.vm_ids}
    for vm_id in sorted(wanted - {vm.id for vm in vms}):
        body = str(client.call("vm.info", vm_id))
        vms += reading.parse_vms(
            f"<VM_POOL>{body[body.index('<VM>') :]}</VM_POOL>", conf.memory_system_ds_scale
        )
    at = {vm_id: host.id for host in found.hosts for vm_id in host.vm_ids}
    for vm in vms:
        vm.host_id = at.get(vm.id)
    vms.sort(key=lambda vm: vm.id)
    if any(vm.in_vmgroup for vm in vms) and not found.vmgroups:
        found.vmgroups = groups.read(client)
    if not found.hosts:
        notes.append("You can see no host: nothing can be said about places")
    try:
        rights.limit(client, found, _zone_of(client))
    except OneError:
        notes.append("You may not read the permission rules: the owner's rights were not checked")
    return found, notes


def apply(snapshot: Snapshot, change: Change, vm_id: int | None = None) -> None:
    """Make a snapshot different; sizes are those of one VM."""
    for host in snapshot.hosts:
        if host.id in change.hosts_down:
            host.state, host.vm_ids = OFFLINE, ()
    for index, vm in enumerate(snapshot.vms):
        if vm.host_id in change.hosts_down:
            vm.host_id = None
        if vm.id == vm_id:
            cpu = vm.cpu if change.cpu_percent is None else change.cpu_percent
            memory_kb = vm.memory_kb if change.memory_kb is None else change.memory_kb
            snapshot.vms[index] = replace(vm, cpu=cpu, memory_kb=memory_kb)


def explain_vm(snapshot: Snapshot, conf: SchedConf, vm_id: int) -> VMAnswer:
    """Why one VM of the snapshot waits, or where it goes. Raises KeyError when it is not in the snapshot."""
    vm = next((one for one in snapshot.vms if one.id == vm_id), None)
    if vm is None:
        raise KeyError(vm_id)
    planner = Planner(snapshot, conf, _SEED, {})
    made = planner.run()
    answer = VMAnswer(vm_id)
    for one in made.dispatches:
        if one.vm_id == vm_id:
            answer.host_id, answer.ds_id, answer.rank = one.host_id, one.ds_id, one.rank
            answer.host_name = next(host.name for host in snapshot.hosts if host.id == one.host_id)
    if answer.host_id is None:
        answer.reason = made.refusals[vm_id].text()
    else:
        planner = Planner(replace(snapshot, vms=_with_its_set(snapshot, vm)), conf, _SEED, {})
    one_class = planner.class_of(vm_id)
    if one_class is not None and not one_class.error:
        answer.hosts = _verdicts(planner, one_class)
    return answer


def explain_host(snapshot: Snapshot, conf: SchedConf, host_id: int) -> HostAnswer:
    """What a host of the snapshot gets. Raises KeyError when the caller sees no such host."""
    host = next((one for one in snapshot.hosts if one.id == host_id), None)
    if host is None:
        raise KeyError(host_id)
    planner = Planner(snapshot, conf, _SEED, {})
    made = planner.run()
    answer = HostAnswer(
        host.id,
        host.name,
        "" if host.state == MONITORED else host_state(host),
        max(0, host.max_cpu - host.cpu_usage),
        max(0, host.max_memory_kb - host.memory_usage_kb) // 1024,
    )
    for one in made.dispatches:
        if one.host_id == host_id:
            answer.coming.append(one.vm_id)
        else:
            answer.elsewhere[one.vm_id] = one.host_id
    (index,) = planner.table.indexes([host_id])
    blocked: dict[str, list[int]] = {}
    known: dict[int, str] = {}
    for vm_id, reason in made.refusals.items():
        one_class = planner.class_of(vm_id)
        if one_class is None or one_class.error:
            text = reason.error or reason.text()
        else:
            if id(one_class) not in known:
                known[id(one_class)] = "; ".join(
                    one.words for one in obstacles(planner.table, one_class, index)
                )
            text = known[id(one_class)]
        blocked.setdefault(text or "fits, but not with the VMs placed before it", []).append(vm_id)
    answer.blocked = sorted(blocked.items(), key=lambda pair: -len(pair[1]))
    return answer


def sized(snapshot: Snapshot, conf: SchedConf, host_id: int, change: Change) -> list[Obstacle]:
    """What keeps a plain VM of a size from a host; nothing when it fits. VMs that wait are not counted."""
    vm = VM(-1, 0, 0, cpu=change.cpu_percent or 0, memory_kb=change.memory_kb or 0)
    planner = Planner(replace(snapshot, vms=[vm]), conf, _SEED, {})
    one_class = planner.class_of(vm.id)
    (index,) = planner.table.indexes([host_id])
    return obstacles(planner.table, one_class, index) if one_class is not None else []


def make_plan(snapshot: Snapshot, conf: SchedConf) -> Plan:
    """What the scheduler would do now."""
    return Planner(snapshot, conf, _SEED, {}).run()


def as_json(answer: VMAnswer | HostAnswer) -> dict[str, object]:
    """An answer as plain values."""
    return asdict(answer)


def plan_as_json(made: Plan) -> dict[str, object]:
    """A plan as plain values."""
    return {
        "dispatches": [asdict(one) for one in made.dispatches],
        "refusals": {
            vm_id: {"counts": reason.counts, "text": reason.text()} for vm_id, reason in made.refusals.items()
        },
        "rounds": made.rounds,
    }


def _verdicts(planner: Planner, one: VMClass) -> list[Verdict]:
    table = planner.table
    found = []
    for index, host in enumerate(table.hosts):
        inside = obstacles(table, one, index)
        rank = one.candidates.ranking.value(index) if host.state == MONITORED else None
        words, cures = [obstacle.words for obstacle in inside], [obstacle.cure for obstacle in inside]
        found.append(Verdict(host.id, host.name, rank, words, [cure for cure in cures if cure]))
    return sorted(
        found, key=lambda verdict: (len(verdict.obstacles), -(verdict.rank or 0.0), verdict.host_id)
    )


def _with_its_set(snapshot: Snapshot, vm: VM) -> list[VM]:
    """The VM with all that wait in its VM group: they may have to go together."""
    for group in snapshot.vmgroups:
        members = {vm_id for role in group.roles for vm_id in role.vm_ids}
        if vm.id in members:
            return [one for one in snapshot.vms if one.id in members]
    return [vm]


def _zone_of(client: Caller) -> Callable[[], int]:
    def zone() -> int:
        try:
            return reading.read_zone_id(client)
        except OneError:
            return 0  # for administrators only; rules of other zones are rare

    return zone
