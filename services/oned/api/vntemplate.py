"""Virtual network template methods."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.api.vnet_create import create_vnet
from services.oned.auth import acting
from services.oned.auth.rights import Right
from services.oned.errors import AllocateError, AuthorizationError, RequestError
from services.oned.model import restricted
from services.oned.model.address_range import id_set
from services.oned.model.cluster import DEFAULT_ID, Cluster
from services.oned.model.vntemplate import NetworkTemplate
from services.oned.store import pools


def _restricted(call: Call) -> dict[str, set[str]]:
    return restricted.names(call.conf.settings, "VNET_RESTRICTED_ATTR")


def _store(call: Call, template: Template) -> int:
    """Store a new template of the caller under its NAME; its id. Raises RequestError."""
    name = (template.get("NAME") or "").rstrip()
    common.require_free_name(call, NetworkTemplate, name)
    made = NetworkTemplate(-1, name)
    common.own(call, made)
    template.remove("NAME")
    made.template = template
    made.oid = pools.next_oid(call.tx, NetworkTemplate.TABLE)
    if made.oid == 0:
        # OpenNebula's counter does not step back below 0: a first one that is refused takes its id along.
        pools.lose_oid_on_refusal(call.tx, NetworkTemplate.TABLE)
    made.check_new()
    pools.insert(call.tx, NetworkTemplate.TABLE, {"oid": made.oid, **made.columns()})
    return made.oid


@method("one.vntemplate.allocate", "template:s")
def allocate(call: Call, text: str) -> int:
    """Create a virtual network template."""
    template = Template.parse(text)
    call.authorize_create(NetworkTemplate)
    if not call.caller.is_admin:
        # OpenNebula reads this template as one for VMs, and so asks for the attributes of those.
        name = restricted.first_set(template, restricted.names(call.conf.settings, "VM_RESTRICTED_ATTR"))
        if name:
            raise AuthorizationError(f"VM Template includes a restricted attribute {name}")
    return _store(call, template)


@method("one.vntemplate.clone", "vntemplate_id:i name:s", Check(NetworkTemplate, Right.USE, "vntemplate_id"))
def clone(call: Call, vntemplate_id: int, name: str) -> int:
    """Copy a virtual network template under another name, for the caller."""
    call.authorize_create(NetworkTemplate)
    copy = call.load(NetworkTemplate, vntemplate_id).template.copy()
    copy.set("NAME", name)
    try:
        return _store(call, copy)
    except RequestError as error:
        raise AllocateError(error.message) from None


@method("one.vntemplate.delete", "vntemplate_id:i", Check(NetworkTemplate, Right.MANAGE, "vntemplate_id"))
def delete(call: Call, vntemplate_id: int) -> int:
    """Delete a virtual network template."""
    template = call.load(NetworkTemplate, vntemplate_id)
    template.delete(call.tx)
    common.forget(call, template)
    return vntemplate_id


@method(
    "one.vntemplate.info",
    "vntemplate_id:i decrypt:b=0",
    Check(NetworkTemplate, Right.USE, "vntemplate_id"),
    writes=False,
)
def info(call: Call, vntemplate_id: int, decrypt: bool) -> str:
    """The template's document."""
    return common.info(call, NetworkTemplate, vntemplate_id, decrypt)


@method("one.vntemplatepool.info", "filter_flag:i start_id:i end_id:i", writes=False)
def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int) -> PoolDocument:
    """The virtual network templates that fit, by owner, range of ids or page."""
    return common.pool_info(call, NetworkTemplate, filter_flag, start_id, end_id)


@method(
    "one.vntemplate.update",
    "vntemplate_id:i template:s update_type:i=0",
    Check(NetworkTemplate, Right.MANAGE, "vntemplate_id"),
)
def update(call: Call, vntemplate_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) the attributes of a virtual network template."""
    return common.update_template(call, NetworkTemplate, vntemplate_id, text, update_type)


@method("one.vntemplate.rename", "vntemplate_id:i name:s")
def rename(call: Call, vntemplate_id: int, name: str) -> int:
    """Rename a virtual network template."""
    return common.rename(call, NetworkTemplate, vntemplate_id, name, right=Right.MANAGE)


@method("one.vntemplate.chmod", common.CHMOD_PARAMS.format(id="vntemplate_id"))
def chmod(call: Call, vntemplate_id: int, *bits: int) -> int:
    """Change permission bits of a virtual network template; -1 leaves one as it is."""
    return common.chmod(call, NetworkTemplate, vntemplate_id, list(bits))


@method("one.vntemplate.chown", "vntemplate_id:i new_uid:i new_gid:i")
def chown(call: Call, vntemplate_id: int, uid: int, gid: int) -> int:
    """Give a virtual network template to a user, a group or both; -1 leaves one as it is."""
    return common.chown(call, NetworkTemplate, vntemplate_id, uid, gid)


# A lock must not stand against its own removal, so common checks the right, not the registry row.
@method("one.vntemplate.lock", "vntemplate_id:i level:i test:b=0")
def lock(call: Call, vntemplate_id: int, level: int, test: bool) -> int:
    """Lock a virtual network template against actions: level 1 use, 2 manage, 3 admin, 4 all."""
    return common.lock(call, NetworkTemplate, vntemplate_id, level, test)


@method("one.vntemplate.unlock", "vntemplate_id:i")
def unlock(call: Call, vntemplate_id: int) -> int:
    """Remove the lock of a virtual network template."""
    return common.unlock(call, NetworkTemplate, vntemplate_id)


@method("one.vntemplate.instantiate", "vntemplate_id:i name:s extra_template:s")
def instantiate(call: Call, vntemplate_id: int, name: str, text: str) -> int:
    """Create a virtual network from a template, with further attributes; in the clusters of CLUSTER_IDS."""
    # Rights are checked after other things, as in OpenNebula, and perhaps for another user (AS_UID).
    source = call.load(NetworkTemplate, vntemplate_id)
    template = source.template.copy()
    extra = Template.parse(text)
    if len(extra):
        if not call.caller.is_admin:
            forbidden = restricted.first_changed(extra, template, _restricted(call))
            if forbidden:
                raise AuthorizationError(
                    f"User Template includes a restricted attribute {forbidden}", vntemplate_id
                )
        template.merge(extra)
    acting.take_over(call, template)
    call.authorize(NetworkTemplate, Right.USE, vntemplate_id)
    template.remove("NAME")
    template.set("TEMPLATE_NAME", source.name)
    template.set("TEMPLATE_ID", str(vntemplate_id))
    if name:
        template.set("NAME", name)
    try:
        return create_vnet(call, template, _clusters(call, source)).oid
    except RequestError as error:
        raise AllocateError(error.message) from None


def _clusters(call: Call, source: NetworkTemplate) -> set[int]:
    """The clusters that a template names and that exist; the default one when it names none."""
    named = source.template.get("CLUSTER_IDS") or ""
    if not named:
        return {DEFAULT_ID}
    return id_set(named) & set(pools.ids(call.tx, Cluster.TABLE))
