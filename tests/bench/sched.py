"""How long the scheduler needs to decide, and what the plan is like, as JSON.

    ./onebox bench sched [--hosts H] [--vms V] [--requirements R] [--sizes S] [--groups G] [--curve]
                         [--conf ...]
    ./onebox bench sched --live [--hosts H] [--vms V] [--existing]

Builds the documents of a cloud (one host in ten unfit for each requirement), reads them as the scheduler
does, and plans. --sizes: distinct VM sizes. --groups: VM groups, each with four VMs apart and three together.
--curve: six sizes from 625 x 62 to 20,000 x 2,000 instead of one. --conf: fields of SchedConf. --live: a
front-end with dummy drivers instead (sched_live.py), a private one unless --existing is given: then that of
ONE_XMLRPC and ONE_AUTH. Times are seconds of this machine; nothing passes or fails.

fragmentation: the share of the free CPU and memory that no VM of the largest size can use because it is
spread over the hosts; 0 when the free room of all hosts could be used, 1 when none of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services.scheduler import groups as vmgroups  # noqa: E402
from services.scheduler.config import SchedConf  # noqa: E402
from services.scheduler.plan import Plan, plan  # noqa: E402
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


#: VMs in each role of a VM group.
_FRONTS, _APPS, _DBS = 4, 2, 1
_IN_GROUP = _FRONTS + _APPS + _DBS


def group_pool(groups: int) -> str:
    """VM groups as in the affinity guide: front-ends apart, applications and databases together."""

    def role(number: int, name: str, first: int, count: int, policy: str) -> str:
        ids = ",".join(str(first + i) for i in range(count))
        return f"<ROLE><ID>{number}</ID><NAME>{name}</NAME>{policy}<VMS>{ids}</VMS></ROLE>"

    bodies = (
        f"<VM_GROUP><ID>{i}</ID><NAME>g{i}</NAME><ROLES>"
        + role(0, "front", i * _IN_GROUP, _FRONTS, "<POLICY>ANTI_AFFINED</POLICY>")
        + role(1, "apps", i * _IN_GROUP + _FRONTS, _APPS, "")
        + role(2, "db", i * _IN_GROUP + _FRONTS + _APPS, _DBS, "")
        + "</ROLES><TEMPLATE><AFFINED>apps,db</AFFINED></TEMPLATE></VM_GROUP>"
        for i in range(groups)
    )
    return f"<VM_GROUP_POOL>{''.join(bodies)}</VM_GROUP_POOL>"


def fragmentation(snapshot: Snapshot, made: Plan) -> float:
    """How much of the free room is out of reach of the largest VM, 0 to 1."""
    by_id = {vm.id: vm for vm in snapshot.vms}
    cpu, memory_kb = max(vm.cpu for vm in snapshot.vms), max(vm.memory_kb for vm in snapshot.vms)
    free = {h.id: [h.max_cpu - h.cpu_usage, h.max_memory_kb - h.memory_usage_kb] for h in snapshot.hosts}
    for one in made.dispatches:
        free[one.host_id][0] -= by_id[one.vm_id].cpu
        free[one.host_id][1] -= by_id[one.vm_id].memory_kb
    fit = sum(min(c // cpu, m // memory_kb) for c, m in free.values())
    pooled = min(sum(c for c, _ in free.values()) // cpu, sum(m for _, m in free.values()) // memory_kb)
    return round(1 - fit / pooled, 4) if pooled else 0.0


def measure(
    hosts: int, vms: int, requirements: int, sizes: int, conf: SchedConf, groups: int = 0
) -> dict[str, object]:
    """Times and results for one size."""
    pools = host_pool(hosts, 6400, 1 << 28), vm_pool(vms, requirements, sizes)
    started = time.perf_counter()
    snapshot = Snapshot(parse_vms(pools[1], 0), parse_hosts(pools[0], CLUSTERS), parse_datastores(DATASTORES))
    snapshot.vmgroups = vmgroups.parse(group_pool(groups)) if groups else []
    read, cpu_before_s = time.perf_counter(), time.process_time()
    made = plan(snapshot, conf, seed=1)
    decided, cpu_after_s = time.perf_counter(), time.process_time()
    per_host: dict[int, int] = {}
    for one in made.dispatches:
        per_host[one.host_id] = per_host.get(one.host_id, 0) + 1
    return {
        "hosts": hosts,
        "vms": vms,
        "requirements": requirements,
        "sizes": sizes,
        "groups": groups,
        "read_s": round(read - started, 3),
        "decide_s": round(decided - read, 3),
        "decide_cpu_s": round(cpu_after_s - cpu_before_s, 3),
        "decide_us_per_vm": round(1e6 * (decided - read) / vms, 1),
        "placed": len(made.dispatches),
        "refused": len(made.refusals),
        "rounds": made.rounds,
        "hosts_used": len(per_host),
        "vms_per_host_max": max(per_host.values(), default=0),
        "fragmentation": fragmentation(snapshot, made),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


CURVE = ((62, 625), (125, 1250), (250, 2500), (500, 5000), (1000, 10000), (2000, 20000))


def run() -> list[dict[str, object]]:
    """The size of the budget (5,000 VMs on 500 hosts, 20 requirements), and a large one."""
    conf = SchedConf(max_vm=5000)
    return [measure(hosts, vms, 20, 5, conf) for hosts, vms in ((500, 5000), (1250, 20000))]


def _apart(words: Sequence[str]) -> dict[str, object]:
    """One measurement in a process of its own, so that its peak of memory is its own."""
    command = [sys.executable, "-m", "tests.bench.sched", *words]
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    row: dict[str, object] = json.loads(found.stdout)["results"][0]
    return row


def _live(hosts: int, vms: int, existing: bool) -> dict[str, object]:
    from tests.bench import sched_live
    from tests.bench.existing import Existing
    from tests.support.frontend import Frontend

    if existing:
        return sched_live.run(Existing(), hosts, vms)
    with tempfile.TemporaryDirectory(prefix="onebox-bench-") as folder:
        frontend = Frontend(Path(folder, "one"))
        try:
            frontend.start()
            return sched_live.run(frontend, hosts, vms)
        finally:
            frontend.stop()


def main(words: Sequence[str] | None = None) -> int:
    """Measure what the words ask for; prints JSON."""
    parser = argparse.ArgumentParser(
        prog="onebox bench sched", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int)
    parser.add_argument("--vms", type=int)
    parser.add_argument("--requirements", type=int, default=20)
    parser.add_argument("--sizes", type=int, default=5)
    parser.add_argument("--groups", type=int, default=0)
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--existing", action="store_true", help="with --live: that of ONE_XMLRPC, ONE_AUTH")
    parser.add_argument("--conf", nargs="*", default=[], metavar="FIELD=VALUE", help="fields of SchedConf")
    given = parser.parse_args(words)
    if given.live:
        found = _live(given.hosts or 50, given.vms or 1000, given.existing)
        print(json.dumps({"bench": "sched", "live": found}, indent=1))
        return 0
    common = [f"--requirements={given.requirements}", f"--sizes={given.sizes}"]
    if given.curve:
        conf_words = ["--conf", *given.conf] if given.conf else []
        rows = [
            _apart(
                [
                    *common,
                    f"--hosts={hosts}",
                    f"--vms={vms}",
                    f"--groups={given.groups * vms // 5000}",
                    *conf_words,
                ]
            )
            for hosts, vms in CURVE
        ]
    else:
        changes: dict[str, object] = {}
        for pair in given.conf:
            name, _, value = pair.partition("=")
            changes[name] = int(value) if value.lstrip("-").isdigit() else value
        conf = dataclasses.replace(SchedConf(max_vm=5000), **changes)  # type: ignore[arg-type]
        sizes = (given.hosts or 500, given.vms or 5000, given.requirements, given.sizes)
        rows = [measure(*sizes, conf, given.groups)]
    print(json.dumps({"bench": "sched", "results": rows}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
