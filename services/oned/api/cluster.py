"""Cluster methods, and the membership that cluster and member both record."""

from __future__ import annotations

from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError
from services.oned.model.base import PoolObject
from services.oned.model.cluster import DEFAULT_ID, Cluster
from services.oned.model.datastore import Datastore
from services.oned.model.host import Host
from services.oned.model.vnet import VirtualNetwork


def chosen(call: Call, cluster_id: int) -> Cluster:
    """The cluster that an allocate call names, -1 being the default one. Raises NotFoundError."""
    return call.load(Cluster, DEFAULT_ID if cluster_id == -1 else cluster_id)


@method("one.cluster.allocate", "name:s", Check(Cluster, Right.CREATE))
def allocate(call: Call, name: str) -> int:
    """Create a cluster."""
    common.require_free_name(call, Cluster, name)
    return Cluster(-1, name).insert(call.tx)


@method("one.cluster.delete", "cluster_id:i", Check(Cluster, Right.ADMIN, "cluster_id"))
def delete(call: Call, cluster_id: int) -> int:
    """Delete an empty cluster."""
    cluster = call.load(Cluster, cluster_id)
    common.refuse_system_object(cluster, "Clusters")
    rest = cluster.why_not_empty()
    if rest:
        raise ActionError(f"Cannot delete cluster. {rest}", cluster_id)
    cluster.delete(call.tx)
    common.forget(call, cluster)
    return cluster_id


@method("one.cluster.info", "cluster_id:i decrypt:b=0", Check(Cluster, Right.USE, "cluster_id"), writes=False)
def info(call: Call, cluster_id: int, decrypt: bool) -> str:
    """The cluster's document."""
    return common.info(call, Cluster, cluster_id, decrypt)


@method("one.clusterpool.info", "", writes=False)
def pool_info(call: Call) -> PoolDocument:
    """The clusters that the caller may use."""
    return common.pool_info(call, Cluster)


@method("one.cluster.rename", "cluster_id:i name:s")
def rename(call: Call, cluster_id: int, name: str) -> int:
    """Rename a cluster; its hosts show the new name."""

    def tell_hosts(cluster: Cluster) -> None:
        for host_id in cluster.hosts:
            host = call.load(Host, host_id)
            host.cluster = cluster.name
            host.save(call.tx)

    return common.rename(call, Cluster, cluster_id, name, tell_hosts, right=Right.MANAGE)


@method(
    "one.cluster.update",
    "cluster_id:i template:s update_type:i=0",
    Check(Cluster, Right.MANAGE, "cluster_id"),
)
def update(call: Call, cluster_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) a cluster's attributes; its hosts follow changed reservations."""

    def reserve(cluster: Cluster) -> None:
        for host_id in cluster.hosts:
            host = call.load(Host, host_id)
            host.reserve(call.tx, cluster.reserved)
            host.save(call.tx)

    return common.update_template(call, Cluster, cluster_id, text, update_type, reserve)


# -- members -----------------------------------------------------------------------------------------------
def _authorize_both(call: Call, cluster_id: int, model: type[PoolObject], oid: int) -> None:
    """Raise NotFoundError for what does not exist, then AuthorizationError without ADMIN on both."""
    call.body(Cluster, cluster_id)
    call.body(model, oid)
    call.authorize(Cluster, Right.ADMIN, cluster_id)
    call.authorize(model, Right.ADMIN, oid)


def _move_host(call: Call, cluster_id: int, host_id: int) -> int:
    host = call.load(Host, host_id)
    if host.cluster_id == cluster_id:
        return cluster_id
    cluster = call.load(Cluster, cluster_id)
    # The old cluster's row is locked last; should two moves meet, the database lets one wait or retry.
    old = Cluster.find(call.tx, host.cluster_id)
    host.cluster_id, host.cluster = cluster.oid, cluster.name
    host.reserve(call.tx, cluster.reserved)
    host.save(call.tx)
    cluster.add_host(host_id)
    cluster.save(call.tx)
    if old is not None:
        old.remove_host(host_id)
        old.save(call.tx)
    return cluster_id


@method("one.cluster.addhost", "cluster_id:i host_id:i")
def add_host(call: Call, cluster_id: int, host_id: int) -> int:
    """Move a host into a cluster."""
    _authorize_both(call, cluster_id, Host, host_id)
    return _move_host(call, cluster_id, host_id)


@method("one.cluster.delhost", "cluster_id:i host_id:i")
def del_host(call: Call, cluster_id: int, host_id: int) -> int:
    """Move a host from its cluster, whichever that is, into the default one; answers the default's id."""
    # OpenNebula ignores the cluster that the call names: a host has one cluster only.
    _authorize_both(call, DEFAULT_ID, Host, host_id)
    return _move_host(call, DEFAULT_ID, host_id)


@method("one.cluster.adddatastore", "cluster_id:i datastore_id:i")
def add_datastore(call: Call, cluster_id: int, datastore_id: int) -> int:
    """Add a datastore to a cluster; it stays in its other ones."""
    _authorize_both(call, cluster_id, Datastore, datastore_id)
    store = call.load(Datastore, datastore_id)
    if cluster_id not in store.clusters:
        store.clusters = sorted([*store.clusters, cluster_id])
        store.save(call.tx)
        cluster = call.load(Cluster, cluster_id)
        cluster.add_datastore(call.tx, datastore_id)
        cluster.save(call.tx)
    return cluster_id


@method("one.cluster.deldatastore", "cluster_id:i datastore_id:i")
def del_datastore(call: Call, cluster_id: int, datastore_id: int) -> int:
    """Take a datastore out of a cluster."""
    _authorize_both(call, cluster_id, Datastore, datastore_id)
    store = call.load(Datastore, datastore_id)
    if cluster_id in store.clusters:
        store.clusters.remove(cluster_id)
        store.save(call.tx)
        cluster = call.load(Cluster, cluster_id)
        cluster.remove_datastore(call.tx, datastore_id)
        cluster.save(call.tx)
    return cluster_id


@method("one.cluster.addvnet", "cluster_id:i vnet_id:i")
def add_vnet(call: Call, cluster_id: int, vnet_id: int) -> int:
    """Add a virtual network to a cluster; it stays in its other ones."""
    _authorize_both(call, cluster_id, VirtualNetwork, vnet_id)
    net = call.load(VirtualNetwork, vnet_id)
    if cluster_id not in net.clusters:
        net.clusters = sorted([*net.clusters, cluster_id])
        net.save(call.tx)
        cluster = call.load(Cluster, cluster_id)
        cluster.add_vnet(call.tx, vnet_id)
        cluster.save(call.tx)
    return cluster_id


@method("one.cluster.delvnet", "cluster_id:i vnet_id:i")
def del_vnet(call: Call, cluster_id: int, vnet_id: int) -> int:
    """Take a virtual network out of a cluster."""
    _authorize_both(call, cluster_id, VirtualNetwork, vnet_id)
    net = call.load(VirtualNetwork, vnet_id)
    if cluster_id in net.clusters:
        net.clusters.remove(cluster_id)
        net.save(call.tx)
        cluster = call.load(Cluster, cluster_id)
        cluster.remove_vnet(call.tx, vnet_id)
        cluster.save(call.tx)
    return cluster_id
