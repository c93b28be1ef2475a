"""A steady mix of reads on a large zone: 30 requests a second, whatever the answers take (an open loop).

1,250 hosts and 20,000 VMs of a small template; host.info 30 %, hostpool.info 20 %, vm.info 30 %, vmpool.info
20 %, whole pools each time. A latency counts from the moment at which a request was due, so a slow server can
not hide it by falling behind. The engine and the scheduler rest: only the API is measured.
"""

from __future__ import annotations

import http.client
import multiprocessing
import random
import time
from typing import Any

from services.common import xmlrpc
from tests.bench.pools import fill, open_store
from tests.support.copies import copy_host
from tests.support.frontend import Frontend

_VMS, _HOSTS = 20_000, 1_250
_PER_S, _SECONDS = 30.0, 40.0
_WORKERS = 24
_SHARES = {"host.info": 30, "hostpool.info": 20, "vm.info": 30, "vmpool.info": 20}
_CHUNK = 1 << 18

Request = tuple[float, str, bytes]  # due after so many seconds, method, body
Answered = tuple[str, float, int, bool]  # method, seconds, bytes, whether it succeeded


def run(frontend: Frontend) -> dict[str, Any]:
    """Latencies in milliseconds by method."""
    client = frontend.client()
    host = client.call("host.allocate", "bench", "dummy", "dummy", 0)
    while "<STATE>2</STATE>" not in client.call("host.info", host):
        time.sleep(0.05)
    for program in ("opennebula-engine", "opennebula-scheduler"):
        frontend.kill(program)
    fill(frontend, _VMS, 0)
    store = open_store(frontend)
    copy_host(store, host, host + _HOSTS)
    store.close()
    answered = _send(frontend.port, _requests(frontend.session, host))
    result: dict[str, Any] = {"hosts": _HOSTS, "vms": _VMS, "requests_per_s": _PER_S, "seconds": _SECONDS}
    for method in _SHARES:
        mine = [one for one in answered if one[0] == method]
        taken = sorted(seconds for _, seconds, _, _ in mine)
        result[method] = {
            "requests": len(mine),
            "bytes": max(size for _, _, size, _ in mine),
            "mean_ms": round(1000 * sum(taken) / len(taken), 1),
            "p50_ms": round(1000 * taken[len(taken) // 2], 1),
            "p95_ms": round(1000 * taken[int(len(taken) * 0.95)], 1),
            "failures": sum(not good for _, _, _, good in mine),
        }
    return result


def _requests(session: str, first_host: int) -> list[Request]:
    """The same requests in each run."""
    dice = random.Random(6003)
    found: list[Request] = []
    for number in range(int(_PER_S * _SECONDS)):
        method = dice.choices([*_SHARES], [*_SHARES.values()])[0]
        arguments: dict[str, list[object]] = {
            "host.info": [first_host + dice.randrange(_HOSTS), False],
            "hostpool.info": [],
            "vm.info": [dice.randrange(1, _VMS), False],
            "vmpool.info": [-2, -1, -1, -1],
        }
        body = xmlrpc.dumps_request(f"one.{method}", [session, *arguments[method]])
        found.append((number / _PER_S, method, body))
    return found


def _send(port: int, requests: list[Request]) -> list[Answered]:
    out: multiprocessing.Queue[list[Answered]] = multiprocessing.Queue()
    turn = multiprocessing.Value("i", 0)
    began = time.perf_counter() + 0.5
    workers = [
        multiprocessing.Process(target=_worker, args=(port, requests, turn, began, out))
        for _ in range(_WORKERS)
    ]
    for worker in workers:
        worker.start()
    answered = [one for _ in workers for one in out.get()]
    for worker in workers:
        worker.join()
    return answered


def _worker(port: int, requests: list[Request], turn: Any, began: float, out: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    answered: list[Answered] = []
    while True:
        with turn.get_lock():
            number, turn.value = turn.value, turn.value + 1
        if number >= len(requests):
            break
        due_s, method, body = requests[number]
        due = began + due_s
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.request("POST", "/RPC2", body)
        reply = connection.getresponse()
        start, size = reply.read(_CHUNK), 0
        chunk = start
        while chunk:
            size += len(chunk)
            chunk = reply.read(_CHUNK)
        good = b"<boolean>1</boolean>" in start[:200]
        answered.append((method, time.perf_counter() - due, size, good))
    out.put(answered)
