"""Appliances on their way into a marketplace, and out of it.

Source: marketplace guide and states.csv of release 6.0.
"""

from __future__ import annotations

import time

from services.oned.errors import RequestError
from services.oned.lifecycle import image_copies
from services.oned.model.datastore import Datastore
from services.oned.model.image import Image
from services.oned.model.marketplace import Marketplace
from services.oned.model.marketplaceapp import AppState, AppType, MarketplaceApp
from services.oned.store import Tx, jobs


def start(tx: Tx, app: MarketplaceApp, market: Marketplace) -> str:
    """Give a new appliance to the marketplace's driver; why that cannot be, or an empty text.

    An appliance that cannot be imported stays, in ERROR. Templates have no file: they are READY already.
    """
    try:
        if app.type is AppType.IMAGE:
            _hold_origin(tx, app)
        elif app.type is AppType.UNKNOWN:
            raise RequestError("Marketplace app type not supported.")
    except RequestError as error:
        set_error(app, error.message)
        app.save(tx)
        return error.message
    if app.type is AppType.IMAGE:
        _add_job(tx, app, market, "market.IMPORT")
    return ""


def _hold_origin(tx: Tx, app: MarketplaceApp) -> None:
    """Count the appliance as a copy of its image. Raises RequestError when the image cannot be copied."""
    image = Image.find(tx, app.origin_id)
    if image is None:
        raise RequestError(f"Image {app.origin_id} does not exist.")
    if Datastore.find(tx, image.datastore_id) is None:
        raise RequestError("Image datastore no longer exists.")
    image_copies.start(tx, app.origin_id, app.oid, app=True)


def release_origin(tx: Tx, app: MarketplaceApp) -> None:
    """Count an appliance that is under way as a copy of its image no more."""
    if app.type is AppType.IMAGE and app.state is AppState.LOCKED:
        image_copies.end(tx, app.origin_id, app.oid, app=True)


def set_error(app: MarketplaceApp, message: str) -> None:
    """Put an appliance in ERROR, with the reason where clients look for it (the caller stores it)."""
    app.state = AppState.ERROR
    app.template.set("ERROR", f"{time.strftime('%a %b %d %H:%M:%S %Y')} : {message}")


def remove(tx: Tx, app: MarketplaceApp, market: Marketplace) -> None:
    """Let the marketplace's driver remove an appliance; it is gone when that has ended.

    One of a template has nothing in the marketplace: it is gone at once.
    """
    if jobs.has(tx, app.KIND, app.oid, "market.DELETE"):
        return
    jobs.cancel(tx, app.KIND, app.oid)
    release_origin(tx, app)
    market.remove_app(app.oid)
    market.save(tx)
    if app.type is AppType.IMAGE:
        _add_job(tx, app, market, "market.DELETE")
    else:
        app.delete(tx)


def _add_job(tx: Tx, app: MarketplaceApp, market: Marketplace, operation: str) -> None:
    jobs.add(tx, kind=app.KIND, oid=app.oid, operation=operation, driver=market.market_mad, host="")
