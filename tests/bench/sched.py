"""How long the scheduler needs to decide, as JSON.

    python tests/bench/sched.py [--hosts H] [--vms V] [--requirements R] [--sizes S] [--curve] [--conf ...]

Builds the documents of a cloud (one host in ten unfit for each requirement), reads them as the scheduler
does, and plans. --sizes: distinct VM sizes. --curve: six sizes from 625 x 62 to 20,000 x 2,000 instead of
one. --conf: fields of SchedConf. Times are seconds of this machine; nothing passes or fails.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services.scheduler.config import SchedConf  # noqa: E402
from services.scheduler.plan import plan  # noqa: E402
from services.scheduler.records import Snapshot  # noqa: E402
from services.scheduler.snapshot import parse_datastores, parse_hosts, parse_vms  # noqa: E402


def host_pool(hosts: int, cpu: int, memory_kb: int) -> str:
    bodies = (
        f"<HOST><ID>{i}</ID><NAME>h{i}</NAME><STATE>2</STATE><PREV_STATE>2</PREV_STATE><IM_MAD>dummy</IM_MAD>"
        f"<VM_MAD>dummy</VM_MAD><CLUSTER_ID>{i % 4}</CLUSTER_ID><CLUSTER>c{i % 4}</CLUSTER><HOST_SHARE>"
        f"<MEM_USAGE>0</MEM_USAGE><CPU_USAGE>0</CPU_USAGE><TOTAL_MEM>{memory_kb}</TOTAL_MEM>"
        f"<TOTAL_CPU>{cpu}</TOTAL_CPU><MAX_MEM>{memory_kb}</MAX_MEM><MAX_CPU>{cpu}</MAX_CPU>"
        "<RUNNING_VMS>0</RUNNING_VMS><VMS_THREAD>1</VMS_THREAD><DATASTORES><DISK_USAGE>0</DISK_USAGE>"
        "<FREE_DISK>0</FREE_DISK><MAX_DISK>0</MAX_DISK><USED_DISK>0</USED_DISK></DATASTORES><PCI_DEVICES/>"
        f"<NUMA_NODES/></HOST_SHARE><VMS/><TEMPLATE><HYPERVISOR>dummy</HYPERVISOR><RACK>{i % 10}</RACK>"
        f"<ARCH>x86_64</ARCH></TEMPLATE><MONITORING><CAPACITY><FREE_CPU>{cpu}</FREE_CPU><FREE_MEMORY>"
        f"{memory_kb}</FREE_MEMORY></CAPACITY></MONITORING></HOST>"
        for i in range(hosts)
    )
    return f"<HOST_POOL>{''.join(bodies)}</HOST_POOL>"


def vm_pool(vms: int, requirements: int, sizes: int) -> str:
    bodies = (
        f"<VM><ID>{i}</ID><UID>0</UID><GID>0</GID><NAME>vm{i}</NAME><STATE>1</STATE><RESCHED>0</RESCHED>"
        f'<STIME>{i}</STIME><TEMPLATE><AUTOMATIC_DS_REQUIREMENTS>("CLUSTERS/ID" @&gt; 0)'
        "</AUTOMATIC_DS_REQUIREMENTS><AUTOMATIC_REQUIREMENTS>!(PUBLIC_CLOUD = YES) &amp; "
        f"!(PIN_POLICY = PINNED)</AUTOMATIC_REQUIREMENTS><CPU>{0.1 * (1 + i % sizes):.1f}</CPU>"
        f"<MEMORY>{64 * (1 + i % sizes)}</MEMORY></TEMPLATE><USER_TEMPLATE><SCHED_REQUIREMENTS>"
        f"RACK != {i % 10} &amp; ID &gt; {i % requirements - 1}</SCHED_REQUIREMENTS></USER_TEMPLATE>"
        "<HISTORY_RECORDS/></VM>"
        for i in range(vms)
    )
    return f"<VM_POOL>{''.join(bodies)}</VM_POOL>"


DATASTORES = (
    "<DATASTORE_POOL><DATASTORE><ID>0</ID><NAME>system</NAME><TYPE>1</TYPE><STATE>0</STATE><CLUSTERS><ID>0</ID>"
    "<ID>1</ID><ID>2</ID><ID>3</ID></CLUSTERS><TOTAL_MB>0</TOTAL_MB><FREE_MB>0</FREE_MB><USED_MB>0</USED_MB>"
    "<TEMPLATE><SHARED>YES</SHARED></TEMPLATE></DATASTORE></DATASTORE_POOL>"
)
CLUSTERS = "<CLUSTER_POOL/>"


def measure(hosts: int, vms: int, requirements: int, sizes: int, conf: SchedConf) -> dict[str, object]:
    """Times and results for one size."""
    pools = host_pool(hosts, 6400, 1 << 28), vm_pool(vms, requirements, sizes)
    started = time.perf_counter()
    snapshot = Snapshot(parse_vms(pools[1], 0), parse_hosts(pools[0], CLUSTERS), parse_datastores(DATASTORES))
    read = time.perf_counter()
    made = plan(snapshot, conf, seed=1)
    decided = time.perf_counter()
    per_host: dict[int, int] = {}
    for one in made.dispatches:
        per_host[one.host_id] = per_host.get(one.host_id, 0) + 1
    return {
        "hosts": hosts,
        "vms": vms,
        "requirements": requirements,
        "sizes": sizes,
        "read_s": round(read - started, 3),
        "decide_s": round(decided - read, 3),
        "placed": len(made.dispatches),
        "refused": len(made.refusals),
        "rounds": made.rounds,
        "hosts_used": len(per_host),
        "vms_per_host_max": max(per_host.values(), default=0),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


CURVE = ((62, 625), (125, 1250), (250, 2500), (500, 5000), (1000, 10000), (2000, 20000))


def run() -> list[dict[str, object]]:
    """The size of the budget (5,000 VMs on 500 hosts, 20 requirements), and a large one."""
    conf = SchedConf(max_vm=5000)
    return [measure(hosts, vms, 20, 5, conf) for hosts, vms in ((500, 5000), (1250, 20000))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=500)
    parser.add_argument("--vms", type=int, default=5000)
    parser.add_argument("--requirements", type=int, default=20)
    parser.add_argument("--sizes", type=int, default=5)
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--conf", nargs="*", default=[], metavar="FIELD=VALUE", help="fields of SchedConf")
    given = parser.parse_args()
    changes: dict[str, object] = {}
    for pair in given.conf:
        name, _, value = pair.partition("=")
        changes[name] = int(value) if value.lstrip("-").isdigit() else value
    conf = dataclasses.replace(SchedConf(max_vm=5000), **changes)  # type: ignore[arg-type]
    sizes = [(given.hosts, given.vms)]
    if given.curve:
        sizes = list(CURVE)
    rows = [measure(hosts, vms, given.requirements, given.sizes, conf) for hosts, vms in sizes]
    print(json.dumps({"bench": "sched", "results": rows}, indent=1))


if __name__ == "__main__":
    main()
