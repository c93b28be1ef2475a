"""Virtual network methods, without those about addresses (vnet_leases) and reservations (vnet_reserve)."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.cluster import chosen
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.api.vnet_create import create_vnet
from services.oned.auth import access, encrypted
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, AuthorizationError
from services.oned.model import quota, vlan_ids, vnet_settings
from services.oned.model.address_range_edit import refuse_ipam
from services.oned.model.base import PoolObject
from services.oned.model.cluster import Cluster
from services.oned.model.lease_map import Holder
from services.oned.model.vm import VM
from services.oned.model.vnet import VirtualNetwork
from services.oned.model.vrouter import VirtualRouter
from services.oned.store import pools

_HOLDERS: dict[Holder, type[PoolObject]] = {
    Holder.VM: VM,
    Holder.NET: VirtualNetwork,
    Holder.VR: VirtualRouter,
}


@method("one.vn.allocate", "template:s cluster_id:i")
def allocate(call: Call, text: str, cluster_id: int) -> int:
    """Create a virtual network in a cluster (-1: the default one)."""
    template = Template.parse(text)
    cluster = chosen(call, cluster_id)
    call.authorize_create(VirtualNetwork)
    call.authorize(Cluster, Right.ADMIN, cluster.oid)
    return create_vnet(call, template, [cluster.oid]).oid


@method("one.vn.delete", "vnet_id:i", Check(VirtualNetwork, Right.MANAGE, "vnet_id"))
def delete(call: Call, vnet_id: int) -> int:
    """Delete a virtual network without leases; a reservation gives its addresses back."""
    net = call.load(VirtualNetwork, vnet_id)
    if net.used:
        raise ActionError(
            f"Cannot delete virtual network. Can not remove a virtual network with leases in use, "
            f"network {vnet_id} has {net.used}.",
            vnet_id,
        )
    for each in net.ranges:
        refuse_ipam(each)
    vlan_ids.release(call.tx, net)
    net.delete(call.tx)
    for cluster_id in net.clusters:
        cluster = Cluster.find(call.tx, cluster_id)
        if cluster is not None:
            cluster.remove_vnet(call.tx, vnet_id)
            cluster.save(call.tx)
    parent = VirtualNetwork.find(call.tx, net.parent_id) if net.is_reservation else None
    if parent is not None:
        for each in parent.ranges:
            each.give_back_all(Holder.NET, vnet_id)
        parent.save(call.tx)
    quota.change(call.tx, net.uid, net.gid, -net.quota_usage())
    common.forget(call, net)
    return vnet_id


# -- documents ---------------------------------------------------------------------------------------------
@method("one.vn.info", "vnet_id:i decrypt:b=0", Check(VirtualNetwork, Right.USE, "vnet_id"), writes=False)
def info(call: Call, vnet_id: int, decrypt: bool) -> str:
    """The network's document with its leases: all of them, or those of objects that the caller may use."""
    net = call.load(VirtualNetwork, vnet_id)
    sees: dict[Holder, set[int] | None] = dict.fromkeys(Holder)
    try:
        call.authorize(VirtualNetwork, Right.MANAGE, vnet_id)
    except AuthorizationError:
        for holder, model in _HOLDERS.items():
            sees[holder] = _visible(call, model)
    document = net.to_xml_extended(sees)
    if decrypt and call.caller.is_admin:
        return encrypted.decrypted_body(call.conf, VirtualNetwork.KIND, document)
    return document


def _visible(call: Call, model: type[PoolObject]) -> set[int] | None:
    """The ids of the kind that the caller may use, or None for all."""
    where = access.visible(call.tx, call.caller, model, access.EVERYTHING)
    if not where.sql:
        return None
    return set(pools.ids(call.tx, model.TABLE, where))


@method("one.vnpool.info", "filter_flag:i start_id:i end_id:i", writes=False)
def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int) -> PoolDocument:
    """The virtual networks that fit, by owner, range of ids or page."""
    return common.pool_info(call, VirtualNetwork, filter_flag, start_id, end_id)


# -- changes -----------------------------------------------------------------------------------------------
@method(
    "one.vn.update", "vnet_id:i template:s update_type:i=0", Check(VirtualNetwork, Right.MANAGE, "vnet_id")
)
def update(call: Call, vnet_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) the attributes of a virtual network."""
    return common.update_template(
        call, VirtualNetwork, vnet_id, text, update_type, vnet_settings.settle_update
    )


@method("one.vn.rename", "vnet_id:i name:s")
def rename(call: Call, vnet_id: int, name: str) -> int:
    """Rename a virtual network."""
    return common.rename(call, VirtualNetwork, vnet_id, name, right=Right.MANAGE)


@method("one.vn.chmod", common.CHMOD_PARAMS.format(id="vnet_id"))
def chmod(call: Call, vnet_id: int, *bits: int) -> int:
    """Change permission bits of a virtual network; -1 leaves one as it is."""
    return common.chmod(call, VirtualNetwork, vnet_id, list(bits))


@method("one.vn.chown", "vnet_id:i new_uid:i new_gid:i")
def chown(call: Call, vnet_id: int, uid: int, gid: int) -> int:
    """Give a virtual network to a user, a group or both; -1 leaves one as it is."""
    return common.chown(call, VirtualNetwork, vnet_id, uid, gid)


# A lock must not stand against its own removal, so common checks the right, not the registry row.
@method("one.vn.lock", "vnet_id:i level:i test:b=0")
def lock(call: Call, vnet_id: int, level: int, test: bool) -> int:
    """Lock a virtual network against actions: level 1 use, 2 manage, 3 admin, 4 all."""
    return common.lock(call, VirtualNetwork, vnet_id, level, test)


@method("one.vn.unlock", "vnet_id:i")
def unlock(call: Call, vnet_id: int) -> int:
    """Remove the lock of a virtual network."""
    return common.unlock(call, VirtualNetwork, vnet_id)
