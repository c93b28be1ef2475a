"""Whole pools of 20,000 VMs of 7 KB: time, and how much memory a worker needs for the answer."""

from __future__ import annotations

import http.client
import time
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

from services.common import xmlrpc
from services.oned import config
from services.oned.store import Store
from tests.support.copies import copy_vm
from tests.support.frontend import Frontend

_VMS = 20_000
_BODY_BYTES = 7_000
_CHUNK = 1 << 18
_AT_ONCE = 8


def run(frontend: Frontend) -> dict[str, Any]:
    """Short and whole pool by XML-RPC, the whole one as JSON, then eight whole ones at once."""
    fill(frontend, _VMS, _BODY_BYTES)
    result: dict[str, Any] = {"vms": _VMS, "body_bytes": _BODY_BYTES}
    calls = {
        "short": ("/RPC2", "one.vmpool.info"),
        "extended": ("/RPC2", "one.vmpool.infoextended"),
        "extended_json": ("/api/v1/vms?extended=true&state=-2", ""),
    }
    for name, (path, method) in calls.items():
        _reset_peaks(frontend)
        result[name] = _read(frontend, path, method)
        result[name]["peak_worker_rss_mb"] = max(_peaks_mb(frontend))
    _reset_peaks(frontend)
    started = time.perf_counter()
    threads = [Thread(target=_read, args=(frontend, *calls["extended"])) for _ in range(_AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = round(time.perf_counter() - started, 3)
    result["extended_at_once"] = {
        "answers": _AT_ONCE,
        "seconds": seconds,
        "peak_worker_rss_mb": max(_peaks_mb(frontend)),
    }
    return result


def fill(frontend: Frontend, vms: int, body_bytes: int) -> None:
    """Put copies of a held VM straight into the database of a front-end."""
    filler = "x" * 100
    text = "\n".join(f'NOTE_{n} = "{filler}"' for n in range(max(0, body_bytes - 1800) // 125))
    vm_id = frontend.client().call("vm.allocate", f"NAME = bench\nCPU = 0.01\nMEMORY = 1\n{text}", True)
    store = open_store(frontend)
    copy_vm(store, vm_id, vms)
    store.close()


def open_store(frontend: Frontend) -> Store:
    """The database of a front-end."""
    conf = config.load(frontend.folder / "etc/oned.conf")
    return Store.open(replace(conf.db, path=frontend.folder / "var/one.db"))


def _read(frontend: Frontend, path: str, method: str) -> dict[str, Any]:
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", frontend.port)
    if method:
        connection.request("POST", path, xmlrpc.dumps_request(method, [frontend.session, -2, -1, -1, -2]))
    else:
        credentials = b64encode(frontend.session.encode()).decode()
        connection.request("GET", path, headers={"Authorization": f"Basic {credentials}"})
    reply = connection.getresponse()
    size, first_s, tail = 0, 0.0, b""
    while chunk := reply.read(_CHUNK):
        first_s = first_s or time.perf_counter() - started
        size += len(chunk)
        tail = (tail + chunk)[-200:]
    seconds = time.perf_counter() - started
    connection.close()
    return {
        "status": reply.status,
        "bytes": size,
        "seconds": round(seconds, 3),
        "first_bytes_after_s": round(first_s, 3),
        "mb_per_s": round(size / seconds / 1e6, 1),
        "ends_well": tail.endswith((b"</methodResponse>\r\n", b"}", b"}\n")),
    }


def _workers(frontend: Frontend) -> list[int]:
    main = frontend.processes["opennebula"].pid
    return [int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split()]


def _reset_peaks(frontend: Frontend) -> None:
    for pid in _workers(frontend):
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak starts anew at the present size


def _peaks_mb(frontend: Frontend) -> list[float]:
    found = []
    for pid in _workers(frontend):
        status = Path(f"/proc/{pid}/status").read_text()
        peak_kb = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        found.append(round(int(peak_kb) / 1024, 1))
    return found
