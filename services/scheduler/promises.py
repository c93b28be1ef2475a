"""Datastore space and leases that were promised, but that the front-end's figures do not show yet.

A datastore is measured every few minutes: what was placed there meanwhile is taken off here, until a new
figure comes or it should have come. Leases are counted at once: of them only deployments under way matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.scheduler.records import Datastore, Host, Network, Snapshot

if TYPE_CHECKING:
    from services.scheduler.plan import Dispatch

#: Datastores are measured again within this time.
LONGEST_S = 300.0

#: A datastore, and the host for one that lies on hosts.
_Place = tuple[int, int | None]


@dataclass(slots=True)
class _Promise:
    until: float
    spaces: list[tuple[int, int]]  # datastore id, MB; the first may lie on the host
    host_id: int
    seen: dict[_Place, int] = field(default_factory=dict)


class Promises:
    """Deployments that were accepted, until their disks must have been measured. Times: monotonic, s."""

    def __init__(self) -> None:
        self._open: dict[int, _Promise] = {}

    def add(self, dispatch: Dispatch, now: float) -> None:
        """A deployment was accepted."""
        if dispatch.disk_mb or dispatch.image_mb:
            self._open[dispatch.vm_id] = _Promise(now + LONGEST_S, _spaces(dispatch), dispatch.host_id)

    def count(self, found: Snapshot, under_way: Mapping[int, Dispatch], now: float) -> None:
        """Take what is promised off the space and the leases of a snapshot that was just read."""
        figures = _Figures(found.datastores, found.hosts)
        for vm_id, promise in list(self._open.items()):
            promise.spaces = [
                (ds_id, size_mb) for ds_id, size_mb in promise.spaces if _is_unseen(promise, ds_id, figures)
            ]
            if now >= promise.until or not promise.spaces:
                del self._open[vm_id]
        for promise in self._open.values():
            figures.take(promise.spaces, promise.host_id)
        for dispatch in under_way.values():
            if dispatch.vm_id not in self._open:
                figures.take(_spaces(dispatch), dispatch.host_id)
        _take_leases(found.networks, under_way.values())


class _Figures:
    """The free space that a snapshot was read with."""

    def __init__(self, datastores: Iterable[Datastore], hosts: Iterable[Host]) -> None:
        self._stores = {store.id: store for store in datastores}
        self._hosts = {host.id: host for host in hosts}

    def place(self, ds_id: int, host_id: int) -> _Place:
        store = self._stores.get(ds_id)
        return (ds_id, host_id if store is not None and not store.is_shared else None)

    def free_mb(self, place: _Place) -> int | None:
        ds_id, host_id = place
        if host_id is not None:
            host = self._hosts.get(host_id)
            return host.store_free_mb.get(ds_id, host.free_disk_mb) if host is not None else None
        store = self._stores.get(ds_id)
        return store.free_mb if store is not None else None

    def take(self, spaces: Iterable[tuple[int, int]], host_id: int) -> None:
        for ds_id, size_mb in spaces:
            place = self.place(ds_id, host_id)
            free_mb = self.free_mb(place)
            if free_mb is None:
                continue
            if place[1] is not None:
                self._hosts[host_id].store_free_mb[ds_id] = free_mb - size_mb
            else:
                self._stores[ds_id].free_mb = free_mb - size_mb


def _spaces(dispatch: Dispatch) -> list[tuple[int, int]]:
    return [(dispatch.ds_id, dispatch.disk_mb), *dispatch.image_mb]


def _is_unseen(promise: _Promise, ds_id: int, figures: _Figures) -> bool:
    """Whether the figure of a datastore is still the one with which the promise was counted first."""
    place = figures.place(ds_id, promise.host_id)
    free_mb = figures.free_mb(place)
    return free_mb is not None and promise.seen.setdefault(place, free_mb) == free_mb


def _take_leases(networks: Iterable[Network], under_way: Iterable[Dispatch]) -> None:
    by_id = {network.id: network for network in networks}
    for dispatch in under_way:
        for _, network_id in dispatch.networks:
            network = by_id.get(network_id)
            if network is not None:
                network.free_leases = max(0, network.free_leases - 1)
