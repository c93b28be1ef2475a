"""VDC methods: groups, and the clusters, hosts, datastores and networks that they may use."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import NotFoundError
from services.oned.model.base import PoolObject
from services.oned.model.cluster import Cluster
from services.oned.model.datastore import Datastore
from services.oned.model.group import Group
from services.oned.model.host import Host
from services.oned.model.vdc import ALL_RESOURCES, Vdc
from services.oned.model.vnet import VirtualNetwork
from services.oned.model.zone import Zone


@method("one.vdc.allocate", "template:s cluster_id:i=-1")
def allocate(call: Call, text: str, cluster_id: int) -> int:
    """Create a VDC without members; the cluster is not looked at."""
    template = Template.parse(text)
    call.authorize_create(Vdc)
    name = template.get("NAME") or ""
    common.require_free_name(call, Vdc, name)
    made = Vdc(-1, name)
    template.remove("NAME")
    made.template = template
    return made.insert(call.tx)


@method("one.vdc.delete", "vdc_id:i", Check(Vdc, Right.ADMIN, "vdc_id"))
def delete(call: Call, vdc_id: int) -> int:
    """Delete a VDC; its groups lose what it let them use."""
    vdc = call.load(Vdc, vdc_id)
    common.refuse_system_object(vdc, "VDCs")
    vdc.disband(call.tx, call.conf.settings)
    vdc.delete(call.tx)
    common.forget(call, vdc)
    return vdc_id


@method("one.vdc.info", "vdc_id:i decrypt:b=0", Check(Vdc, Right.USE, "vdc_id"), writes=False)
def info(call: Call, vdc_id: int, decrypt: bool) -> str:
    """The VDC's document."""
    return common.info(call, Vdc, vdc_id, decrypt)


@method("one.vdcpool.info", "", writes=False)
def pool_info(call: Call) -> PoolDocument:
    """The VDCs that the caller may use."""
    return common.pool_info(call, Vdc)


@method("one.vdc.rename", "vdc_id:i name:s")
def rename(call: Call, vdc_id: int, name: str) -> int:
    """Rename a VDC."""
    return common.rename(call, Vdc, vdc_id, name, right=Right.MANAGE)


@method("one.vdc.update", "vdc_id:i template:s update_type:i=0", Check(Vdc, Right.MANAGE, "vdc_id"))
def update(call: Call, vdc_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) a VDC's attributes."""
    return common.update_template(call, Vdc, vdc_id, text, update_type)


# -- groups ------------------------------------------------------------------------------------------------
def _vdc_and_group(call: Call, vdc_id: int, gid: int, group_must_exist: bool) -> Vdc:
    # Rows are read, and so locked, in the order that every call keeps: groups before other objects.
    exists = _exists(call, Group, gid, required=False)
    call.body(Vdc, vdc_id)
    if group_must_exist and not exists:
        raise NotFoundError(f"Error getting {Group.LABEL} [{gid}].", gid)
    call.authorize(Vdc, Right.ADMIN, vdc_id)
    if exists:
        call.authorize(Group, Right.ADMIN, gid)
    return call.load(Vdc, vdc_id)


@method("one.vdc.addgroup", "vdc_id:i group_id:i")
def add_group(call: Call, vdc_id: int, gid: int) -> int:
    """Let a group use the VDC's resources."""
    vdc = _vdc_and_group(call, vdc_id, gid, group_must_exist=True)
    vdc.add_group(call.tx, gid, call.conf.settings)
    vdc.save(call.tx)
    return vdc_id


@method("one.vdc.delgroup", "vdc_id:i group_id:i")
def del_group(call: Call, vdc_id: int, gid: int) -> int:
    """Take the VDC's resources from a group."""
    vdc = _vdc_and_group(call, vdc_id, gid, group_must_exist=False)
    vdc.remove_group(call.tx, gid, call.conf.settings)
    vdc.save(call.tx)
    return vdc_id


# -- resources ---------------------------------------------------------------------------------------------
def _exists(call: Call, model: type[PoolObject], oid: int, required: bool) -> bool:
    """Whether an object exists. Raises NotFoundError when it does not but must."""
    try:
        call.body(model, oid)
    except NotFoundError:
        if required:
            raise
        return False
    return True


def _vdc_to_edit(
    call: Call, model: type[PoolObject], vdc_id: int, zone_id: int, oid: int, *, adding: bool
) -> Vdc:
    """The VDC; rights on it, on the zone and on the resource of this zone are checked, as far as they exist.

    Only what is added must exist. Objects of other zones are not known here.
    """
    call.body(Vdc, vdc_id)
    concerned: list[tuple[type[PoolObject], int]] = [(Vdc, vdc_id)]
    if _exists(call, Zone, zone_id, adding):
        concerned.append((Zone, zone_id))
    if oid != ALL_RESOURCES and zone_id == call.conf.zone_id and _exists(call, model, oid, adding):
        concerned.append((model, oid))
    for kind, number in concerned:
        call.authorize(kind, Right.ADMIN, number)
    return call.load(Vdc, vdc_id)


def _member_methods(resource: str, model: type[PoolObject], collection: str) -> None:
    """Register ``one.vdc.add<resource>`` and ``one.vdc.del<resource>``."""
    params = f"vdc_id:i zone_id:i {resource}_id:i"

    @method(f"one.vdc.add{resource}", params)
    def add(call: Call, vdc_id: int, zone_id: int, oid: int) -> int:
        """Let the VDC's groups use an object of a zone; -10 is all of them."""
        vdc = _vdc_to_edit(call, model, vdc_id, zone_id, oid, adding=True)
        vdc.add(call.tx, collection, (zone_id, oid), call.conf.settings)
        vdc.save(call.tx)
        return vdc_id

    @method(f"one.vdc.del{resource}", params)
    def remove(call: Call, vdc_id: int, zone_id: int, oid: int) -> int:
        """Take an object of a zone, or all (-10), from the VDC's groups."""
        vdc = _vdc_to_edit(call, model, vdc_id, zone_id, oid, adding=False)
        vdc.remove(call.tx, collection, (zone_id, oid), call.conf.settings)
        vdc.save(call.tx)
        return vdc_id


_member_methods("cluster", Cluster, "CLUSTERS")
_member_methods("host", Host, "HOSTS")
_member_methods("datastore", Datastore, "DATASTORES")
_member_methods("vnet", VirtualNetwork, "VNETS")
