"""A front-end with many dummy hosts whose VMs are followed: what arrives when, and when it runs.

A benchmark makes a ``Live`` of a started front-end, lets VMs come (``create``), and asks ``times`` when each
of them came to which condition. Times are seconds of ``time.perf_counter()``.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any

from services.common.oca import Client
from services.oned.lifecycle.states import state_name
from services.oned.store import DatabaseError, Tx
from tests.bench.pools import open_store
from tests.support.frontend import Frontend

_LOOK_S = 0.02
_UNDONE_S = 30.0


class Times(threading.Thread):
    """Notes when each VM came to each condition, to 20 ms; reads the event log beside the programs."""

    def __init__(self, frontend: Frontend) -> None:
        super().__init__(name="times", daemon=True)
        self._store = open_store(frontend)
        self._stopping = threading.Event()
        self._first: dict[int, dict[str, float]] = {}
        self._now: dict[int, str] = {}

    def run(self) -> None:
        """Look until stopped."""
        newest = 0
        missing: dict[int, float] = {}  # ids that were passed over, and since when: not committed yet
        while not self._stopping.wait(_LOOK_S):
            try:
                rows = self._store.read_value(partial(_events, after=newest, missing=list(missing)))
            except DatabaseError:
                continue  # busy, or killed by the benchmark; the next look finds it
            now_s = time.perf_counter()
            for event_id, kind, vm_id, text in rows:
                missing.pop(event_id, None)
                missing.update(dict.fromkeys(range(newest + 1, event_id), now_s))
                newest = max(newest, event_id)
                payload = json.loads(text)
                if kind == "VM" and "lcm_state" in payload:
                    condition = state_name(payload["state"], payload["lcm_state"])
                    self._first.setdefault(vm_id, {}).setdefault(condition, now_s)
                    self._now[vm_id] = condition
            # What is missing for so long was undone.
            missing = {event_id: at_s for event_id, at_s in missing.items() if at_s > now_s - _UNDONE_S}
        self._store.close()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self.join()

    def first(self, vm_id: int, condition: str) -> float | None:
        """When a VM first came to a condition (``RUNNING``, ``PROLOG`` …); None when it has not yet."""
        return self._first.get(vm_id, {}).get(condition)

    def conditions(self) -> Counter[str]:
        """How many VMs are in each condition at the moment."""
        return Counter(self._now.copy().values())


def _events(tx: Tx, after: int, missing: list[int]) -> list[tuple[int, str, int, str]]:
    late = f" OR id IN ({','.join(map(str, missing))})" if missing else ""
    rows = tx.all(f"SELECT id, object, oid, payload FROM onebox_event WHERE id > ?{late} ORDER BY id", after)
    return [(int(row[0]), row[1], int(row[2]), row[3]) for row in rows]


class Live:
    """A started front-end with so many monitored dummy hosts; a context manager, which leaves it running.

    host_template: attributes of the host with that number (``RACK=3``), '' for none.
    """

    def __init__(
        self, frontend: Frontend, hosts: int, host_template: Callable[[int], str] = lambda number: ""
    ) -> None:
        self.frontend = frontend
        self.times = Times(frontend)
        self._clients = threading.local()
        self.hosts = self._add_hosts(hosts, host_template)

    def __enter__(self) -> Live:
        self.times.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.times.stop()

    def call(self, method: str, *args: Any) -> Any:
        """A call as oneadmin, from any thread over a connection of its own."""
        client: Client | None = getattr(self._clients, "client", None)
        if client is None:
            client = self._clients.client = self.frontend.client()
        return client.call(method, *args)

    def create(self, templates: Sequence[str], *, hold: bool = False, connections: int = 8) -> list[int]:
        """Allocate a VM of each template, over so many connections at once; their ids in that order."""
        with ThreadPoolExecutor(connections) as pool:
            return list(pool.map(lambda text: int(self.call("vm.allocate", text, hold)), templates))

    def wait(self, vm_ids: Sequence[int], condition: str, timeout_s: float = 600.0) -> None:
        """Return once each VM has been in the condition. Raises TimeoutError, which says where VMs are."""
        deadline = time.perf_counter() + timeout_s
        missing = list(vm_ids)
        while missing := [vm_id for vm_id in missing if self.times.first(vm_id, condition) is None]:
            if time.perf_counter() > deadline:
                where = dict(self.times.conditions())
                raise TimeoutError(f"{len(missing)} VMs were not {condition} within {timeout_s:g} s: {where}")
            time.sleep(2 * _LOOK_S)

    def _add_hosts(self, count: int, host_template: Callable[[int], str]) -> list[int]:
        def add(number: int) -> int:
            host = int(self.call("host.allocate", f"live-{number}", "dummy", "dummy", 0))
            if text := host_template(number):
                self.call("host.update", host, text, 1)
            return host

        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(add, range(count)))
        deadline = time.perf_counter() + 120 + count
        while self.call("hostpool.info").count("<STATE>2</STATE>") < count:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"not all of {count} hosts were monitored")
            time.sleep(0.2)
        return made


def quantiles(values: Sequence[float], *, unit: float = 1000.0) -> dict[str, float]:
    """p50, p95, p99 and the largest of some times, in milliseconds unless ``unit`` says otherwise."""
    ordered = sorted(values)
    if not ordered:
        return {}
    ranks = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
    last = len(ordered) - 1
    return {
        name: round(unit * ordered[min(last, int(share * len(ordered)))], 1) for name, share in ranks.items()
    }
