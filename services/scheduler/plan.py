"""From a snapshot to a plan: a pure function of snapshot, settings and seed.

VMs that ask for the same form a class; classes with the same expressions, of owners with the same rights,
share their candidates (candidates.py). Rounds follow each other until nothing more can be placed: in each, a
host gets at most MAX_HOST VMs and at most MAX_DISPATCH VMs are placed, as in a cycle of OpenNebula. A VM that
found no place although no host was closed by MAX_HOST cannot find one later in the plan, for capacity only
shrinks: its whole class is refused at once.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.scheduler.affinity import Affinity, Company
from services.scheduler.affinity_sets import Together
from services.scheduler.candidates import Candidates, VMClass
from services.scheduler.config import SchedConf
from services.scheduler.devices import Needs
from services.scheduler.explain import Explainer, Reason
from services.scheduler.expression import ExpressionError
from services.scheduler.networks import Choice, Networks
from services.scheduler.placing import Placing
from services.scheduler.records import VM, Snapshot
from services.scheduler.stores import Stores
from services.scheduler.table import HostTable

Avoid = Mapping[int, frozenset[int]]
_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Put this VM on that host and system datastore; what it takes there is kept for the books.

    ds_id is -1 in a public cloud. is_move: the VM runs elsewhere and has to be moved. networks: (NIC_ID,
    network) of its interfaces in automatic mode. disk_mb: what its disks take on the datastore; image_mb: as
    of a VM.
    """

    vm_id: int
    host_id: int
    ds_id: int
    cpu: int
    memory_kb: int
    rank: float
    round: int
    is_move: bool = False
    networks: Choice = ()
    disk_mb: int = 0
    image_mb: tuple[tuple[int, int], ...] = ()
    needs: Needs | None = None


@dataclass(slots=True)
class Plan:
    """What to do, in order, and why the other VMs have to wait (by VM id)."""

    seed: int
    dispatches: list[Dispatch] = field(default_factory=list)
    refusals: dict[int, Reason] = field(default_factory=dict)
    rounds: int = 0


def plan(snapshot: Snapshot, conf: SchedConf, seed: int, avoid: Avoid | None = None) -> Plan:
    """Place as many VMs as fit, those with the higher USER_PRIORITY and then the lower id first.

    seed decides between hosts, and between datastores, of equal rank. avoid: hosts (ids) that a VM must not
    be given now. Same arguments, same plan.
    """
    return Planner(snapshot, conf, seed, avoid or {}).run()


def _order(vm: VM) -> tuple[int, int]:
    return (-vm.priority, vm.id)


class Planner:
    """One plan in the making; afterwards it answers questions about single VMs and hosts."""

    def __init__(self, snapshot: Snapshot, conf: SchedConf, seed: int, avoid: Avoid) -> None:
        dice = random.Random(seed)
        hosts, stores, networks = (
            list(range(len(found))) for found in (snapshot.hosts, snapshot.datastores, snapshot.networks)
        )
        for order in (hosts, stores, networks):
            dice.shuffle(order)
        self._conf = conf
        self._table = HostTable(snapshot, hosts)
        self._stores = Stores(snapshot, stores)
        self._networks = Networks(snapshot.networks, networks)
        self._affinity = Affinity(snapshot.vmgroups, snapshot.vms, snapshot.hosts)
        self._placing = Placing(self._table, self._stores, self._networks, self._affinity)
        self._uses_disk = any(vm.disk_mb for vm in snapshot.vms)
        self._candidates: dict[object, Candidates | str] = {}
        self._refused: list[VMClass] = []
        self._plan = Plan(seed)
        self._classes = self._classify(sorted(snapshot.vms, key=_order), avoid)

    def _classify(self, vms: list[VM], avoid: Avoid) -> list[VMClass]:
        classes: dict[object, VMClass] = {}
        sets: dict[Company, list[VMClass]] = {}
        for vm in vms:
            avoided = avoid.get(vm.id, _NOTHING)
            expressions = (
                vm.requirements, vm.rank, vm.ds_requirements, vm.ds_rank, vm.reach,
                vm.nics, vm.needs, vm.ds_id, vm.has_disks,
            )  # fmt: skip
            bond = self._affinity.bond(vm.id)
            company = bond.company if bond and bond.company and bond.company.goes_together else None
            key = (
                expressions, vm.cpu, vm.memory_kb, vm.disk_mb, vm.image_mb, vm.host_id, avoided, vm.error,
                vm.is_cloud, bond, vm.id if company else None,
            )  # fmt: skip
            known = classes.get(key)
            if known is None:
                found = vm.error or (bond.fault if bond else "") or self._candidates_of(expressions, vm)
                if isinstance(found, str):
                    known = VMClass(None, found, avoided)
                else:
                    known = VMClass(found, "", avoided, bond)
                classes[key] = known
                if company is not None:
                    sets.setdefault(company, []).append(known)
            known.vms.append(vm)
        joined = {part for parts in sets.values() for part in parts}
        together = [Together(parts, self._placing) for parts in sets.values()]
        return [one for one in classes.values() if one not in joined] + together

    def _candidates_of(self, key: object, vm: VM) -> Candidates | str:
        known = self._candidates.get(key)
        if known is None:
            try:
                known = Candidates(self._table, self._stores, self._networks, self._conf, vm, self._uses_disk)
            except ExpressionError as error:
                known = str(error)
            self._candidates[key] = known
        return known

    @property
    def table(self) -> HostTable:
        """The hosts, with all that the plan has placed."""
        return self._table

    def class_of(self, vm_id: int) -> VMClass | None:
        """The class in which a VM waits; None once it is placed."""
        known = (one for one in self._classes if any(vm.id == vm_id for vm in one.vms))
        return next(known, None)

    def run(self) -> Plan:
        """Place what can be placed; call it once."""
        self._refused = [one for one in self._classes if one.error]
        ready = [one for one in self._classes if not one.error]
        while ready:
            before = len(self._plan.dispatches)
            self._serve(ready)
            ready = []
            if len(self._plan.dispatches) > before:
                # What was placed meanwhile may be what these waited for, as in "CURRENT_VMS = 7".
                ready = [one for one in self._refused if not one.error and one.is_live]
                self._refused = [one for one in self._refused if one.error or not one.is_live]
        explainer = Explainer(self._table)
        for refused in self._refused:
            reason = explainer.reason(refused)
            self._plan.refusals.update((vm.id, reason) for vm in refused.vms)
        return self._plan

    def _serve(self, ready: list[VMClass]) -> None:
        """Rounds until every class is served or refused: each round does one or the other to some class."""
        queue = [(_order(one.vm), number, one) for number, one in enumerate(ready)]
        heapq.heapify(queue)
        while queue:
            self._plan.rounds += 1
            self._round(queue)

    def _round(self, queue: list[tuple[tuple[int, int], int, VMClass]]) -> None:
        """Serve the queue once; classes for which hosts are merely closed stay in it."""
        conf, table = self._conf, self._table
        parked: list[tuple[tuple[int, int], int, VMClass]] = []
        used: dict[int, None] = {}
        dispatched = handled = 0
        while queue and not (conf.max_dispatch and dispatched >= conf.max_dispatch):
            if conf.max_vm and handled >= conf.max_vm:
                break
            _, number, one = heapq.heappop(queue)
            index = None if self._lacks_image_space(one) else one.find(self._plan.rounds)
            if index is not None and self._place(one, index):
                used[index] = None
                dispatched += len(one.parts)
                handled += len(one.parts)
                if one.vms:
                    heapq.heappush(queue, (_order(one.vm), number, one))
                continue
            handled += len(one.vms)
            if not one.error and any(one.fits(i) for i in used if self._is_closed(i)):
                parked.append((_order(one.vm), number, one))
            else:
                self._refused.append(one)
        for index in used:
            table.in_round[index] = 0
        for entry in parked:
            heapq.heappush(queue, entry)

    def _is_closed(self, index: int) -> bool:
        return bool(self._conf.max_host) and self._table.in_round[index] >= self._conf.max_host

    def _lacks_image_space(self, one: VMClass) -> bool:
        """Whether nothing can be done for the next VM; in a public cloud it needs no copies of images."""
        one.error = "" if one.vm.is_cloud else self._stores.full_image_store(one.vm)
        return bool(one.error)

    def _place(self, one: VMClass, index: int) -> bool:
        """Whether the next step of a class could be taken on a host; a set that goes together is one step."""
        before = self._table.in_round[index]
        for part in one.parts:
            if not self._dispatch(part, index):
                return False  # never after a part was placed: the whole set was tried on this host
        if one.parts != [one]:
            one.vms.clear()
        self._table.in_round[index] = before + 1  # for MAX_HOST a set is one
        return True

    def _dispatch(self, one: VMClass, index: int) -> bool:
        vm, rank = one.vm, one.candidates.ranking.value(index)
        step = self._placing.place(one.candidates, vm, index)
        if step is None:
            return False
        one.vms.popleft()
        host = self._table.hosts[index]
        self._plan.dispatches.append(
            Dispatch(
                vm.id,
                host.id,
                step.ds_id,
                vm.cpu,
                vm.memory_kb,
                rank,
                self._plan.rounds,
                vm.resched,
                step.networks,
                0 if vm.has_disks else vm.disk_mb,
                () if host.is_cloud else vm.image_mb,
                vm.needs,
            )  # fmt: skip
        )
        return True
