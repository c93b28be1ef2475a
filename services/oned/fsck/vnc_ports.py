"""VNC ports of clusters against the virtual machines that hold them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.lifecycle import ports
from services.oned.model import history
from services.oned.model.cluster import Cluster
from services.oned.store import Tx, clusters


def check(zone: Zone) -> Iterator[Finding]:
    """Every port that is taken is held by one VM, and every port held is taken."""
    held: dict[tuple[int, int], list[int]] = defaultdict(list)
    for vm in zone.vms:
        cluster_id, port = ports.cluster_of(vm), ports.of(vm)
        if cluster_id is not None and port is not None:
            held[cluster_id, port].append(vm.oid)
        left = ports.of(vm, "PREVIOUS_PORT")
        before = history.before(zone.tx, vm.history) if left is not None and vm.history else None
        if left is not None and before is not None:
            held[before.cid, left].append(vm.oid)
    for (cluster_id, port), vm_ids in sorted(held.items()):
        if len(vm_ids) > 1:
            yield Finding(f"cluster {cluster_id}: VNC port {port} is held by virtual machines {vm_ids}")
    maps = clusters.all_ports(zone.tx)
    for cluster in zone.all(Cluster):
        if cluster.oid not in maps:
            fix = partial(clusters.add_ports, cluster_id=cluster.oid)
            yield Finding(f"cluster {cluster.oid}: has no map of VNC ports", fix)
    for cluster_id, taken in sorted(maps.items()):
        mine = sum(1 << port for holder, port in held if holder == cluster_id)
        for port in _numbers(taken & ~mine):
            text = f"cluster {cluster_id}: VNC port {port} is taken, but no virtual machine holds it"
            yield Finding(text, partial(_mark, cluster_id=cluster_id, port=port, is_taken=False))
        for port in _numbers(mine & ~taken):
            text = f"cluster {cluster_id}: VNC port {port} is held by a virtual machine, but not taken"
            yield Finding(text, partial(_mark, cluster_id=cluster_id, port=port, is_taken=True))


def _numbers(bits: int) -> list[int]:
    return [number for number in range(bits.bit_length()) if bits >> number & 1] if bits else []


def _mark(tx: Tx, cluster_id: int, port: int, is_taken: bool) -> None:
    taken = clusters.locked_ports(tx, cluster_id)
    if taken is not None:
        bit = 1 << port
        clusters.save_ports(tx, cluster_id, taken | bit if is_taken else taken & ~bit)
