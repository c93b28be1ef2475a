"""Zones and their servers. A zone of its own has one; a federation's master makes others.

Source: zone reference of release 6.0; checks of release 6.0.0.3.
"""

from __future__ import annotations

from services.common import xmldoc
from services.common.template import Template, TemplateError
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, AllocateError, AuthorizationError, RequestError
from services.oned.model.zone import NO_ENDPOINT, Zone

_MASTER = "MASTER"


def _is_master(call: Call) -> bool:
    federation = call.conf.settings.get_vector("FEDERATION") or {}
    return federation.get("MODE", "").upper() == _MASTER


@method("one.zone.allocate", "template:s")
def allocate(call: Call, text: str) -> int:
    """Create a zone; only the master of a federation can."""
    if not _is_master(call):
        raise AllocateError("New zones can only be created at federation master")
    template = Template.parse(text)
    call.authorize_create(Zone)
    name = template.get("NAME") or ""
    common.require_free_name(call, Zone, name)
    if not template.get("ENDPOINT"):
        raise RequestError("ENDPOINT not present in template.")
    for attribute in ("NAME", "SERVER"):
        template.remove(attribute)
    made = Zone(-1, name)
    made.template = template
    return made.insert(call.tx)


@method("one.zone.delete", "zone_id:i", Check(Zone, Right.ADMIN, "zone_id"))
def delete(call: Call, zone_id: int) -> int:
    """Delete a zone, and the rules that hold in it."""
    zone = call.load(Zone, zone_id)
    common.refuse_system_object(zone, "Zones")
    zone.delete(call.tx)
    common.forget(call, zone)
    return zone_id


@method("one.zone.info", "zone_id:i decrypt:b=0", Check(Zone, Right.USE, "zone_id"), writes=False)
def info(call: Call, zone_id: int, decrypt: bool) -> str:
    """The zone's document."""
    return common.info(call, Zone, zone_id, decrypt)


@method("one.zonepool.info", "", writes=False)
def pool_info(call: Call) -> PoolDocument:
    """The zones that the caller may use."""
    return common.pool_info(call, Zone)


@method("one.zone.rename", "zone_id:i name:s")
def rename(call: Call, zone_id: int, name: str) -> int:
    """Rename a zone."""
    return common.rename(call, Zone, zone_id, name, right=Right.MANAGE)


@method("one.zone.update", "zone_id:i template:s update_type:i=0", Check(Zone, Right.MANAGE, "zone_id"))
def update(call: Call, zone_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) a zone's attributes; without an ENDPOINT it becomes "-"."""

    def settle(zone: Zone) -> None:
        if not zone.template.get("ENDPOINT"):
            zone.template.set("ENDPOINT", NO_ENDPOINT)
        zone.template.remove("SERVER")

    return common.update_template(call, Zone, zone_id, text, update_type, settle)


@method("one.zone.updatedb", "zone_id:i zone_xml:s")
def update_db(call: Call, zone_id: int, text: str) -> int:
    """Replace a zone's document, as a federation's other zones ask of the master."""
    if call.caller.uid != 0:
        raise AuthorizationError(f"User [{call.caller.uid}] : only oneadmin replaces documents.", zone_id)
    call.body(Zone, zone_id)
    root = xmldoc.parse(text, "zone")
    if root.tag != Zone.ROOT or any(root.find(name) is None for name in ("TEMPLATE", "SERVER_POOL")):
        raise RequestError("Cannot update object from XML: expected a ZONE with TEMPLATE and SERVER_POOL.")
    zone = Zone.from_element(root)
    if zone.oid != zone_id or not zone.name:
        raise RequestError(f"The document is of zone {zone.oid} ({zone.name!r}), expected zone {zone_id}.")
    zone.save(call.tx)
    return zone_id


# -- servers -----------------------------------------------------------------------------------------------
def _own_zone(call: Call, zone_id: int, what: str) -> None:
    """Check that a call about servers is for this zone, and that the caller may administer it."""
    if zone_id != call.conf.zone_id:
        raise ActionError(f"Servers have to be {what} through the endpoints of their zone, {zone_id}.")
    call.authorize(Zone, Right.ADMIN, zone_id)


@method("one.zone.addserver", "zone_id:i server_template:s")
def add_server(call: Call, zone_id: int, text: str) -> int:
    """Add a server to this zone's list."""
    _own_zone(call, zone_id, "added")
    try:
        server = Template.parse(text).get_vector("SERVER")
    except TemplateError as error:
        raise ActionError(str(error), zone_id) from None
    if server is None:
        raise ActionError("The template has no SERVER vector.", zone_id)
    zone = call.load(Zone, zone_id)
    try:
        zone.add_server(server)
    except RequestError as error:
        raise ActionError(error.message, zone_id) from None
    zone.save(call.tx)
    return zone_id


@method("one.zone.delserver", "zone_id:i server_id:i")
def del_server(call: Call, zone_id: int, server_id: int) -> int:
    """Remove a server from this zone's list."""
    _own_zone(call, zone_id, "deleted")
    zone = call.load(Zone, zone_id)
    try:
        zone.remove_server(server_id)
    except RequestError as error:
        raise ActionError(error.message, zone_id) from None
    zone.save(call.tx)
    return zone_id


@method("one.zone.resetserver", "zone_id:i server_id:i")
def reset_server(call: Call, zone_id: int, server_id: int) -> int:
    """Forget how far a server's copy of the log is; there is none, as the database replicates itself."""
    _own_zone(call, zone_id, "reset")
    return zone_id
