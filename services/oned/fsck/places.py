"""What hosts, datastores, networks, images and virtual machines say of where they are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.hosts import counts_on_host
from services.oned.fsck.zone import Zone
from services.oned.model.cluster import DEFAULT_ID, Cluster
from services.oned.model.datastore import Datastore
from services.oned.model.host import Host
from services.oned.model.image import Image
from services.oned.model.vm import VM
from services.oned.model.vnet import VirtualNetwork
from services.oned.store import Tx


def check(zone: Zone) -> Iterator[Finding]:
    """Clusters that members name exist; names of clusters, datastores and hosts are the present ones."""
    clusters = {cluster.oid: cluster.name for cluster in zone.all(Cluster)}
    for host in zone.hosts:
        yield from _host(host, clusters)
    members: list[Datastore | VirtualNetwork] = [*zone.datastores, *zone.networks]
    for member in members:
        gone = [oid for oid in member.clusters if oid not in clusters]
        if gone:
            text = f"{member}: is in clusters {gone}, which do not exist"
            yield Finding(text, partial(_leave, model=type(member), oid=member.oid, clusters=gone))
    stores = {store.oid: store.name for store in zone.datastores}
    for image in zone.images:
        name = stores.get(image.datastore_id, image.datastore)
        if image.datastore != name:
            text = f"image {image.oid}: DATASTORE is {image.datastore!r}, the datastore's name is {name!r}"
            yield Finding(text, partial(_name_datastore, oid=image.oid, name=name))
    yield from _hostnames(zone)


def _host(host: Host, clusters: dict[int, str]) -> Iterator[Finding]:
    if host.cluster_id not in clusters:
        # Clusters before release 5.0 were optional.
        if host.cluster_id != -1:
            text = f"host {host.oid}: is in cluster {host.cluster_id}, which does not exist"
            yield Finding(text, partial(_move_host, oid=host.oid, clusters=clusters))
    elif host.cluster != clusters[host.cluster_id]:
        name = clusters[host.cluster_id]
        text = f"host {host.oid}: CLUSTER is {host.cluster!r}, the cluster's name is {name!r}"
        yield Finding(text, partial(_name_cluster, oid=host.oid, name=name))


def _hostnames(zone: Zone) -> Iterator[Finding]:
    hosts = {host.oid: host.name for host in zone.hosts}
    for vm in zone.vms:
        if vm.history is None or not counts_on_host(vm):
            continue
        name = hosts.get(vm.history.hid, vm.history.hostname)
        if vm.history.hostname != name:
            text = (
                f"virtual machine {vm.oid}: HOSTNAME is {vm.history.hostname!r}, the host's name is {name!r}"
            )
            yield Finding(text, partial(_name_host, oid=vm.oid, hid=vm.history.hid, name=name))


# -- repairs -----------------------------------------------------------------------------------------------
def _move_host(tx: Tx, oid: int, clusters: dict[int, str]) -> None:
    """Put a host into the default cluster; without that into none, as OpenNebula does."""
    host = Host.load(tx, oid)
    host.cluster_id = DEFAULT_ID if DEFAULT_ID in clusters else -1
    host.cluster = clusters.get(DEFAULT_ID, "")
    host.save(tx)


def _name_cluster(tx: Tx, oid: int, name: str) -> None:
    host = Host.load(tx, oid)
    host.cluster = name
    host.save(tx)


def _leave(tx: Tx, model: type[Datastore] | type[VirtualNetwork], oid: int, clusters: list[int]) -> None:
    member = model.load(tx, oid)
    member.clusters = [cluster for cluster in member.clusters if cluster not in clusters]
    member.save(tx)


def _name_datastore(tx: Tx, oid: int, name: str) -> None:
    image = Image.load(tx, oid)
    image.datastore = name
    image.save(tx)


def _name_host(tx: Tx, oid: int, hid: int, name: str) -> None:
    vm = VM.load(tx, oid)
    if vm.history is not None and vm.history.hid == hid:
        vm.history.hostname = name
        vm.save(tx)
        vm.history.store(tx)
