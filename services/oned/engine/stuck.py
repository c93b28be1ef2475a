"""Objects that wait for work that nobody does: each gets its way out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from services.oned.config import OnedConf
from services.oned.engine import image_results, market_results
from services.oned.engine.cycle import LEASE
from services.oned.lifecycle import stuck
from services.oned.model.image import Image, ImageState
from services.oned.model.marketplaceapp import AppState, MarketplaceApp
from services.oned.store import DatabaseError, Store, Tx, leases
from services.oned.store import stuck as rows
from services.oned.store.leases import LeaseLost

_LOOK_S = 60.0
_IMAGE_STATES = (
    *(ImageState.LOCKED, ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS),
    *(ImageState.CLONE, ImageState.DELETE),
)
_log = logging.getLogger("ENG")
_Way = tuple[Callable[[Tx], list[int]], Callable[[Tx, int], bool]]


class Stuck:
    """Looks for them every so often. Runs in the engine's database thread."""

    def __init__(self, store: Store, conf: OnedConf, token: int) -> None:
        self._store = store
        self._token = token
        self._look_at = 0.0
        # Images before the VMs that wait for them.
        self._ways: tuple[_Way, ...] = (
            (
                lambda tx: rows.in_states(tx, Image.TABLE, Image.KIND, _IMAGE_STATES),
                image_results.give_up,
            ),
            (
                lambda tx: rows.in_states(tx, MarketplaceApp.TABLE, MarketplaceApp.KIND, (AppState.LOCKED,)),
                partial(market_results.give_up, zone_id=conf.zone_id),
            ),
            (lambda tx: rows.vms(tx, stuck.RESTING), stuck.end),
        )

    def run(self, now_s: float) -> int:
        """Let out what is stuck; how many objects. Raises LeaseLost, DatabaseError."""
        if now_s < self._look_at:
            return 0
        self._look_at = now_s + _LOOK_S
        return sum(
            self._let_out(oid, end) for find, end in self._ways for oid in self._store.read_value(find)
        )

    def _let_out(self, oid: int, end: Callable[[Tx, int], bool]) -> bool:
        def one(tx: Tx) -> bool:
            leases.require(tx, LEASE, self._token)
            return end(tx, oid)

        try:
            return self._store.run(one)
        except (DatabaseError, LeaseLost):
            raise
        except Exception:  # noqa: BLE001 - one object must not hold up the others
            _log.exception("object %d is stuck, and cannot be let out", oid)
            return False
