"""Work that time brings: asking polled hosts, datastores and marketplaces, forgetting old events."""

from __future__ import annotations

import logging
import time

from services.oned.config import OnedConf
from services.oned.drivers.table import POLLED_IM_DRIVERS
from services.oned.engine.cycle import LEASE
from services.oned.engine.deadlines import Deadlines
from services.oned.engine.due_actions import DueActions
from services.oned.engine.slow import Slow
from services.oned.engine.store_timers import StoreTimers
from services.oned.engine.stuck import Stuck
from services.oned.model.host import Host, HostState
from services.oned.store import Store, Tx, events, jobs, leases, pools

_LOOK_S = 5.0  # how often the list of hosts is read
_EXPIRE_S = 600.0
_log = logging.getLogger("ENG")


class Timers:
    """The due times of one engine. Runs in its database thread; times are of a monotonic clock."""

    def __init__(self, store: Store, conf: OnedConf, token: int) -> None:
        self._store = store
        self._interval_s = conf.monitoring_interval_host_s
        self._retention_s = conf.event_retention_h * 3600
        self._token = token
        self._look_at = 0.0
        self._expire_at = 0.0
        self._hosts: dict[int, float] | None = None
        self._stores = StoreTimers(store, conf, token)
        self._deadlines = Deadlines(store, token)
        self._actions = DueActions(store, conf, token)
        self._stuck = Stuck(store, conf, token)
        self._slow = Slow(store)

    def run(self, now_s: float) -> int:
        """Do what is due at ``now_s``; the number of jobs added. Raises LeaseLost, DatabaseError."""
        added = 0
        if now_s >= self._look_at:
            self._look_at = now_s + min(_LOOK_S, self._interval_s)
            due = self._due_hosts(now_s)
            if due:
                added = self._store.run(lambda tx: self._add_monitoring(tx, due))
        added += self._stores.run(now_s)
        self._deadlines.run(now_s)
        self._stuck.run(now_s)
        self._slow.run(now_s)
        self._actions.run(now_s)
        if now_s >= self._expire_at:
            self._expire_at = now_s + _EXPIRE_S
            self._store.run(self._expire)
        return added

    def _due_hosts(self, now_s: float) -> list[int]:
        known = self._store.read_value(lambda tx: pools.ids(tx, Host.TABLE))
        if self._hosts is None:
            # A new engine: spread over an interval, so that a thousand hosts do not come at once.
            self._hosts = {
                oid: now_s + self._interval_s * (place / len(known)) for place, oid in enumerate(known)
            }
        else:
            # A new host: the call that made it has added its first job.
            self._hosts = {oid: self._hosts.get(oid, now_s + self._interval_s) for oid in known}
        due = [oid for oid, at_s in self._hosts.items() if at_s <= now_s]
        for oid in due:
            self._hosts[oid] = now_s + self._interval_s
        return due

    def _add_monitoring(self, tx: Tx, due: list[int]) -> int:
        leases.require(tx, LEASE, self._token)
        added = 0
        for oid in due:
            body = pools.body(tx, Host.TABLE, oid)
            host = Host.from_xml(body) if body else None
            if host is None or host.state is HostState.OFFLINE or host.im_mad not in POLLED_IM_DRIVERS:
                continue
            if not jobs.has(tx, "HOST", oid, "im.MONITOR"):
                jobs.add(tx, kind="HOST", oid=oid, operation="im.MONITOR", driver=host.im_mad, host=host.name)
                added += 1
        return added

    def _expire(self, tx: Tx) -> None:
        leases.require(tx, LEASE, self._token)
        gone = events.expire(tx, int(time.time()) - self._retention_s)
        if gone:
            tx.after_commit(lambda: _log.info("%d old events removed", gone))
