"""Placing 5,000 VMs that wait on 500 hosts: how fast they are handed to their hosts, and run there."""

from __future__ import annotations

import time
from typing import Any

from tests.bench.live import Live
from tests.support.frontend import Frontend

_HOSTS = 500
_VMS = 5000
_SCHEDULER = "opennebula-scheduler"
_TEMPLATE = 'NAME="bench"\nCPU=0.1\nMEMORY=64'


def run(frontend: Frontend, hosts: int = _HOSTS, vms: int = _VMS) -> dict[str, Any]:
    """VMs wait while there is no scheduler; then it starts, and the time is taken from there."""
    with Live(frontend, hosts) as live:
        frontend.end(_SCHEDULER)
        began_s = time.perf_counter()
        ids = live.create([_TEMPLATE] * vms)
        created_s = time.perf_counter() - began_s
        start_s = time.perf_counter()
        frontend.spawn(_SCHEDULER)
        live.wait(ids, "RUNNING", timeout_s=900)
        placed = sorted(live.times.first(vm_id, "PROLOG") or 0.0 for vm_id in ids)
        running = sorted(live.times.first(vm_id, "RUNNING") or 0.0 for vm_id in ids)
    dispatch_s = placed[-1] - placed[0]
    return {
        "hosts": hosts,
        "vms": vms,
        "created_per_s": round(vms / created_s, 1),
        "first_placed_s": round(placed[0] - start_s, 2),
        "all_placed_s": round(placed[-1] - start_s, 2),
        "placed_per_s": round((vms - 1) / dispatch_s, 1) if dispatch_s else None,
        "all_running_s": round(running[-1] - start_s, 2),
        "running_per_s": round(vms / (running[-1] - placed[0]), 1),
    }
