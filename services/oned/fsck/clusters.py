"""Members of clusters: both sides and the tables beside them say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.model.cluster import Cluster
from services.oned.model.datastore import Datastore
from services.oned.model.vnet import VirtualNetwork
from services.oned.store import Tx, clusters, consistency

_RELATIONS = (
    ("cluster_datastore_relation", "datastores", clusters.add_datastore, clusters.remove_datastore),
    ("cluster_network_relation", "virtual networks", clusters.add_network, clusters.remove_network),
)


def check(zone: Zone) -> Iterator[Finding]:
    """Hosts, datastores and networks of each cluster, in the document and in the relation tables."""
    for cluster in zone.all(Cluster):
        right = {
            "hosts": sorted(host.oid for host in zone.hosts if host.cluster_id == cluster.oid),
            "datastores": sorted(store.oid for store in zone.datastores if cluster.oid in store.clusters),
            "vnets": sorted(net.oid for net in zone.networks if cluster.oid in net.clusters),
        }
        for name, members in right.items():
            listed = sorted(getattr(cluster, name))
            if listed != members:
                who = "the hosts say" if name == "hosts" else "they say"
                text = f"cluster {cluster.oid}: {name.upper()} are {listed}, {who} {members}"
                yield Finding(text, partial(_list, oid=cluster.oid, name=name, members=members))
    yield from _relations(zone)


def _relations(zone: Zone) -> Iterator[Finding]:
    known = {cluster.oid for cluster in zone.all(Cluster)}
    members: dict[str, Sequence[Datastore | VirtualNetwork]] = {
        "datastores": zone.datastores,
        "virtual networks": zone.networks,
    }
    for table, kind, add, remove in _RELATIONS:
        said = {(cid, member.oid) for member in members[kind] for cid in member.clusters if cid in known}
        recorded = consistency.relations(zone.tx, table)
        for pair in sorted(said - recorded):
            text = f"{table}: lacks cluster {pair[0]} with {pair[1]}, the {kind} say that it is there"
            yield Finding(text, partial(_change, change=add, pair=pair))
        for pair in sorted(recorded - said):
            text = f"{table}: holds cluster {pair[0]} with {pair[1]}, the {kind} say that it is not there"
            yield Finding(text, partial(_change, change=remove, pair=pair))


def _change(tx: Tx, change: Callable[[Tx, int, int], None], pair: tuple[int, int]) -> None:
    change(tx, *pair)


def _list(tx: Tx, oid: int, name: str, members: list[int]) -> None:
    cluster = Cluster.load(tx, oid)
    setattr(cluster, name, members)
    cluster.save(tx)
