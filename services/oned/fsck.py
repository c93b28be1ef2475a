"""Consistency of the database: recompute what is counted from the documents, and compare.

Nothing is changed here. After any crash this must find nothing.
"""

from __future__ import annotations

from collections import defaultdict

from services.oned.lifecycle.states import VmState
from services.oned.lifecycle.transitions import STABLE
from services.oned.model.cluster import Cluster
from services.oned.model.datastore import Datastore
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Tx, pools

_FREE = {VmState.INIT, VmState.PENDING, VmState.HOLD, VmState.DONE, VmState.STOPPED, VmState.UNDEPLOYED}


def check(tx: Tx) -> list[str]:
    """One line for each contradiction; empty when there is none."""
    vms = [VM.from_xml(body) for body in pools.bodies(tx, VM.TABLE, pools.Where("state <> 6"))]
    return [*_hosts(tx, vms), *_columns(tx), *_clusters(tx), *_numbering(tx), *_jobs(tx, vms)]


def _hosts(tx: Tx, vms: list[VM]) -> list[str]:
    held: dict[int, list[VM]] = defaultdict(list)
    for vm in vms:
        if vm.state not in _FREE and vm.history is not None:
            held[vm.history.hid].append(vm)
    found = []
    for body in pools.bodies(tx, Host.TABLE, pools.Where()):
        host = Host.from_xml(body)
        here = held.pop(host.oid, [])
        expected = {
            "VMS": sorted(vm.oid for vm in here),
            "CPU_USAGE": sum(round(vm.cpu * 100) for vm in here),
            "MEM_USAGE": sum(vm.memory_mb * 1024 for vm in here),
            "RUNNING_VMS": len(here),
        }
        actual = {
            "VMS": sorted(host.vms),
            "CPU_USAGE": host.cpu_usage,
            "MEM_USAGE": host.mem_usage,
            "RUNNING_VMS": host.running_vms,
        }
        found += [
            f"host {host.oid}: {name} is {actual[name]}, the virtual machines say {expected[name]}"
            for name in expected
            if actual[name] != expected[name]
        ]
    found += [
        f"host {hid} does not exist, but virtual machines {[v.oid for v in here]} are on it"
        for hid, here in held.items()
    ]
    return found


def _columns(tx: Tx) -> list[str]:
    found = []
    for oid, name, body, state, lcm_state, uid, gid in tx.all(
        "SELECT oid, name, body, state, lcm_state, uid, gid FROM vm_pool"
    ):
        vm = VM.from_xml(body)
        inside = (vm.oid, vm.name, int(vm.state), int(vm.lcm_state), vm.uid, vm.gid)
        outside = (oid, name, state, lcm_state, uid, gid)
        if inside != outside:
            found.append(f"virtual machine {oid}: the row says {outside}, the document {inside}")
    return found


def _clusters(tx: Tx) -> list[str]:
    found = []
    hosts = {h.oid: h for h in map(Host.from_xml, pools.bodies(tx, Host.TABLE, pools.Where()))}
    stores = {d.oid: d for d in map(Datastore.from_xml, pools.bodies(tx, Datastore.TABLE, pools.Where()))}
    for body in pools.bodies(tx, Cluster.TABLE, pools.Where()):
        cluster = Cluster.from_xml(body)
        mine = sorted(oid for oid, host in hosts.items() if host.cluster_id == cluster.oid)
        if sorted(cluster.hosts) != mine:
            found.append(f"cluster {cluster.oid}: HOSTS are {sorted(cluster.hosts)}, the hosts say {mine}")
        kept = sorted(oid for oid, store in stores.items() if cluster.oid in store.clusters)
        if sorted(cluster.datastores) != kept:
            found.append(
                f"cluster {cluster.oid}: DATASTORES are {sorted(cluster.datastores)}, they say {kept}"
            )
    return found


def _numbering(tx: Tx) -> list[str]:
    found = []
    for table, last in tx.all("SELECT tablename, last_oid FROM pool_control"):
        if table == "acl":
            continue
        newest = tx.one(f"SELECT MAX(oid) FROM {table}") if table.replace("_", "").isalpha() else None
        if newest and newest[0] is not None and newest[0] > last:
            found.append(f"{table}: the newest id is {newest[0]}, the counter stands at {last}")
    return found


def _jobs(tx: Tx, vms: list[VM]) -> list[str]:
    """Every VM that is under way has driver work, and nothing else has."""
    working = {
        oid for (oid,) in tx.all("SELECT DISTINCT oid FROM onebox_job WHERE kind = 'VM' AND state <> 3")
    }
    found = [
        f"virtual machine {vm.oid}: is in {vm.condition}, but no driver works on it"
        for vm in vms
        if vm.condition not in STABLE and not vm.condition.endswith("_FAILURE") and vm.oid not in working
    ]
    alive = {vm.oid for vm in vms}
    found += [
        f"job for virtual machine {oid}, which does not exist or has ended" for oid in sorted(working - alive)
    ]
    return found
