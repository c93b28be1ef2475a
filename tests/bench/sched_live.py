"""The scheduler at work on a front-end with dummy drivers: VMs placed per second, and how soon it reacts.

All goes through the API and the event stream, so it measures a private front-end and one that runs already
alike. Hosts, cluster and VMs are its own, and are removed afterwards.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol
from urllib.parse import urlsplit

from services.common.oca import Client, OneError
from tests.bench.live import quantiles

_PROLOG, _RUNNING, _DONE, _MONITORED = "3/1", "3/3", "6/0", "2"
_DELETE_DB = 5
_CLOSED, _OPEN = 'BENCH="closed"', 'BENCH="open"'


class Target(Protocol):
    """A front-end to measure."""

    endpoint: str
    session: str

    def client(self) -> Client:
        """A client as oneadmin."""


class Events(threading.Thread):
    """Notes when events arrive: by object and id, the first time of each state."""

    def __init__(self, target: Target) -> None:
        super().__init__(name="events", daemon=True)
        parts = urlsplit(target.endpoint)
        self._address = (parts.hostname or "localhost", parts.port or 2633)
        self._head = {"Authorization": "Basic " + base64.b64encode(target.session.encode()).decode()}
        self._changed = threading.Condition()
        self._first: dict[tuple[str, int, str], float] = {}
        self._last = self._ask(http.client.HTTPConnection(*self._address, timeout=60), -1)["last"]
        self._is_stopping = False

    def run(self) -> None:
        """Listen until stopped."""
        connection = http.client.HTTPConnection(*self._address, timeout=60)
        while not self._is_stopping:
            answer = self._ask(connection, self._last)
            now_s = time.perf_counter()
            with self._changed:
                for event in answer["events"]:
                    payload = event["payload"]
                    state = str(payload["state"])
                    if event["object"] == "VM":
                        state += f"/{payload['lcm_state']}"
                    self._first.setdefault((event["object"], event["oid"], state), now_s)
                self._changed.notify_all()
            self._last = answer["last"]

    def stop(self) -> None:
        """End the thread."""
        self._is_stopping = True
        self.join(10)

    def when(self, kind: str, oid: int, state: str, timeout_s: float = 120.0) -> float:
        """When an object came to a state for the first time; waits for that. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: (kind, oid, state) in self._first, timeout_s):
                raise TimeoutError(f"{kind} {oid} did not come to state {state} within {timeout_s:g} s")
            return self._first[kind, oid, state]

    def forget(self, kind: str, oid: int) -> None:
        """Forget the states of an object, so that the next ones count as its first."""
        with self._changed:
            for key in [key for key in self._first if key[:2] == (kind, oid)]:
                del self._first[key]

    def _ask(self, connection: http.client.HTTPConnection, after: int) -> dict[str, Any]:
        connection.request("GET", f"/events?after={after}&wait_s=2&kind=STATE", headers=self._head)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer


class _Cloud:
    """Own hosts in an own cluster; VMs go only there, and only while the cluster is open."""

    def __init__(self, target: Target, events: Events, hosts: int) -> None:
        self._target = target
        self._local = threading.local()
        self.events = events
        self.cluster = int(self.call("cluster.allocate", "bench-sched"))
        for store_id in (0, 1):
            self.call("cluster.adddatastore", self.cluster, store_id)
        with ThreadPoolExecutor(4) as pool:
            names = [f"bench-{self.cluster}-{number}" for number in range(hosts)]
            self.hosts = list(
                pool.map(
                    lambda name: int(self.call("host.allocate", name, "dummy", "dummy", self.cluster)), names
                )
            )
        for host in self.hosts:
            events.when("HOST", host, _MONITORED, 120 + hosts)
        self.open()

    def call(self, method: str, *args: Any) -> Any:
        """A call from any thread, over a connection of its own."""
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._target.client()
        return client.call(method, *args)

    def open(self, is_open: bool = True) -> None:
        """Let VMs come, or not."""
        self.call("cluster.update", self.cluster, _OPEN if is_open else _CLOSED, 1)

    def create(self, count: int = 1, more: str = "", hold: bool = False, cpu: float = 0.1) -> list[int]:
        """VMs that wait."""
        text = (
            f'NAME="bench"\nCPU={cpu}\nMEMORY=64\n{more}\n'
            f'SCHED_REQUIREMENTS="CLUSTER_ID = {self.cluster} & BENCH = open"'
        )
        with ThreadPoolExecutor(min(8, count)) as pool:
            return list(pool.map(lambda _: int(self.call("vm.allocate", text, hold)), range(count)))

    def remove(self, vm_ids: list[int]) -> None:
        """Remove VMs, whatever their state."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda vm_id: self.call("vm.recover", vm_id, _DELETE_DB), vm_ids))

    def close(self) -> None:
        """Remove the hosts and the cluster."""
        for host in self.hosts:
            with contextlib.suppress(OneError):
                self.call("host.delete", host)
        for store_id in (0, 1):
            self.call("cluster.deldatastore", self.cluster, store_id)
        self.call("cluster.delete", self.cluster)


@contextlib.contextmanager
def _cloud(target: Target, hosts: int) -> Iterator[_Cloud]:
    events = Events(target)
    events.start()
    try:
        made = _Cloud(target, events, hosts)
        try:
            yield made
        finally:
            made.close()
    finally:
        events.stop()


def run(target: Target, hosts: int, vms: int, repeats: int = 20) -> dict[str, object]:
    """Dispatch rate with that many VMs that wait at once, then reaction times."""
    with _cloud(target, hosts) as cloud:
        return {"dispatch": _dispatch(cloud, vms), "reactions_ms": _reactions(cloud, repeats)}


def _dispatch(cloud: _Cloud, vms: int) -> dict[str, object]:
    """The VMs wait for their cluster to open, which is one call."""
    cloud.open(False)
    ids = cloud.create(vms)
    try:
        opened_s = time.perf_counter()
        cloud.open()
        placed = sorted(cloud.events.when("VM", vm_id, _PROLOG, 600) for vm_id in ids)
        running = max(cloud.events.when("VM", vm_id, _RUNNING, 600) for vm_id in ids)
    finally:
        cloud.remove(ids)
    took_s = placed[-1] - placed[0]
    return {
        "hosts": len(cloud.hosts),
        "vms": vms,
        "first_placed_ms": round(1000 * (placed[0] - opened_s), 1),
        "placed_per_s": round((vms - 1) / took_s, 1) if took_s else None,
        "all_placed_s": round(placed[-1] - opened_s, 2),
        "all_running_s": round(running - opened_s, 2),
    }


def _reactions(cloud: _Cloud, repeats: int) -> dict[str, dict[str, float]]:
    """From the call (for freed capacity and hosts: from the event) to the event that the VM has a host."""
    kinds: dict[str, Callable[[_Cloud], float]] = {
        "new_vm": _new_vm,
        "released_vm": _released_vm,
        "updated_vm": _updated_vm,
        "freed_capacity": _freed_capacity,
        "host_came_up": _host_came_up,
    }
    return {name: quantiles([measure(cloud) for _ in range(repeats)]) for name, measure in kinds.items()}


def _new_vm(cloud: _Cloud) -> float:
    began_s = time.perf_counter()
    ids = cloud.create()
    placed_s = cloud.events.when("VM", ids[0], _PROLOG)
    cloud.remove(ids)
    return placed_s - began_s


def _released_vm(cloud: _Cloud) -> float:
    ids = cloud.create(hold=True)
    began_s = time.perf_counter()
    cloud.call("vm.action", "release", ids[0])
    placed_s = cloud.events.when("VM", ids[0], _PROLOG)
    cloud.remove(ids)
    return placed_s - began_s


def _updated_vm(cloud: _Cloud) -> float:
    ids = cloud.create(more='USER_PRIORITY="1"')
    cloud.events.when("VM", ids[0], _PROLOG)
    cloud.remove(ids)
    ids = [
        int(cloud.call("vm.allocate", 'NAME="bench"\nCPU=0.1\nMEMORY=64\nSCHED_REQUIREMENTS="NO = 1"', False))
    ]
    time.sleep(0.2)  # the cycle that finds no place for it is not what is measured
    began_s = time.perf_counter()
    cloud.call("vm.update", ids[0], f'SCHED_REQUIREMENTS="CLUSTER_ID = {cloud.cluster}"', 1)
    placed_s = cloud.events.when("VM", ids[0], _PROLOG)
    cloud.remove(ids)
    return placed_s - began_s


def _one_host(cloud: _Cloud) -> str:
    return f'SCHED_REQUIREMENTS="ID = {cloud.hosts[0]}"'


def _freed_capacity(cloud: _Cloud) -> float:
    """The second VM does not fit on its host beside the first."""
    host = cloud.call("host.info", cloud.hosts[0])
    cpu = int(host.partition("<MAX_CPU>")[2].partition("<")[0]) / 100 * 0.6
    text = f'NAME="bench"\nCPU={cpu}\nMEMORY=64\n{_one_host(cloud)}'
    first = int(cloud.call("vm.allocate", text, False))
    cloud.events.when("VM", first, _RUNNING)
    second = int(cloud.call("vm.allocate", text, False))
    time.sleep(0.2)
    cloud.call("vm.action", "terminate-hard", first)
    freed_s = cloud.events.when("VM", first, _DONE)
    placed_s = cloud.events.when("VM", second, _PROLOG)
    cloud.remove([second])
    return placed_s - freed_s


def _host_came_up(cloud: _Cloud) -> float:
    host = cloud.hosts[0]
    cloud.call("host.status", host, 1)
    vm_id = int(cloud.call("vm.allocate", f'NAME="bench"\nCPU=0.1\nMEMORY=64\n{_one_host(cloud)}', False))
    time.sleep(0.2)
    cloud.events.forget("HOST", host)
    cloud.call("host.status", host, 0)
    up_s = cloud.events.when("HOST", host, _MONITORED)
    placed_s = cloud.events.when("VM", vm_id, _PROLOG)
    cloud.remove([vm_id])
    return placed_s - up_s
