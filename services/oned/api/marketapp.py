"""Marketplace appliance methods."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.market import replace_document, require_oneadmin, store_document
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, OneError, RequestError
from services.oned.lifecycle import app_import
from services.oned.model.marketplace import CREATE, DELETE, Marketplace
from services.oned.model.marketplaceapp import AppState, AppType, MarketplaceApp
from services.oned.store import jobs

_MANAGED = Check(MarketplaceApp, Right.MANAGE, "app_id")


@method("one.marketapp.allocate", "template:s market_id:i")
def allocate(call: Call, text: str, market_id: int) -> int | OneError:
    """Create an appliance of a marketplace from the image, VM or service template ORIGIN_ID.

    When the image cannot be taken the call fails and the appliance stays, in ERROR.
    """
    template = Template.parse(text)
    call.authorize_create(MarketplaceApp)
    market = Marketplace.find(call.tx, market_id)
    if market is None:
        raise RequestError(f"Cannot find associated MARKETPLACE {market_id}")
    if not market.can(call.conf, CREATE):
        raise ActionError(f"Create disabled for market: {market.name}", market_id)
    if market.zone_id != call.conf.zone_id:
        raise ActionError("Marketplace is not in this OpenNebula zone", market_id)
    name = template.get("NAME") or ""
    common.require_free_name(call, MarketplaceApp, name)
    app = MarketplaceApp(-1, name)
    common.own(call, app)
    app.zone_id, app.market_id, app.market = call.conf.zone_id, market.oid, market.name
    app.template = template
    app.settle_new()
    app.insert(call.tx)
    market.add_app(app.oid)
    market.save(call.tx)
    refusal = app_import.start(call.tx, app, market)
    return RequestError(refusal, app.oid) if refusal else app.oid


@method("one.marketapp.delete", "app_id:i", _MANAGED)
def delete(call: Call, app_id: int) -> int:
    """Delete an appliance; the marketplace's driver removes what it keeps of it."""
    app = call.load(MarketplaceApp, app_id)
    refusal = "Cannot delete marketplaceapp. "
    if app.zone_id != call.conf.zone_id:
        raise ActionError(f"{refusal}Marketapp can only be deleted from zone {app.zone_id}", app_id)
    market = Marketplace.find(call.tx, app.market_id)
    if market is None:
        raise ActionError(f"{refusal}Cannot find associated MARKETPLACE", app_id)
    if not market.can(call.conf, DELETE):
        raise ActionError(f"{refusal}Delete disabled for market: {market.name}", app_id)
    if app.type is AppType.UNKNOWN:
        raise ActionError(f"{refusal}Marketplace app type not supported.", app_id)
    app_import.remove(call.tx, app, market)
    common.forget(call, app)
    return app_id


@method(
    "one.marketapp.info", "app_id:i decrypt:b=0", Check(MarketplaceApp, Right.USE, "app_id"), writes=False
)
def info(call: Call, app_id: int, decrypt: bool) -> str:
    """The appliance's document."""
    return common.info(call, MarketplaceApp, app_id, decrypt)


@method("one.marketapppool.info", "filter_flag:i start_id:i end_id:i", writes=False)
def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int) -> PoolDocument:
    """The appliances that fit and that the caller may use."""
    return common.pool_info(call, MarketplaceApp, filter_flag, start_id, end_id)


@method("one.marketapp.update", "app_id:i template:s update_type:i=0", _MANAGED)
def update(call: Call, app_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) an appliance's attributes."""
    return common.update_template(
        call, MarketplaceApp, app_id, text, update_type, MarketplaceApp.settle_update
    )


@method("one.marketapp.rename", "app_id:i name:s")
def rename(call: Call, app_id: int, name: str) -> int:
    """Rename an appliance."""
    return common.rename(call, MarketplaceApp, app_id, name, right=Right.MANAGE)


@method("one.marketapp.chmod", common.CHMOD_PARAMS.format(id="app_id"))
def chmod(call: Call, app_id: int, *bits: int) -> int:
    """Change permission bits of an appliance; -1 leaves one as it is."""
    return common.chmod(call, MarketplaceApp, app_id, list(bits))


@method("one.marketapp.chown", "app_id:i new_uid:i new_gid:i")
def chown(call: Call, app_id: int, uid: int, gid: int) -> int:
    """Give an appliance to a user, a group or both; -1 leaves one as it is."""
    return common.chown(call, MarketplaceApp, app_id, uid, gid)


@method("one.marketapp.enable", "app_id:i enable:b", _MANAGED)
def enable(call: Call, app_id: int, wanted: bool) -> int:
    """Let an appliance be used, or not; one that is under way or in ERROR stays as it is."""
    app = call.load(MarketplaceApp, app_id)
    if app.state in (AppState.READY, AppState.DISABLED):
        app.state = AppState.READY if wanted else AppState.DISABLED
    app.save(call.tx)
    return app_id


# A lock must not stand against its own removal, so common checks the right, not the registry row.
@method("one.marketapp.lock", "app_id:i level:i test:b=0")
def lock(call: Call, app_id: int, level: int, test: bool) -> int:
    """Lock an appliance against actions: level 1 use, 2 manage, 3 admin, 4 all."""
    return common.lock(call, MarketplaceApp, app_id, level, test)


@method("one.marketapp.unlock", "app_id:i")
def unlock(call: Call, app_id: int) -> int:
    """Remove the lock of an appliance."""
    return common.unlock(call, MarketplaceApp, app_id)


# -- for the other zones of a federation, whose appliances the master keeps --------------------------------
@method("one.marketapp.allocatedb", "app_xml:s")
def allocate_document(call: Call, text: str) -> int:
    """Store an appliance of another zone, given as its document (oneadmin only)."""
    return store_document(call, MarketplaceApp, text)


@method("one.marketapp.updatedb", "app_id:i app_xml:s")
def update_document(call: Call, app_id: int, text: str) -> int:
    """Replace the document of an appliance (oneadmin only)."""
    return replace_document(call, MarketplaceApp, app_id, text)


@method("one.marketapp.dropdb", "app_id:i")
def drop_document(call: Call, app_id: int) -> int:
    """Remove an appliance's row and nothing else (oneadmin only)."""
    require_oneadmin(call)
    app = call.load(MarketplaceApp, app_id)
    jobs.cancel(call.tx, MarketplaceApp.KIND, app_id)
    app.delete(call.tx)
    return app_id
