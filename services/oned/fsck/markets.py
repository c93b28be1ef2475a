"""The marketplaces' lists of appliances against the appliances, and driver work on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.model.marketplace import Marketplace
from services.oned.model.marketplaceapp import AppState, AppType, MarketplaceApp
from services.oned.store import Tx


def check(zone: Zone) -> Iterator[Finding]:
    """Every appliance is listed, unless a driver removes it; one that is LOCKED has driver work."""
    working = zone.working(MarketplaceApp.KIND)
    names = {market.oid: market.name for market in zone.marketplaces}
    offered: dict[int, set[int]] = defaultdict(set)
    for app in zone.marketplaceapps:
        offered[app.market_id].add(app.oid)
        # In a federation the zone that an appliance is of looks after it.
        is_ours = zone.is_ours and app.zone_id in (-1, zone.zone_id)
        is_waiting = app.type is AppType.IMAGE and app.state is AppState.LOCKED
        if is_ours and is_waiting and app.oid not in working:
            fix = partial(_fail, oid=app.oid)
            yield Finding(f"marketplaceapp {app.oid}: is LOCKED, but no driver works on it", fix)
        name = names.get(app.market_id, app.market)
        if app.market != name:
            text = (
                f"marketplaceapp {app.oid}: MARKETPLACE is {app.market!r}, the marketplace's name is {name!r}"
            )
            yield Finding(text, partial(_name, oid=app.oid, name=name))
    for market in zone.marketplaces:
        theirs = offered.pop(market.oid, set())
        if not theirs - working <= set(market.apps) <= theirs:
            text = (
                f"marketplace {market.oid}: MARKETPLACEAPPS are {sorted(market.apps)}, "
                f"the appliances say {sorted(theirs)}"
            )
            yield Finding(text, partial(_list, oid=market.oid, apps=sorted(theirs)))
    for oid, ids in offered.items():
        yield Finding(f"marketplace {oid} does not exist, but appliances {sorted(ids)} are in it")


def _fail(tx: Tx, oid: int) -> None:
    """What nobody works on has failed; its user may delete it."""
    app = MarketplaceApp.load(tx, oid)
    app.state = AppState.ERROR
    app.save(tx)


def _name(tx: Tx, oid: int, name: str) -> None:
    app = MarketplaceApp.load(tx, oid)
    app.market = name
    app.save(tx)


def _list(tx: Tx, oid: int, apps: list[int]) -> None:
    market = Marketplace.load(tx, oid)
    market.apps = apps
    market.save(tx)
