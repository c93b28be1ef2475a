"""How long commands take and what they hold: ``onevm list`` on an empty pool, and on twenty thousand VMs.

Each run is a process of its own, as a user starts it; figures are medians. ``before_request_ms`` is the time
from the start until the request arrives, at a listener in the front-end's place.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import threading
import time
from typing import Any

from tests.bench import pools
from tests.support.frontend import ROOT, Frontend

_ONEVM = str(ROOT / "bin" / "onevm")
_RUNS, _LARGE_RUNS = 15, 5
_VMS, _BODY_BYTES = 20_000, 7_000


def run(frontend: Frontend) -> dict[str, Any]:
    """Figures of the command line; leaves 20,000 VMs in the front-end's database."""
    empty = {**_timed(frontend, _RUNS), "before_request_ms": _before_request_ms(frontend)}
    others = {
        " ".join(words): _timed(frontend, _RUNS, *words)["wall_ms"]
        for words in (("--help",), ("show", "0"), ("__complete", "disk-"))
    }
    pools.fill(frontend, _VMS, _BODY_BYTES)
    large = {
        " ".join(words): _timed(frontend, _LARGE_RUNS, *words)
        for words in (("list",), ("list", "--csv"), ("list", "--json"), ("list", "-f", "STAT=runn"))
    }
    return {"empty_pool": empty, "others_wall_ms": others, f"pool_of_{_VMS}": large}


def _timed(frontend: Frontend, runs: int, *words: str) -> dict[str, float]:
    """Median wall time and the largest memory of runs of onevm (list unless words say otherwise)."""
    times, peak_kb = [], 0
    for _ in range(runs):
        started = time.perf_counter()
        process = subprocess.Popen(
            [_ONEVM, *(words or ("list",))],
            env=frontend.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, _, usage = os.wait4(process.pid, 0)
        times.append(time.perf_counter() - started)
        process.returncode = 0
        peak_kb = max(peak_kb, usage.ru_maxrss)
    return {"wall_ms": round(statistics.median(times) * 1000, 1), "peak_mb": round(peak_kb / 1024, 1)}


def _before_request_ms(frontend: Frontend) -> float:
    """From the start of the process to the first byte of its request."""
    arrived: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            for _ in range(_RUNS):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1)
                    arrived.append(time.perf_counter())

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}/RPC2"
        times = []
        for number in range(_RUNS):
            started = time.perf_counter()
            subprocess.run(
                [_ONEVM, "list"],
                env={**frontend.env, "ONE_XMLRPC": endpoint},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            times.append(arrived[number] - started)
        thread.join()
    return round(statistics.median(times) * 1000, 1)
