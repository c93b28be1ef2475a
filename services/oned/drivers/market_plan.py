"""Steps of the operations on marketplaces and appliances.

The action gets MARKET_DRIVER_ACTION_DATA in base64 and the id of the appliance (of the marketplace for
monitor). Importing an image is two steps: the datastore's driver says how its file is read (IMPORT_INFO),
the marketplace's takes it. Source: marketplace driver contract of release 6.0.
"""

from __future__ import annotations

import base64

from services.common import xmldoc
from services.oned.drivers import ds_plan
from services.oned.drivers.step import Argument, FromOutput, PlanError, Step
from services.oned.drivers.table import Drivers
from services.oned.model.datastore import Datastore
from services.oned.model.image import Image
from services.oned.model.marketplace import Marketplace
from services.oned.model.marketplaceapp import AppType, MarketplaceApp
from services.oned.store import Tx, pools
from services.oned.store.jobs import Job

_ROOT = "MARKET_DRIVER_ACTION_DATA"
_ALWAYS_THERE = "dummy"
_IMPORT_INFO = ("IMPORT_SOURCE", "MD5", "SIZE", "FORMAT", "DISPOSE", "DISPOSE_CMD")


def _message(*documents: str) -> str:
    return base64.b64encode(f"<{_ROOT}>{''.join(documents)}</{_ROOT}>".encode()).decode()


def _step(drivers: Drivers, market: Marketplace, action: str, argument: Argument, oid: int) -> Step:
    listed = drivers.market_options.types
    if listed and market.market_mad not in (*listed, _ALWAYS_THERE):
        raise PlanError(f"Marketplace driver '{market.market_mad}' not available")
    timeout_s = drivers.timeout_s("market", action, drivers.market_options)
    return Step("market", market.market_mad, action, (argument, str(oid)), timeout_s, gives_output=True)


def steps(tx: Tx, job: Job, drivers: Drivers) -> list[Step]:
    """The steps of a ``market.`` job. Raises PlanError."""
    if job.operation == "market.MONITOR":
        market = _market(tx, job.oid)
        return [_step(drivers, market, "monitor", _message(market.to_xml()), market.oid)]
    body = pools.body(tx, MarketplaceApp.TABLE, job.oid)
    if body is None:
        raise PlanError(f"marketplaceapp {job.oid} does not exist")
    app = MarketplaceApp.from_xml(body)
    market = _market(tx, app.market_id)
    if job.operation == "market.DELETE":
        return [_step(drivers, market, "delete", _message(body, market.to_xml()), app.oid)]
    if job.operation == "market.IMPORT":
        return _import(tx, drivers, market, app)
    raise PlanError(f"there is no operation {job.operation}")


def _market(tx: Tx, oid: int) -> Marketplace:
    body = pools.body(tx, Marketplace.TABLE, oid)
    if body is None:
        raise PlanError(f"marketplace {oid} does not exist")
    return Marketplace.from_xml(body)


def _import(tx: Tx, drivers: Drivers, market: Marketplace, app: MarketplaceApp) -> list[Step]:
    if app.type is not AppType.IMAGE:
        raise PlanError(f"Type {app.type.name} not supported")
    image = pools.body(tx, Image.TABLE, app.origin_id)
    if image is None:
        raise PlanError(f"image {app.origin_id} does not exist")
    found = pools.body(tx, Datastore.TABLE, Image.from_xml(image).datastore_id)
    if found is None:
        raise PlanError(f"the datastore of image {app.origin_id} does not exist")
    store = Datastore.from_xml(found)
    export = ds_plan.step(drivers, store, "export", ds_plan.message(store, image), app.oid)
    store.images = []
    documents = (app.to_xml(), market.to_xml(), image, store.to_xml())
    taken = FromOutput(lambda output: _message(*documents, _import_info(output)))
    return [export, _step(drivers, market, "import", taken, app.oid)]


def _import_info(output: str) -> str:
    """What the datastore's driver says of the file, as elements for the marketplace's. Raises PlanError."""
    try:
        info = xmldoc.parse(output, "IMPORT_INFO")
    except xmldoc.XmlError as error:
        raise PlanError(f"the datastore driver's export cannot be read: {error}") from None
    return "".join(f"<{name}>{xmldoc.escape(info.findtext(name) or '')}</{name}>" for name in _IMPORT_INFO)
