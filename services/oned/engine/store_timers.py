"""Asking datastores and marketplaces for their sizes, all of them every so often.

Source: MONITORING_INTERVAL_DATASTORE, MONITORING_INTERVAL_MARKET and DS_MONITOR_VM_DISK of the oned.conf
reference of release 6.0.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from services.common import paths
from services.common.config import integer
from services.oned.config import OnedConf
from services.oned.engine.cycle import LEASE
from services.oned.lifecycle import datastore_monitor
from services.oned.model.datastore import Datastore
from services.oned.model.marketplace import MONITOR, Marketplace
from services.oned.store import Store, Tx, jobs, leases, pools

_log = logging.getLogger("MKP")


class StoreTimers:
    """The due times of one engine, of a monotonic clock. Datastores are due at once."""

    def __init__(self, store: Store, conf: OnedConf, token: int) -> None:
        self._store = store
        self._conf = conf
        self._token = token
        self._datastores_at = self._markets_at = 0.0
        # VMs' disks are looked at in every n-th round only (0: never); what is left to wait, by datastore.
        self._vm_disk_rounds = integer(conf.settings, "DS_MONITOR_VM_DISK", 10, 0, 10**6)
        self._rounds_left: Counter[int] = Counter()
        self._driverless: set[int] = set()  # the marketplaces that the log says so of

    def run(self, now_s: float) -> int:
        """Add what is due at ``now_s``; the number of jobs added. Raises LeaseLost, DatabaseError."""
        added = 0
        if now_s >= self._datastores_at:
            self._datastores_at = now_s + self._conf.monitoring_interval_datastore_s
            added += self._each(Datastore.TABLE, self._ask_datastore)
        if now_s >= self._markets_at:
            self._markets_at = now_s + self._conf.monitoring_interval_market_s
            added += self._ask_markets()
        return added

    def _each(self, table: str, ask: Callable[[Tx, int], bool]) -> int:
        def add(tx: Tx) -> int:
            leases.require(tx, LEASE, self._token)
            return sum([ask(tx, oid) for oid in pools.ids(tx, table)])

        return self._store.run(add)

    def _ask_datastore(self, tx: Tx, oid: int) -> bool:
        vm_disks = None
        if self._vm_disk_rounds:
            self._rounds_left[oid] -= 1
            vm_disks = self._rounds_left[oid] <= 0
            if vm_disks:
                self._rounds_left[oid] = self._vm_disk_rounds
        return datastore_monitor.soon(tx, oid, vm_disks=vm_disks)

    def _ask_markets(self) -> int:
        """Ask those that have a driver. Of the others the log speaks once, until there are others."""
        driverless: dict[int, str] = {}
        added = self._each(Marketplace.TABLE, lambda tx, oid: self._ask_market(tx, oid, driverless))
        if driverless.keys() - self._driverless:
            _log.warning(
                "marketplaces %s are not monitored: there is no driver %s in %s",
                ", ".join(map(str, sorted(driverless))),
                ", ".join(sorted(set(driverless.values()))),
                paths.remotes() / "market",
            )
        self._driverless = set(driverless)
        return added

    def _ask_market(self, tx: Tx, oid: int, driverless: dict[int, str]) -> bool:
        body = pools.body(tx, Marketplace.TABLE, oid)
        if body is None:
            return False
        market = Marketplace.from_xml(body)
        is_ours = market.zone_id == self._conf.zone_id
        if not is_ours or not market.can(self._conf, MONITOR) or jobs.has(tx, market.KIND, oid):
            return False
        # Drivers can be added to a front-end, so this is looked at in every round.
        if not (paths.remotes() / "market" / market.market_mad / "monitor").exists():
            driverless[oid] = market.market_mad
            return False
        jobs.add(tx, kind=market.KIND, oid=oid, operation="market.MONITOR", driver=market.market_mad, host="")
        return True
