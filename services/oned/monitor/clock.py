"""What time brings: agents of silent hosts are started again, old samples go.

Source: timer rules of the monitoring daemon of release 6.0 (MANAGER_TIMER, MONITORING_INTERVAL_HOST,
expiration times).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from services.oned.model.host import Host, HostState
from services.oned.monitor import agents
from services.oned.monitor.conf import MonitorConf
from services.oned.monitor.host import zero_sample
from services.oned.monitor.lease import LEASE
from services.oned.store import Store, Tx, leases, monitoring

_MARK_S = 600.0
# A lost host that is heard again says all there is to know when its agent is started anew.
_AGAIN_S = 60.0
# Old samples are removed of so many objects in one transaction, and in so many transactions each time: of
# a thousand VMs every 15 s, so that neither the removal nor those who wait for it take long.
_OBJECTS, _PARTS = 250, 4
_log = logging.getLogger("MON")


@dataclass(slots=True)
class _Watch:
    """One host: when it was heard last, and when its agent was last asked for. Of a monotonic clock."""

    heard_s: float
    started_s: float = float("-inf")
    state: int = HostState.INIT
    is_heard_anew: bool = False
    is_unheard: bool = False  # its agent was started again, and nothing has come since


class Clock:
    """The due times of one monitor program. Runs in its database thread; times are of a monotonic clock."""

    def __init__(self, store: Store, conf: MonitorConf, token: int) -> None:
        self._store = store
        self._conf = conf
        self._token = token
        self._hosts: dict[int, _Watch] = {}
        self._mark_at_s = 0.0
        self._sweeps = [
            _Sweep("HOST", conf.host_expiration_s),
            _Sweep("VM", conf.vm_expiration_s),
        ]

    def heard(self, hosts: Iterable[int], now_s: float) -> None:
        """These hosts have sent something."""
        for oid in hosts:
            watch = self._hosts.get(oid)
            if watch is not None:
                watch.heard_s = now_s
                watch.is_unheard = False
                watch.is_heard_anew = watch.state == HostState.ERROR

    def look(self, now_s: float) -> list[int]:
        """Read the list of hosts; those that may send messages. Raises DatabaseError."""
        states = self._store.read_value(monitoring.host_states)
        for oid in set(self._hosts) - set(states):
            del self._hosts[oid]
        for oid, state in states.items():
            watch = self._hosts.get(oid)
            if watch is None:
                # A new program knows nothing of the past: each host has an interval to be heard.
                watch = self._hosts[oid] = _Watch(now_s)
            if state != watch.state:
                watch.is_heard_anew = False
            watch.state = state
        return [oid for oid, state in states.items() if state != HostState.OFFLINE]

    def run(self, now_s: float, summary: str = "") -> int:
        """Do what is due; the number of agents to be started. Raises LeaseLost, DatabaseError."""
        if now_s >= self._mark_at_s:
            self._mark_at_s = now_s + _MARK_S
            _log.info("--Mark-- %s", summary)
        due = [oid for oid, watch in self._hosts.items() if self._is_due(watch, now_s)]
        started = self._store.run(lambda tx: self._start(tx, due)) if due else 0
        for oid in due:
            self._hosts[oid].started_s = self._hosts[oid].heard_s = now_s
            self._hosts[oid].is_unheard = True
        for sweep in self._sweeps:
            for _ in range(_PARTS):
                if not self._store.run(partial(self._expire, sweep)):
                    break
        return started

    def _is_due(self, watch: _Watch, now_s: float) -> bool:
        if watch.state == HostState.ERROR and watch.is_heard_anew:
            return now_s >= watch.started_s + min(_AGAIN_S, self._conf.silence_s)
        return now_s >= watch.heard_s + self._conf.silence_s

    def _start(self, tx: Tx, due: list[int]) -> int:
        leases.require(tx, LEASE, self._token)
        started = 0
        for oid, (state, body) in sorted(monitoring.hosts(tx, due).items()):
            host = Host.from_xml(body)
            if agents.is_polled(host):
                continue
            if state == HostState.OFFLINE:
                if self._conf.host_expiration_s:
                    zero_sample(tx, oid)
            elif agents.start(tx, host):
                started += 1
                self._tell(oid, state)
        return started

    def _tell(self, oid: int, state: int) -> None:
        if self._hosts[oid].is_unheard and state == HostState.MONITORED:
            # The start before went well: that is over ssh.
            _log.warning(
                "host %d: its agent can be started, but nothing that it sends arrives at port %d, "
                "UDP and TCP: see firewalls, and MONITOR_ADDRESS of monitord.conf",
                oid,
                self._conf.port,
            )
        else:
            _log.info("host %d: not heard of, its agent is started again", oid)

    def _expire(self, sweep: _Sweep, tx: Tx) -> bool:
        leases.require(tx, LEASE, self._token)
        return sweep.run(tx)


class _Sweep:
    """Goes round all objects of a kind and removes their old samples, some at each call."""

    def __init__(self, kind: str, expiration_s: int) -> None:
        self.kind = kind
        self._expiration_s = expiration_s
        self._after = -1

    def run(self, tx: Tx) -> bool:
        """Look at the next objects; True when there may be more of this round."""
        if not self._expiration_s:
            return False
        before_s = int(time.time()) - self._expiration_s
        after, _ = monitoring.expire_some(tx, self.kind, self._after, _OBJECTS, before_s)
        tx.after_commit(lambda: self._go_on(after))
        return after is not None

    def _go_on(self, after: int | None) -> None:
        self._after = -1 if after is None else after
