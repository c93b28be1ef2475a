"""instantiate → RUNNING while 20 VMs arrive each second, whatever became of those before them (open loop)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.bench.live import Live, quantiles
from tests.support.frontend import Frontend

_PER_S = 20.0
_SECONDS = 60.0
_HOSTS = 20
_AT_ONCE = 16
_BARE = 'NAME="bench"\nCPU=0.01\nMEMORY=1'


def run(frontend: Frontend) -> dict[str, Any]:
    """A minute of small VMs, then a minute of VMs with a disk, an interface and a context."""
    # Small disks: hosts are not to be full.
    (frontend.folder / "var/remotes/etc/dummy/dummyrc").write_text("DS_IMAGE_MB=1\n")
    with Live(frontend, _HOSTS) as live:
        network = live.call(
            "vn.allocate", "NAME=live VN_MAD=dummy BRIDGE=br0 AR=[TYPE=IP4,IP=10.0.0.1,SIZE=60000]", 0
        )
        images = live.call(
            "datastore.allocate", "NAME=live DS_MAD=dummy TM_MAD=ssh DATASTORE_CAPACITY_CHECK=NO", 0
        )
        image = live.call("image.allocate", "NAME=live PATH=/x", images, False)
        while "<STATE>1</STATE>" not in live.call("image.info", image, False):
            time.sleep(0.05)
        furnished = f"{_BARE}\nDISK=[IMAGE_ID={image}]\nNIC=[NETWORK_ID={network}]\nCONTEXT=[NETWORK=YES]"
        return {
            "vms_per_s": _PER_S,
            "seconds": _SECONDS,
            "hosts": _HOSTS,
            "bare": arrive(live, _BARE),
            "disk_nic_context": arrive(live, furnished),
        }


def arrive(live: Live, template: str, per_s: float = _PER_S, seconds: float = _SECONDS) -> dict[str, Any]:
    """Instantiate a VM template at a fixed rate; times from the moment that each call was due."""
    template_id = live.call("template.allocate", template.replace("bench", f"bench-{time.time_ns()}", 1))
    due_at = time.perf_counter() + 0.1

    def one(number: int) -> tuple[float, float, int]:
        due_s = due_at + number / per_s
        time.sleep(max(0.0, due_s - time.perf_counter()))
        vm_id = live.call("template.instantiate", template_id, "", False, "", False)
        return due_s, time.perf_counter(), int(vm_id)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        arrived = list(pool.map(one, range(int(per_s * seconds))))
    live.wait([vm_id for _, _, vm_id in arrived], "RUNNING", timeout_s=300)
    stages: dict[str, list[float]] = {name: [] for name in ("PENDING", "PROLOG", "BOOT", "RUNNING")}
    for due_s, _, vm_id in arrived:
        for name, times in stages.items():
            if (at_s := live.times.first(vm_id, name)) is not None:
                times.append(at_s - due_s)
    return {
        "vms": len(arrived),
        "call_ms": quantiles([answered_s - due_s for due_s, answered_s, _ in arrived]),
        **{f"until_{name.lower()}_ms": quantiles(times) for name, times in stages.items()},
    }
