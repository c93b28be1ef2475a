"""Making a network: by its owner's template, as a reservation, or from a network template.

Source: virtual network reference of release 6.0; order of checks of release 6.0.0.3.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.auth import encrypted
from services.oned.errors import RequestError
from services.oned.model import vlan_ids, vnet_settings
from services.oned.model.address_range import AddressRange
from services.oned.model.cluster import Cluster
from services.oned.model.vnet import NO_PARENT, VirtualNetwork
from services.oned.store import pools


def encrypt_range(call: Call, each: AddressRange) -> None:
    """Encrypt what oned.conf wants encrypted in an address range (VNET_ENCRYPTED_ATTR)."""
    template = Template([("AR", each.values)])
    encrypted.encrypt(call.conf, VirtualNetwork.KIND, template)
    each.values = template.vectors("AR")[0]


def create_vnet(
    call: Call, template: Template, clusters: Iterable[int], parent_id: int = NO_PARENT
) -> VirtualNetwork:
    """Store a network of the caller in some clusters; it is as stored.

    template: with NAME, or with TEMPLATE_NAME, from which ``<name>-<id>`` is made. parent_id: makes it a
    reservation of that network, without addresses yet.
    Raises RequestError for what cannot be used, ActionError for what this version lacks.
    """
    name = (template.get("NAME") or "").rstrip()
    if name and pools.find(call.tx, VirtualNetwork.TABLE, name, call.caller.uid) is not None:
        common.require_free_name(call, VirtualNetwork, name)  # refuses it, before an id is given out
    net = VirtualNetwork(pools.next_oid(call.tx, VirtualNetwork.TABLE), name)
    if net.oid == 0:
        # OpenNebula's counter does not step back below 0: a first one that is refused takes its id along.
        pools.lose_oid_on_refusal(call.tx, VirtualNetwork.TABLE)
    prefix = template.get("TEMPLATE_NAME") or ""
    if not name and not prefix:
        raise RequestError("No NAME in template for Virtual Network.")
    net.name = name or f"{prefix}-{net.oid}"
    common.require_free_name(call, VirtualNetwork, net.name)
    common.own(call, net)
    net.parent_id = parent_id
    net.template = template.copy()
    origin = template.get("TEMPLATE_ID")
    for attribute in ("NAME", "TEMPLATE_NAME", "TEMPLATE_ID"):
        net.template.remove(attribute)
    if origin:
        net.template.set("TEMPLATE_ID", origin)
    vnet_settings.settle_new(net, call.conf)
    encrypted.encrypt(call.conf, VirtualNetwork.KIND, net.template)
    for each in net.ranges:
        encrypt_range(call, each)
    vlan_ids.assign(call.tx, net, call.conf.settings)
    net.clusters = sorted(set(clusters))
    pools.insert(call.tx, net.TABLE, {"oid": net.oid, **net.columns()})
    for cluster_id in net.clusters:
        cluster = Cluster.find(call.tx, cluster_id)
        if cluster is not None:
            cluster.add_vnet(call.tx, net.oid)
            cluster.save(call.tx)
            call.forget(Cluster, cluster_id)
    return net
