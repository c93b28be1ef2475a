"""Snapshots for tests, made through the documents that the front-end would send."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from services.common.numa import Nodes
from services.common.pci import Devices
from services.scheduler.config import SchedConf
from services.scheduler.plan import Plan
from services.scheduler.records import VM, Datastore, Host, Network, Snapshot
from services.scheduler.snapshot import parse_datastores, parse_hosts, parse_networks

#: The stock settings.
CONF = SchedConf(max_vm=5000, interval_s=15)


def conf(**changes: Any) -> SchedConf:
    """The stock settings with some changed."""
    return dataclasses.replace(CONF, **changes)


def hosts(*bodies: dict[str, Any], clusters: dict[int, str] | None = None) -> list[Host]:
    """Hosts with ids from 0. Keys: cpu, cpu_used, memory (MB), memory_used, running, state, cluster, vms,
    template and monitoring (XML), datastores (XML), devices (PCI_DEVICES and NUMA_NODES, XML)."""
    texts = []
    for number, body in enumerate(bodies):
        running = body.get("vms", [])
        vms = "".join(f"<ID>{vm_id}</ID>" for vm_id in running)
        texts.append(
            f"<HOST><ID>{body.get('id', number)}</ID><NAME>h{number}</NAME>"
            f"<STATE>{body.get('state', 2)}</STATE>"
            f"<CLUSTER_ID>{body.get('cluster', 0)}</CLUSTER_ID><HOST_SHARE>"
            f"<MEM_USAGE>{body.get('memory_used', 0) * 1024}</MEM_USAGE>"
            f"<CPU_USAGE>{body.get('cpu_used', 0)}</CPU_USAGE>"
            f"<MAX_MEM>{body.get('memory', 65536) * 1024}</MAX_MEM><MAX_CPU>{body.get('cpu', 1600)}</MAX_CPU>"
            f"<RUNNING_VMS>{body.get('running', len(running))}</RUNNING_VMS>"
            f"<DATASTORES>{body.get('datastores', '')}</DATASTORES>{body.get('devices', '')}</HOST_SHARE>"
            f"<VMS>{vms}</VMS>"
            f"<TEMPLATE>{body.get('template', '')}</TEMPLATE>"
            f"<MONITORING>{body.get('monitoring', '')}</MONITORING></HOST>"
        )
    pool = "".join(
        f"<CLUSTER><ID>{cluster_id}</ID><TEMPLATE>{template}</TEMPLATE></CLUSTER>"
        for cluster_id, template in (clusters or {}).items()
    )
    return parse_hosts(f"<HOST_POOL>{''.join(texts)}</HOST_POOL>", f"<CLUSTER_POOL>{pool}</CLUSTER_POOL>")


def stores(*bodies: dict[str, Any]) -> list[Datastore]:
    """Datastores with ids from 0. Keys: type (default 1, system), state, total, free, used (MB), clusters,
    shared, template (XML)."""
    texts = []
    for number, body in enumerate(bodies):
        clusters = "".join(f"<ID>{cluster_id}</ID>" for cluster_id in body.get("clusters", [0]))
        texts.append(
            f"<DATASTORE><ID>{number}</ID><NAME>ds{number}</NAME><TYPE>{body.get('type', 1)}</TYPE>"
            f"<STATE>{body.get('state', 0)}</STATE><CLUSTERS>{clusters}</CLUSTERS>"
            f"<TOTAL_MB>{body.get('total', 0)}</TOTAL_MB><FREE_MB>{body.get('free', 0)}</FREE_MB>"
            f"<USED_MB>{body.get('used', 0)}</USED_MB>"
            f"<TEMPLATE><SHARED>{body.get('shared', 'YES')}</SHARED>{body.get('template', '')}</TEMPLATE>"
            "</DATASTORE>"
        )
    return parse_datastores(f"<DATASTORE_POOL>{''.join(texts)}</DATASTORE_POOL>")


def cards(count: int, **held: int) -> str:
    """PCI_DEVICES with so many cards (class 0200); held: VM by number of the card, as ``_0=7``."""
    return Devices(
        {"ADDRESS": f"0000:{number:02x}:00:0", "CLASS": "0200", "VENDOR": "8086",
         "DEVICE": f"{number % 2:04x}", "NUMA_NODE": str(number % 2), "VMID": str(held.get(f"_{number}", -1))}
        for number in range(count)
    ).to_xml()  # fmt: skip


def numa(nodes: int, cores: int, threads: int = 2, memory_mb: int = 65536, pages: int = 0) -> str:
    """NUMA_NODES: nodes, cores of each, threads of each core; memory and 2 MB pages of each node."""
    made = Nodes()
    total = nodes * cores
    everywhere = [(number // cores, number) for number in range(total)]
    made.report(
        [
            {"NODE_ID": str(node), "ID": str(core),
             "CPUS": ",".join(str(core + thread * total) for thread in range(threads))}
            for node, core in everywhere
        ],
        [{"NODE_ID": str(node), "SIZE": "2048", "PAGES": str(pages)} for node in range(nodes) if pages],
        [
            {"NODE_ID": str(node), "TOTAL": str(memory_mb * 1024),
             "DISTANCE": " ".join(map(str, sorted(range(nodes), key=lambda one, at=node: abs(one - at))))}  # type: ignore[misc]
            for node in range(nodes)
        ],
    )  # fmt: skip
    return made.to_xml()


def networks(*bodies: dict[str, Any]) -> list[Network]:
    """Networks with ids from 0. Keys: size, used (leases), clusters, template (XML)."""
    texts = []
    for number, body in enumerate(bodies):
        clusters = "".join(f"<ID>{cluster_id}</ID>" for cluster_id in body.get("clusters", [0]))
        texts.append(
            f"<VNET><ID>{number}</ID><NAME>net{number}</NAME><CLUSTERS>{clusters}</CLUSTERS>"
            f"<USED_LEASES>{body.get('used', 0)}</USED_LEASES><TEMPLATE>{body.get('template', '')}</TEMPLATE>"
            f"<AR_POOL><AR><SIZE>{body.get('size', 100)}</SIZE></AR></AR_POOL></VNET>"
        )
    return parse_networks(f"<VNET_POOL>{''.join(texts)}</VNET_POOL>")


def vm(vm_id: int, cpu: int = 100, memory_mb: int = 512, **more: Any) -> VM:
    """A VM; requirements may be given as one text."""
    if isinstance(more.get("requirements"), str):
        more["requirements"] = (more["requirements"],)
    if isinstance(more.get("ds_requirements"), str):
        more["ds_requirements"] = (more["ds_requirements"],)
    return VM(id=vm_id, uid=0, gid=0, cpu=cpu, memory_kb=memory_mb * 1024, **more)


def cloud(
    vms: Iterable[VM],
    found: list[Host],
    datastores: list[Datastore] | None = None,
    nets: list[Network] | None = None,
) -> Snapshot:
    """A snapshot; without datastores there is one that nobody measures, in cluster 0."""
    return Snapshot(
        list(vms), found, datastores if datastores is not None else stores({}), networks=nets or []
    )


def placed(made: Plan) -> dict[int, list[int]]:
    """VM ids by host id, in the order of the plan."""
    by_host: dict[int, list[int]] = {}
    for one in made.dispatches:
        by_host.setdefault(one.host_id, []).append(one.vm_id)
    return by_host


def where(made: Plan) -> dict[int, int]:
    """Host id by VM id."""
    return {one.vm_id: one.host_id for one in made.dispatches}
