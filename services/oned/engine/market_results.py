"""What the end of a marketplace driver's work changes: appliances, and what a marketplace reports.

Source: marketplace driver contract of release 6.0.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections import Counter

from services.common.template import Template, TemplateError, TemplateValueError
from services.oned.drivers.execute import Result
from services.oned.errors import RequestError
from services.oned.lifecycle import app_import, image_copies
from services.oned.model import acl
from services.oned.model.base import Permissions, check_name
from services.oned.model.marketplace import Marketplace
from services.oned.model.marketplaceapp import AppState, AppType, MarketplaceApp
from services.oned.store import Tx, jobs, pools
from services.oned.store.jobs import Job

_log = logging.getLogger("MKP")
# How often an appliance may be missing in a marketplace's list before it goes. The counts are in memory:
# after a restart an appliance stays a little longer, nothing else.
_MISSING_MAX = 3
_missing: Counter[int] = Counter()
_IMPORTED_BITS = Permissions.from_umask(0o777, 0o133)


# -- appliances --------------------------------------------------------------------------------------------
def apply_app(tx: Tx, result: Result) -> None:
    """Apply the result of a job of kind MARKETPLACEAPP; dropped when the appliance is gone."""
    app = MarketplaceApp.find(tx, result.job.oid)
    if app is None:
        _log.warning("marketplaceapp %d is gone, dropping the result of %s", result.job.oid, result.job)
    elif result.job.operation == "market.IMPORT":
        _imported(tx, app, result)
    else:
        _deleted(tx, app, result)


def give_up(tx: Tx, app_id: int, zone_id: int) -> bool:
    """End what an appliance of this zone waits for if no driver works on it; whether anything was done."""
    app = MarketplaceApp.find(tx, app_id)
    if app is None or app.state is not AppState.LOCKED or app.zone_id not in (-1, zone_id):
        return False
    if jobs.operations(tx, MarketplaceApp.KIND, app_id):
        return False
    lost = Job(0, MarketplaceApp.KIND, app_id, "market.IMPORT", "", "", {}, 1, None, 0)
    _imported(tx, app, Result(lost, False, "no driver works on it any more"))
    return True


def _imported(tx: Tx, app: MarketplaceApp, result: Result) -> None:
    """IMPORT: the driver printed SOURCE, MD5, SIZE and FORMAT of the appliance's file."""
    if app.type is AppType.IMAGE:
        image_copies.end(tx, app.origin_id, app.oid, app=True)
    problem = result.message if not result.ok else _take_file(app, result.output)
    if problem:
        text = f"Error importing app into marketplace: {problem}"
        app_import.set_error(app, text)
        _log.error("marketplaceapp %d: %s", app.oid, text)
    else:
        app.state = AppState.READY
    app.save(tx)


def _take_file(app: MarketplaceApp, output: str) -> str:
    """Note where the driver has put the appliance; what is wrong with its answer, or an empty text."""
    try:
        answer = Template.parse(output)
        size = answer.get_int("SIZE")
    except (TemplateError, TemplateValueError) as error:
        return str(error)
    texts = [answer.get(name) or "" for name in ("SOURCE", "MD5", "FORMAT")]
    if not all(texts) or size is None:
        return "Missing app attributes: expected SOURCE, MD5, SIZE and FORMAT."
    app.source, app.md5, app.format = texts
    app.size_mb = size
    return ""


def _deleted(tx: Tx, app: MarketplaceApp, result: Result) -> None:
    """DELETE: the appliance is gone, even when the driver could not remove its file."""
    if not result.ok:
        _log.error(
            "Error removing app from marketplace: %s. Remove app manually, source is: %s",
            result.message,
            app.source,
        )
    app.delete(tx)


# -- marketplaces ------------------------------------------------------------------------------------------
def apply_market(tx: Tx, result: Result) -> None:
    """Take a marketplace's report over: its sizes, and where it lists appliances those."""
    oid = result.job.oid
    if not result.ok:
        _log.error("Error monitoring marketplace %d: %s", oid, result.message)
        return
    try:
        report = Template.parse(result.output)
        sizes = [int(report.get_float(name, 0) or 0) for name in ("TOTAL_MB", "FREE_MB", "USED_MB")]
    except (TemplateError, TemplateValueError) as error:
        _log.error("Error parsing marketplace information of marketplace %d: %s", oid, error)
        return
    market = Marketplace.find(tx, oid)
    if market is None:
        return
    market.total_mb, market.free_mb, market.used_mb = sizes
    listed = [text for text in report.get_all("APP") if isinstance(text, str)]
    if listed:
        _take_list(tx, market, listed)
    market.save(tx)


def _take_list(tx: Tx, market: Marketplace, listed: list[str]) -> None:
    """Add and update the appliances that a marketplace offers; those that it offers no more go in the end."""
    seen: set[int] = set()
    for encoded in listed:
        try:
            described = Template.parse(base64.b64decode(encoded).decode())
            seen.add(_take_listed(tx, market, described))
        except (binascii.Error, UnicodeDecodeError, TemplateError, TemplateValueError, RequestError) as error:
            _log.error("marketplace %d: an app of its list cannot be used: %s", market.oid, error)
    for oid in seen:
        _missing.pop(oid, None)
    for oid in [app_id for app_id in market.apps if app_id not in seen]:
        _missing[oid] += 1
        if _missing[oid] >= _MISSING_MAX:
            del _missing[oid]
            _forget(tx, market, oid)


def _forget(tx: Tx, market: Marketplace, app_id: int) -> None:
    app = MarketplaceApp.find(tx, app_id)
    if app is not None:
        app.delete(tx)
        acl.delete_for_object(tx, MarketplaceApp, app_id)
    market.remove_app(app_id)


def _take_listed(tx: Tx, market: Marketplace, described: Template) -> int:
    """Store one appliance of a list, or what changed of it; its id."""
    app = MarketplaceApp(-1, "")
    app.settle_imported(described)
    known_id = pools.find(tx, MarketplaceApp.TABLE, app.name, 0)
    if known_id is not None:
        known = MarketplaceApp.load(tx, known_id)
        if (known.version, known.md5, known.source) != (app.version, app.md5, app.source):
            known.settle_imported(described)
            known.save(tx)
        return known_id
    check_name(app.name)
    app.uname = app.gname = "oneadmin"
    app.permissions = _IMPORTED_BITS
    app.zone_id, app.market_id, app.market = market.zone_id, market.oid, market.name
    app_id = app.insert(tx)
    market.add_app(app_id)
    return app_id
