"""The hosts that may take a VM, best first; and classes of VMs that are alike.

Candidates are shared by all VMs with the same expressions, of owners with the same rights: the hosts
that pass, and their tournament (bracket.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from services.scheduler import expression
from services.scheduler.affinity import Bond
from services.scheduler.bracket import Bracket, Figures
from services.scheduler.config import SchedConf
from services.scheduler.expression import ExpressionError
from services.scheduler.networks import NetworkChoice, Networks
from services.scheduler.records import VM, Host
from services.scheduler.stores import UNLIMITED, StoreChoice, Stores
from services.scheduler.table import HostTable, is_live


class Candidates:
    """The hosts that VMs with the same expressions, of owners with the same rights, may use."""

    def __init__(
        self, table: HostTable, stores: Stores, networks: Networks, conf: SchedConf, vm: VM, uses_disk: bool
    ) -> None:
        self._table = table
        self._all_stores = stores
        self._max_host = conf.max_host
        self._uses_disk = uses_disk
        self.tests = [_read("SCHED_REQUIREMENTS", text) for text in vm.requirements]
        try:
            self.ranking = table.ranking(expression.rank(vm.rank or conf.host_rank))
        except ExpressionError as error:
            raise ExpressionError(f"SCHED_RANK: {error}") from None
        allowed = None if vm.reach is None else vm.reach.datastore_ids
        if vm.ds_id is None:
            rank = vm.ds_rank or conf.datastore_rank
            self.stores = StoreChoice(stores, vm.ds_requirements, rank, allowed, has_disks=vm.has_disks)
        else:  # it stays where its disks are, whatever its owner may use by now
            self.stores = StoreChoice(stores, (), "", frozenset([vm.ds_id]), has_disks=True)
        usable = None if vm.reach is None else vm.reach.network_ids
        self.networks = NetworkChoice(networks, vm.nics, conf.network_rank, usable, conf.different_vnets)
        fixed = [test for test in self.tests if not is_live(test.names)]
        self._live = [test for test in self.tests if is_live(test.names)]
        self.is_live = bool(self._live)
        open_to = [i for i in table.usable if vm.reach is None or vm.reach.has_host(table.hosts[i])]
        passing = [i for i in open_to if all(table.passes(i, test) for test in fixed)]
        served = [index for index in passing if self.serves(table.hosts[index])]
        # Devices and leases only become fewer while a plan grows: what has none now need not be asked again.
        self.hosts = [index for index in served if self.shortage(index, vm) in ("", "image")]
        self.without_right = len(table.usable) - len(open_to)
        self.without_requirements = len(open_to) - len(passing)
        self.without_store = len(passing) - len(served)
        self._raised = len(self.ranking.raised)
        self._round = 0
        self._shut: list[int] = []  # hosts met closed in this round: the next round opens them again
        self._bracket = Bracket(self.hosts, self.open_figures)

    def figures(self, index: int) -> Figures:
        """Rank and room of a host now."""
        table = self._table
        room_mb = self.room_mb(table.hosts[index]) if self._uses_disk else UNLIMITED
        return (self.ranking.value(index), table.free_cpu[index], table.free_memory_kb[index], room_mb)

    def room_mb(self, host: Host) -> int:
        """The most that one VM on that host can still take for its disks; a public cloud brings its own."""
        return UNLIMITED if host.is_cloud else self.stores.room_mb(host)

    def serves(self, host: Host) -> bool:
        """Whether a host has any suitable system datastore, or needs none."""
        return host.is_cloud or self.stores.serves(host.cluster_id)

    def shortage(self, index: int, vm: VM) -> str:
        """What a host lacks besides CPU, memory and disk: network, image, pci, numa or nothing."""
        host, devices = self._table.hosts[index], self._table.devices
        if vm.nics and self.networks.choose(host.cluster_id) is None:
            return "network"
        if vm.image_mb and not host.is_cloud and self._all_stores.full_image_store(vm):
            return "image"
        if vm.needs is not None and not host.is_cloud and not devices.has(index, vm.needs):
            return "numa" if devices.has_devices(index, vm.needs) else "pci"
        return ""

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

    def allows(self, index: int, vm: VM, avoid: frozenset[int], bond: Bond | None = None) -> bool:
        """Whether that VM may go to a host, room aside; bond: what its VM group asks."""
        host_id = self._table.hosts[index].id
        if host_id in avoid or host_id == vm.host_id or (bond is not None and bond.refusal(vm, host_id)):
            return False
        if (vm.nics or vm.needs is not None or vm.image_mb) and self.shortage(index, vm):
            return False
        return not self._live or self.holds_now(index)

    def find(self, vm: VM, avoid: frozenset[int], round_number: int, bond: Bond | None = None) -> int | None:
        """The best open host with room for that VM."""
        return next(self.search(vm, avoid, round_number, bond), None)

    def search(
        self, vm: VM, avoid: frozenset[int], round_number: int, bond: Bond | None = None
    ) -> Iterator[int]:
        """The open hosts with room for that VM, best first. Place nothing while it runs."""
        self._catch_up(round_number)
        limit = bond.limit(vm) if bond is not None else None
        if limit is None:
            found = self._bracket.candidates(vm.cpu, vm.memory_kb, vm.disk_mb)
        else:
            found = iter(self._among(limit, vm))
        return (index for index in found if self.allows(index, vm, avoid, bond))

    def _among(self, host_ids: frozenset[int], vm: VM) -> list[int]:
        """Those of a few hosts that are open and have room, best first."""
        ranked = []
        for index in sorted(self._table.indexes(host_ids)):
            if index in self._bracket:
                rank, cpu, memory_kb, room_mb = self.open_figures(index)
                if cpu >= vm.cpu and memory_kb >= vm.memory_kb and room_mb >= vm.disk_mb:
                    ranked.append((-rank, index))
        return [index for _, index in sorted(ranked)]

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

    def fits(self, index: int, vm: VM, avoid: frozenset[int], bond: Bond | None = None) -> bool:
        """Whether a host could take that VM if the round had not closed it."""
        if index not in self._bracket:
            return False
        _, cpu, memory_kb, room_mb = self.figures(index)
        has_room = cpu >= vm.cpu and memory_kb >= vm.memory_kb and room_mb >= vm.disk_mb
        return has_room and self.allows(index, vm, avoid, bond)


class VMClass:
    """VMs that are alike in everything that matters for their place, in the order they are served."""

    def __init__(
        self, candidates: Candidates | None, error: str, avoid: frozenset[int], bond: Bond | None = None
    ) -> None:
        self.vms: deque[VM] = deque()
        self._candidates = candidates
        self.error = error
        self.avoid = avoid
        self.bond = bond

    @property
    def candidates(self) -> Candidates:
        """The hosts for these VMs; a class with an error has none."""
        if self._candidates is None:
            raise LookupError(f"class without candidates: {self.error}")
        return self._candidates

    @property
    def vm(self) -> VM:
        """The VM that is next; it stands for all of them."""
        return self.vms[0]

    @property
    def parts(self) -> list[VMClass]:
        """What is placed in one step: one VM of each of these."""
        return [self]

    @property
    def is_live(self) -> bool:
        """Whether placements of other VMs can be what these wait for."""
        return any(part.candidates.is_live for part in self.parts)

    def find(self, round_number: int) -> int | None:
        """The best open host for the next step."""
        return self.candidates.find(self.vm, self.avoid, round_number, self.bond)

    def fits(self, index: int) -> bool:
        """Whether a host could take the next step if the round had not closed it."""
        return self.candidates.fits(index, self.vm, self.avoid, self.bond)


def _read(what: str, text: str) -> expression.Requirement:
    try:
        return expression.requirement(text)
    except ExpressionError as error:
        raise ExpressionError(f"{what}: {error}") from None
