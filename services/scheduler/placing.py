"""Counting one VM on one host, with its datastore, networks and devices, and taking that back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.scheduler.affinity import Affinity
from services.scheduler.networks import Choice, Networks
from services.scheduler.records import VM, Datastore
from services.scheduler.stores import Stores
from services.scheduler.table import HostTable

if TYPE_CHECKING:
    from services.scheduler.candidates import Candidates

NO_DATASTORE = -1  # of a VM in a public cloud


@dataclass(frozen=True, slots=True)
class Step:
    """A VM that is counted: host (its index), system datastore (none in a public cloud) and networks."""

    vm: VM
    index: int
    store: Datastore | None
    networks: Choice

    @property
    def ds_id(self) -> int:
        """The datastore's id, -1 for none."""
        return self.store.id if self.store is not None else NO_DATASTORE


class Placing:
    """All that a plan counts on."""

    def __init__(self, table: HostTable, stores: Stores, networks: Networks, affinity: Affinity) -> None:
        self.table = table
        self.stores = stores
        self.networks = networks
        self.affinity = affinity

    def place(self, candidates: Candidates, vm: VM, index: int) -> Step | None:
        """Count a VM on a host that allows it and has room; None when a datastore or a network is missing."""
        host = self.table.hosts[index]
        store = None if host.is_cloud else candidates.stores.best(host, vm.disk_mb)
        networks = candidates.networks.choose(host.cluster_id)
        if networks is None or (store is None and not host.is_cloud):
            return None
        step = Step(vm, index, store, networks)
        self.table.place(index, vm)
        if store is not None:
            self.stores.take(vm, store, host)
        self.networks.take(networks)
        self.affinity.place(vm.id, host.id)
        return step

    def take_back(self, step: Step) -> None:
        """Undo the newest step."""
        host = self.table.hosts[step.index]
        self.affinity.take_back(step.vm.id, host.id)
        self.networks.take(step.networks, times=-1)
        if step.store is not None:
            self.stores.give_back(step.vm, step.store, host)
        self.table.take_back(step.index, step.vm)
