"""Marketplace methods."""

from __future__ import annotations

from services.common import xmldoc
from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import AuthorizationError, RequestError
from services.oned.lifecycle import app_import
from services.oned.model import acl
from services.oned.model.base import PoolObject
from services.oned.model.marketplace import Marketplace
from services.oned.model.marketplaceapp import MarketplaceApp
from services.oned.store import jobs

_MANAGED = Check(Marketplace, Right.MANAGE, "market_id")


@method("one.market.allocate", "template:s")
def allocate(call: Call, text: str) -> int:
    """Create a marketplace; MARKET_MAD names its driver."""
    template = Template.parse(text)
    call.authorize_create(Marketplace)
    name = template.get("NAME") or ""
    common.require_free_name(call, Marketplace, name)
    market = Marketplace(-1, name)
    common.own(call, market)
    market.zone_id = call.conf.zone_id
    market.template = template
    market.settle_new(call.conf)
    return market.insert(call.tx)


@method("one.market.delete", "market_id:i", _MANAGED)
def delete(call: Call, market_id: int) -> int:
    """Delete a marketplace; its appliances are forgotten, what its driver keeps of them stays there."""
    market = call.load(Marketplace, market_id)
    for app_id in market.apps:
        app = MarketplaceApp.find(call.tx, app_id)
        if app is not None:
            jobs.cancel(call.tx, MarketplaceApp.KIND, app_id)
            app_import.release_origin(call.tx, app)
            app.delete(call.tx)
            acl.delete_for_object(call.tx, MarketplaceApp, app_id)
    jobs.cancel(call.tx, Marketplace.KIND, market_id)
    market.delete(call.tx)
    common.forget(call, market)
    return market_id


@method(
    "one.market.info", "market_id:i decrypt:b=0", Check(Marketplace, Right.USE, "market_id"), writes=False
)
def info(call: Call, market_id: int, decrypt: bool) -> str:
    """The marketplace's document."""
    return common.info(call, Marketplace, market_id, decrypt)


@method("one.marketpool.info", "", writes=False)
def pool_info(call: Call) -> PoolDocument:
    """The marketplaces that the caller may use."""
    return common.pool_info(call, Marketplace)


@method("one.market.update", "market_id:i template:s update_type:i=0", _MANAGED)
def update(call: Call, market_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) a marketplace's attributes."""
    return common.update_template(
        call, Marketplace, market_id, text, update_type, lambda market: market.settle_update(call.conf)
    )


@method("one.market.rename", "market_id:i name:s")
def rename(call: Call, market_id: int, name: str) -> int:
    """Rename a marketplace; its appliances repeat the name."""

    def tell_apps(market: Marketplace) -> None:
        for app_id in market.apps:
            app = MarketplaceApp.find(call.tx, app_id)
            if app is not None:
                app.market = market.name
                app.save(call.tx)

    return common.rename(call, Marketplace, market_id, name, tell_apps, right=Right.MANAGE)


@method("one.market.chmod", common.CHMOD_PARAMS.format(id="market_id"))
def chmod(call: Call, market_id: int, *bits: int) -> int:
    """Change permission bits of a marketplace; -1 leaves one as it is."""
    return common.chmod(call, Marketplace, market_id, list(bits))


@method("one.market.chown", "market_id:i new_uid:i new_gid:i")
def chown(call: Call, market_id: int, uid: int, gid: int) -> int:
    """Give a marketplace to a user, a group or both; -1 leaves one as it is."""
    return common.chown(call, Marketplace, market_id, uid, gid)


# -- for the other zones of a federation, whose marketplaces and appliances the master keeps ---------------
@method("one.market.allocatedb", "market_xml:s")
def allocate_document(call: Call, text: str) -> int:
    """Store a marketplace of another zone, given as its document (oneadmin only)."""
    return store_document(call, Marketplace, text)


@method("one.market.updatedb", "market_id:i market_xml:s")
def update_document(call: Call, market_id: int, text: str) -> int:
    """Replace the document of a marketplace (oneadmin only)."""
    return replace_document(call, Marketplace, market_id, text)


def require_oneadmin(call: Call) -> None:
    """Raise AuthorizationError for everybody but user 0."""
    if call.caller.uid != 0:
        raise AuthorizationError(f"User [{call.caller.uid}] : Action not permitted, user 0 only.")


def store_document(call: Call, model: type[PoolObject], text: str) -> int:
    """Store an object whose document is given, under an id of its own, which is answered."""
    require_oneadmin(call)
    return _parsed(model, text, f"Cannot create {model.LABEL} from XML").insert(call.tx)


def replace_document(call: Call, model: type[PoolObject], oid: int, text: str) -> int:
    """Replace an object by another one of the same id whose document is given; the id."""
    require_oneadmin(call)
    call.body(model, oid)
    changed = _parsed(model, text, "Cannot update object from XML")
    if changed.oid != oid:
        raise RequestError(
            f"Consistency check failed: expected the document of {model.LABEL} {oid}, found {changed.oid}",
            oid,
        )
    changed.save(call.tx)
    return oid


def _parsed(model: type[PoolObject], text: str, refusal: str) -> PoolObject:
    try:
        element = xmldoc.parse(text, model.KIND)
        if element.tag != model.ROOT or element.find("TEMPLATE") is None:
            raise RequestError(f"{refusal}: expected {model.ROOT} with a TEMPLATE, found {element.tag}")
        return model.from_element(element)
    except (xmldoc.XmlError, ValueError) as error:
        raise RequestError(f"{refusal}: {error}") from None
