"""Choosing system datastores, and keeping count of their space while a plan grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.scheduler import expression
from services.scheduler.expression import ExpressionError
from services.scheduler.records import VM, Datastore, Host, Snapshot

#: Room where no limit is known.
UNLIMITED = 1 << 62

_SYSTEM = 1
_READY = 0
_LIVE = ("FREE_MB", "/DATASTORE/FREE_MB")


class Stores:
    """The datastores of a snapshot with what is left in them.

    order: indexes of snapshot.datastores; the earlier of two equal ones is taken.
    """

    def __init__(self, snapshot: Snapshot, order: Sequence[int]) -> None:
        self.all = [snapshot.datastores[index] for index in order]
        self.by_id = {store.id: store for store in self.all}
        self._free_mb = {store.id: store.free_mb for store in self.all}
        self._local_mb: dict[tuple[int, int], int] = {}  # (host id, datastore id) -> taken by this plan

    def free_mb(self, store: Datastore, host: Host) -> int:
        """What a VM on that host can still take from that datastore; UNLIMITED when nobody measured it."""
        if store.is_shared:
            free = self._free_mb[store.id]
            return UNLIMITED if free is None else max(0, free)
        free = host.store_free_mb.get(store.id, host.free_disk_mb)
        return UNLIMITED if free is None else max(0, free - self._local_mb.get((host.id, store.id), 0))

    def take(self, vm: VM, store: Datastore, host: Host) -> None:
        """Count a placed VM's disks."""
        self._count(vm, store, host, 1)

    def give_back(self, vm: VM, store: Datastore, host: Host) -> None:
        """Undo a ``take``."""
        self._count(vm, store, host, -1)

    def _count(self, vm: VM, store: Datastore, host: Host, times: int) -> None:
        if store.is_shared:
            self._take_shared(store.id, 0 if vm.has_disks else times * vm.disk_mb)
        else:
            key = (host.id, store.id)
            self._local_mb[key] = self._local_mb.get(key, 0) + times * vm.disk_mb
        for datastore_id, size_mb in vm.image_mb:
            self._take_shared(datastore_id, times * size_mb)

    def _take_shared(self, datastore_id: int, size_mb: int) -> None:
        free = self._free_mb.get(datastore_id)
        if free is not None:
            self._free_mb[datastore_id] = free - size_mb

    def full_image_store(self, vm: VM) -> str:
        """The image datastore that cannot take this VM's copies, in words; empty when all can."""
        for datastore_id, size_mb in vm.image_mb:
            free = self._free_mb.get(datastore_id)
            if free is not None and free < size_mb:
                name = self.by_id[datastore_id].name
                return f"image datastore {name} has {max(0, free)} MB free, {size_mb} MB are needed"
        return ""

    def look(self, store: Datastore, name: str) -> Sequence[str]:
        """Attribute values as they are now: FREE_MB shrinks with each placement."""
        if name in _LIVE:
            free = self._free_mb[store.id]
            return (str(free),) if free is not None else store.attributes.values(name)
        return store.attributes.values(name)


@dataclass(slots=True)
class _Choice:
    store: Datastore
    fixed_rank: float | None  # None: the rank looks at free space and is asked for each time


class StoreChoice:
    """The system datastores that satisfy some expressions. Raises ExpressionError, naming the attribute.

    allowed: the ids of those that may be used at all; None is every one. has_disks: the VMs' disks are there
    already, where a datastore is shared.
    """

    def __init__(
        self,
        stores: Stores,
        requirements: Sequence[str],
        rank: str,
        allowed: frozenset[int] | None = None,
        *,
        has_disks: bool = False,
    ) -> None:
        self._stores = stores
        self._has_disks = has_disks
        try:
            tests = [expression.requirement(text) for text in requirements]
        except ExpressionError as error:
            raise ExpressionError(f"SCHED_DS_REQUIREMENTS: {error}") from None
        try:
            self._rank = expression.rank(rank)
        except ExpressionError as error:
            raise ExpressionError(f"SCHED_DS_RANK: {error}") from None
        is_live = bool(self._rank.names.intersection(_LIVE))
        self._choices = [
            _Choice(store, None if is_live else self._rank.evaluate(store.attributes.values))
            for store in stores.all
            if store.type == _SYSTEM and store.state == _READY and (allowed is None or store.id in allowed)
            if all(test.evaluate(store.attributes.values) for test in tests)
        ]
        self._by_cluster: dict[int, list[_Choice]] = {}

    def _of(self, cluster_id: int) -> list[_Choice]:
        known = self._by_cluster.get(cluster_id)
        if known is None:
            known = [choice for choice in self._choices if cluster_id in choice.store.cluster_ids]
            self._by_cluster[cluster_id] = known
        return known

    def _free_mb(self, store: Datastore, host: Host) -> int:
        return UNLIMITED if self._has_disks and store.is_shared else self._stores.free_mb(store, host)

    def serves(self, cluster_id: int) -> bool:
        """Whether hosts of that cluster have any of these datastores."""
        return bool(self._of(cluster_id))

    def room_mb(self, host: Host) -> int:
        """The most that one VM on that host can still take."""
        choices = self._of(host.cluster_id)
        return max((self._free_mb(choice.store, host) for choice in choices), default=-1)

    def best(self, host: Host, disk_mb: int) -> Datastore | None:
        """The datastore with the best rank that has that much room for a VM on that host."""
        found: Datastore | None = None
        found_rank = 0.0
        for choice in self._of(host.cluster_id):
            store = choice.store
            if self._free_mb(store, host) < disk_mb:
                continue
            rank = choice.fixed_rank
            if rank is None:
                rank = self._rank.evaluate(lambda name, store=store: self._stores.look(store, name))  # type: ignore[misc]
            if found is None or rank > found_rank:
                found, found_rank = store, rank
        return found
