"""From a snapshot to a plan: a pure function of snapshot, settings and seed.

VMs that ask for the same form a class; classes with the same expressions, of owners with the same rights,
share a group: the hosts that may take them, and their tournament (bracket.py). Rounds follow each other until
nothing more can be placed: in each, a host gets at most MAX_HOST VMs and at most MAX_DISPATCH VMs are placed,
as in a cycle of OpenNebula. A VM that found no place although no host was closed by MAX_HOST cannot find one
later in the plan, for capacity only shrinks: its whole class is refused at once.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.scheduler import expression
from services.scheduler.bracket import Bracket, Figures
from services.scheduler.config import SchedConf
from services.scheduler.explain import Explainer, Reason
from services.scheduler.expression import ExpressionError
from services.scheduler.records import VM, Datastore, Snapshot
from services.scheduler.stores import UNLIMITED, StoreChoice, Stores
from services.scheduler.table import HostTable, is_live

Avoid = Mapping[int, frozenset[int]]
_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Put this VM on that host and system datastore; what it takes there is kept for the books."""

    vm_id: int
    host_id: int
    ds_id: int
    cpu: int
    memory_kb: int
    rank: float
    round: int


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
    return _Planner(snapshot, conf, seed, avoid or {}).run()


class Group:
    """The hosts that VMs with the same expressions, of owners with the same rights, may use."""

    def __init__(self, table: HostTable, stores: Stores, conf: SchedConf, vm: VM, uses_disk: bool) -> None:
        self._table = table
        self._max_host = conf.max_host
        self._uses_disk = uses_disk
        self._tests = [_read("SCHED_REQUIREMENTS", text) for text in vm.requirements]
        try:
            self.ranking = table.ranking(expression.rank(vm.rank or conf.host_rank))
        except ExpressionError as error:
            raise ExpressionError(f"SCHED_RANK: {error}") from None
        allowed = None if vm.reach is None else vm.reach.datastore_ids
        self.stores = StoreChoice(stores, vm.ds_requirements, vm.ds_rank or conf.datastore_rank, allowed)
        fixed = [test for test in self._tests if not is_live(test.names)]
        self._live = [test for test in self._tests if is_live(test.names)]
        self.is_live = bool(self._live)
        open_to = [i for i in table.usable if vm.reach is None or vm.reach.has_host(table.hosts[i])]
        passing = [i for i in open_to if all(table.passes(i, test) for test in fixed)]
        self.hosts = [index for index in passing if self.stores.serves(table.hosts[index].cluster_id)]
        self.without_right = len(table.usable) - len(open_to)
        self.without_requirements = len(open_to) - len(passing)
        self.without_store = len(passing) - len(self.hosts)
        self._raised = len(self.ranking.raised)
        self._round = 0
        self._shut: list[int] = []  # hosts met closed in this round: the next round opens them again
        self._bracket = Bracket(self.hosts, self.open_figures)

    def figures(self, index: int) -> Figures:
        """Rank and room of a host now."""
        table = self._table
        room_mb = self.stores.room_mb(table.hosts[index]) if self._uses_disk else UNLIMITED
        return (self.ranking.value(index), table.free_cpu[index], table.free_memory_kb[index], room_mb)

    def open_figures(self, index: int) -> Figures:
        """The same, without any room when the host has had its VMs of this round."""
        figures = self.figures(index)
        if self._max_host and self._table.in_round[index] >= self._max_host:
            self._shut.append(index)
            return (figures[0], -1, figures[2], figures[3])
        return figures

    def holds_now(self, index: int) -> bool:
        """Whether the requirements that change with the placements hold for a host."""
        return all(self._table.passes(index, test) for test in self._live)

    def allows(self, index: int, vm: VM, avoid: frozenset[int]) -> bool:
        """Whether that VM may go to a host, room aside."""
        host_id = self._table.hosts[index].id
        return host_id not in avoid and host_id != vm.host_id and (not self._live or self.holds_now(index))

    def find(self, vm: VM, avoid: frozenset[int], round_number: int) -> int | None:
        """The best open host with room for that VM."""
        self._catch_up(round_number)
        for index in self._bracket.candidates(vm.cpu, vm.memory_kb, vm.disk_mb):
            if self.allows(index, vm, avoid):
                return index
        return None

    def _catch_up(self, round_number: int) -> None:
        better: list[int] = []
        if self._round != round_number:
            self._round = round_number
            better, self._shut = self._shut, []
        self.ranking.sync()
        raised = self.ranking.raised
        if self._raised < len(raised):
            better = better + raised[self._raised :]
            self._raised = len(raised)
        for index in dict.fromkeys(better):
            self._bracket.refresh(index)

    def fits(self, index: int, vm: VM, avoid: frozenset[int]) -> bool:
        """Whether a host could take that VM if the round had not closed it."""
        if index not in self._bracket:
            return False
        _, cpu, memory_kb, room_mb = self.figures(index)
        has_room = cpu >= vm.cpu and memory_kb >= vm.memory_kb and room_mb >= vm.disk_mb
        return has_room and self.allows(index, vm, avoid)


class VMClass:
    """VMs that are alike in everything that matters for their place, in the order they are served."""

    def __init__(self, group: Group | None, error: str, avoid: frozenset[int]) -> None:
        self.vms: deque[VM] = deque()
        self._group = group
        self.error = error
        self.avoid = avoid

    @property
    def group(self) -> Group:
        """The hosts for these VMs; a class with an error has none."""
        if self._group is None:
            raise LookupError(f"class without a group: {self.error}")
        return self._group

    @property
    def vm(self) -> VM:
        """The VM that is next; it stands for all of them."""
        return self.vms[0]


def _order(vm: VM) -> tuple[int, int]:
    return (-vm.priority, vm.id)


def _read(what: str, text: str) -> expression.Requirement:
    try:
        return expression.requirement(text)
    except ExpressionError as error:
        raise ExpressionError(f"{what}: {error}") from None


class _Planner:
    def __init__(self, snapshot: Snapshot, conf: SchedConf, seed: int, avoid: Avoid) -> None:
        dice = random.Random(seed)
        hosts, stores = list(range(len(snapshot.hosts))), list(range(len(snapshot.datastores)))
        dice.shuffle(hosts)
        dice.shuffle(stores)
        self._conf = conf
        self._table = HostTable(snapshot, hosts)
        self._stores = Stores(snapshot, stores)
        self._uses_disk = any(vm.disk_mb for vm in snapshot.vms)
        self._groups: dict[object, Group | str] = {}
        self._refused: list[VMClass] = []
        self._plan = Plan(seed)
        self._classes = self._classify(sorted(snapshot.vms, key=_order), avoid)

    def _classify(self, vms: list[VM], avoid: Avoid) -> list[VMClass]:
        classes: dict[object, VMClass] = {}
        for vm in vms:
            avoided = avoid.get(vm.id, _NOTHING)
            expressions = (vm.requirements, vm.rank, vm.ds_requirements, vm.ds_rank, vm.reach)
            key = (
                expressions, vm.cpu, vm.memory_kb, vm.disk_mb, vm.image_mb, vm.host_id, avoided, vm.error,
            )  # fmt: skip
            known = classes.get(key)
            if known is None:
                group = vm.error or self._group(expressions, vm)
                if isinstance(group, str):
                    known = VMClass(None, group, avoided)
                else:
                    known = VMClass(group, "", avoided)
                classes[key] = known
            known.vms.append(vm)
        return list(classes.values())

    def _group(self, key: object, vm: VM) -> Group | str:
        known = self._groups.get(key)
        if known is None:
            try:
                known = Group(self._table, self._stores, self._conf, vm, self._uses_disk)
            except ExpressionError as error:
                known = str(error)
            self._groups[key] = known
        return known

    def run(self) -> Plan:
        self._refused = [one for one in self._classes if one.error]
        ready = [one for one in self._classes if not one.error]
        while ready:
            before = len(self._plan.dispatches)
            self._serve(ready)
            ready = []
            if len(self._plan.dispatches) > before:
                # What was placed meanwhile may be what these waited for, as in "CURRENT_VMS = 7".
                ready = [one for one in self._refused if not one.error and one.group.is_live]
                self._refused = [one for one in self._refused if one.error or not one.group.is_live]
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
            index = (
                None if self._lacks_image_space(one) else one.group.find(one.vm, one.avoid, self._plan.rounds)
            )
            store = one.group.stores.best(table.hosts[index], one.vm.disk_mb) if index is not None else None
            if index is not None and store is not None:
                self._dispatch(one, index, store)
                used[index] = None
                dispatched += 1
                handled += 1
                if one.vms:
                    heapq.heappush(queue, (_order(one.vm), number, one))
                continue
            handled += len(one.vms)
            if not one.error and any(
                one.group.fits(i, one.vm, one.avoid) for i in used if self._is_closed(i)
            ):
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
        one.error = self._stores.full_image_store(one.vm)
        return bool(one.error)

    def _dispatch(self, one: VMClass, index: int, store: Datastore) -> None:
        vm = one.vms.popleft()
        host = self._table.hosts[index]
        rank = one.group.ranking.value(index)
        self._table.place(index, vm)
        self._stores.take(vm, store, host)
        self._plan.dispatches.append(
            Dispatch(vm.id, host.id, store.id, vm.cpu, vm.memory_kb, rank, self._plan.rounds)
        )
