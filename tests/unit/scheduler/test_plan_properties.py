"""What holds for every plan, whatever the cloud looks like."""

from __future__ import annotations

import dataclasses
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.numa_pin import Pinning
from services.common.pci import Request
from services.common.template import Template
from services.oned.model.host_share import HostShare
from services.scheduler import expression
from services.scheduler.config import SchedConf
from services.scheduler.devices import Needs
from services.scheduler.plan import Dispatch, Plan, plan
from services.scheduler.records import MONITORED, VM, AutoNic, Datastore, Snapshot
from services.scheduler.table import HostTable

from .clouds import cards, cloud, conf, hosts, networks, numa, stores, vm

REQUIREMENTS = [
    "",
    "RACK = 1",
    "RACK != 1",
    "!(RACK = 2) & ID > 0",
    "CURRENT_VMS != 3",
    "RUNNING_VMS < 3",
    "NO = 1",
]
RANKS = ["", "RUNNING_VMS", "- RUNNING_VMS", "RACK", "FREE_CPU", "CPU_USAGE * 2 - RACK"]

DEVICES = ["", "", cards(1), cards(3, _1=99) + numa(1, 1), numa(2, 2, memory_mb=900)]

_host = st.fixed_dictionaries(
    {
        "cpu": st.sampled_from([800, 400, 250, 100, 0]),
        "cpu_used": st.sampled_from([0, 0, 50, 400]),
        "memory": st.sampled_from([4096, 2048, 500, 64, 0]),
        "state": st.sampled_from([MONITORED] * 8 + [0, 1, 3, 4, 8]),
        "cluster": st.sampled_from([0, 0, 0, 1, 2]),
        "template": st.sampled_from(
            ["", "<RACK>1</RACK>", "<RACK>2</RACK>", "<RACK>1</RACK><PUBLIC_CLOUD>YES</PUBLIC_CLOUD>"]
        ),
        "devices": st.sampled_from(
            ["", "", cards(1), cards(3, _1=99) + numa(1, 1), numa(2, 2, memory_mb=900)]
        ),
    }
)
_store = st.fixed_dictionaries(
    {
        "total": st.sampled_from([0, 10000]),
        "free": st.integers(0, 5000),
        "clusters": st.sampled_from([[0, 1, 2], [0], [0, 1], [1, 2], []]),
    }
)
_network = st.fixed_dictionaries(
    {
        "size": st.integers(0, 4),
        "clusters": st.sampled_from([[0, 1, 2], [0], [1]]),
        "template": st.sampled_from(["", "<BW>1</BW>", "<BW>2</BW>"]),
    }
)
_CARD, _ODD = Request(vendor=0x8086), Request(device=1)
_special = st.one_of(
    st.just({}),
    st.just({}),
    st.sampled_from([(_CARD,), (_ODD,), (_CARD, _ODD), (_CARD, _CARD)]).map(
        lambda one: {"needs": Needs(one)}
    ),
    st.builds(
        lambda nodes, threads, dedicated: {"needs": Needs((), Pinning(nodes, threads, dedicated))},
        st.sampled_from([((2, 102400),), ((1, 512000), (1, 512000)), ((4, 1024),)]),
        st.sampled_from([0, 1, 2]),
        st.booleans(),
    ),
    st.sampled_from([("",), ("BW = 1",), ("BW > 0", "")]).map(
        lambda texts: {"nics": tuple(AutoNic(n, (t,) if t else ()) for n, t in enumerate(texts))}
    ),
    st.integers(0, 3).map(lambda host: {"resched": True, "host_id": host, "ds_id": 0, "has_disks": True}),
    st.just({"is_cloud": True}),
)
_need = st.tuples(
    st.sampled_from([0, 10, 100, 250]), st.sampled_from([0, 64, 1024]), st.sampled_from([0, 0, 700]),
    st.sampled_from(REQUIREMENTS), st.sampled_from(RANKS), st.integers(-1, 1),
    _special,
)  # fmt: skip
_conf = st.builds(
    conf,
    max_host=st.integers(0, 2),
    max_dispatch=st.sampled_from([0, 1, 3, 30]),
    max_vm=st.sampled_from([0, 1, 5, 5000]),
    host_rank=st.sampled_from([rank for rank in RANKS if rank]),
    datastore_rank=st.sampled_from(["FREE_MB", "- FREE_MB", "PRIORITY"]),
    network_rank=st.sampled_from(["USED_LEASES", "- USED_LEASES", "BW"]),
    different_vnets=st.booleans(),
)


@st.composite
def _clouds(draw: st.DrawFn) -> Snapshot:
    bodies: list[dict[str, Any]] = draw(st.lists(_host, min_size=1, max_size=7))
    needs = draw(st.lists(_need, min_size=1, max_size=25))
    vms = [
        vm(
            number,
            cpu=cpu,
            memory_mb=memory,
            disk_mb=disk,
            requirements=requirements,
            rank=rank,
            priority=priority,
            **special,
        )
        for number, (cpu, memory, disk, requirements, rank, priority, special) in enumerate(needs)
    ]
    return cloud(
        vms,
        hosts(*bodies),
        stores(*draw(st.lists(_store, min_size=1, max_size=3))),
        networks(*draw(st.lists(_network, max_size=3))),
    )


class _Cloud:
    """A cloud that carries a plan out step by step, as the front-end does."""

    def __init__(self, snapshot: Snapshot, is_different: bool) -> None:
        self.snapshot = snapshot
        self.is_different = is_different
        self.table = HostTable(snapshot, range(len(snapshot.hosts)))
        self.free_mb = {store.id: store.free_mb for store in snapshot.datastores}
        self.leases = {network.id: network.free_leases for network in snapshot.networks}
        self.shares = [HostShare.from_element(host.share) for host in snapshot.hosts]

    def carry_out(self, one: Dispatch) -> None:
        """Fails at a step that no cloud could take."""
        placed = next(vm for vm in self.snapshot.vms if vm.id == one.vm_id)
        at = next(at for at, host in enumerate(self.snapshot.hosts) if host.id == one.host_id)
        assert self.why_not(placed, at) == ""
        host = self.snapshot.hosts[at]
        assert (one.ds_id == -1) == host.is_cloud
        if one.ds_id != -1:
            store = next(store for store in self.snapshot.datastores if store.id == one.ds_id)
            assert host.cluster_id in store.cluster_ids and self._has_space(placed, store)
            left_mb = self.free_mb[store.id]
            if left_mb is not None and not placed.has_disks:
                self.free_mb[store.id] = left_mb - placed.disk_mb
        assert [nic_id for nic_id, _ in one.networks] == [nic.id for nic in placed.nics]
        for _, network_id in one.networks:
            self.leases[network_id] -= 1
            assert self.leases[network_id] >= 0
        if placed.needs is not None and not host.is_cloud:
            assert self.shares[at].claim(placed.id, _template(placed))
        assert tuple(network_id for _, network_id in one.networks) in self._ways(
            placed, host.cluster_id, True
        )
        self.table.place(at, dataclasses.replace(placed, needs=None))

    def why_not(self, one: VM, at: int) -> str:
        """Why a VM cannot be on a host, by looking at everything."""
        table, host = self.table, self.snapshot.hosts[at]
        if host.state != MONITORED or host.id == one.host_id:
            return "host"
        if table.free_cpu[at] < one.cpu or table.free_memory_kb[at] < one.memory_kb:
            return "room"
        if not all(table.passes(at, expression.requirement(text)) for text in one.requirements):
            return "requirements"
        if not host.is_cloud and not any(
            host.cluster_id in store.cluster_ids and self._has_space(one, store)
            for store in self.snapshot.datastores
        ):
            return "datastore"
        if one.needs is not None and not host.is_cloud and self.shares[at].why_not_pinned(_template(one)):
            return "devices"
        return "" if self._ways(one, host.cluster_id, False) else "networks"

    def _has_space(self, one: VM, store: Datastore) -> bool:
        left_mb = self.free_mb[store.id]
        is_right = one.ds_id in (None, store.id)
        return is_right and (left_mb is None or one.has_disks or left_mb >= one.disk_mb)

    def _ways(self, one: VM, cluster_id: int, is_taken: bool) -> list[tuple[int, ...]]:
        """All ways to give each interface a network; is_taken: its leases are counted already."""
        options = [
            [
                network.id
                for network in self.snapshot.networks
                if cluster_id in network.cluster_ids
                and all(
                    expression.requirement(text).evaluate(network.attributes.values)
                    for text in nic.requirements
                )
            ]
            for nic in one.nics
        ]
        return [
            way
            for way in product(*options)
            if (not self.is_different or len(set(way)) == len(way))
            and (is_taken or all(way.count(network_id) <= self.leases[network_id] for network_id in way))
        ]


def _template(one: VM) -> Template:
    """What a front-end knows of the VM's needs."""
    assert one.needs is not None
    made = Template()
    for request in one.needs.devices:
        given = {"VENDOR": request.vendor, "DEVICE": request.device}
        made.add("PCI", {name: f"{value:04x}" for name, value in given.items() if value is not None})
    pinning = one.needs.pinning
    if pinning is not None:
        policy = "CORE" if pinning.is_dedicated else "THREAD"
        made.add("TOPOLOGY", {"PIN_POLICY": policy, "THREADS": str(pinning.threads)})
        for cpus, memory_kb in pinning.nodes:
            made.add("NUMA_NODE", {"TOTAL_CPUS": str(cpus), "MEMORY": str(memory_kb)})
    return made


@settings(max_examples=300, deadline=None)
@given(_clouds(), _conf, st.integers(0, 2**32))
def test_a_plan_is_possible_complete_and_repeatable(
    snapshot: Snapshot, given_conf: SchedConf, seed: int
) -> None:
    made = plan(snapshot, given_conf, seed)
    assert plan(snapshot, given_conf, seed) == made
    dispatched = [one.vm_id for one in made.dispatches]
    assert len(set(dispatched)) == len(dispatched)
    assert set(dispatched) | set(made.refusals) == {one.id for one in snapshot.vms}
    assert not set(dispatched) & set(made.refusals)
    assert all(reason.text() for reason in made.refusals.values())
    _assert_round_limits(made, given_conf)
    played = _Cloud(snapshot, given_conf.different_vnets)
    for one in made.dispatches:
        played.carry_out(one)
    # Plans are greedy: what they promise is that nothing which was refused would still fit in the end, unless
    # its requirement follows the placements.
    for refused in snapshot.vms:
        if refused.id in made.refusals and not any("VMS" in text for text in refused.requirements):
            why = [played.why_not(refused, at) for at in range(len(snapshot.hosts))]
            assert all(why), f"VM {refused.id} was refused although it fits"


def _assert_round_limits(made: Plan, given_conf: SchedConf) -> None:
    per_round: dict[int, int] = {}
    per_host: dict[tuple[int, int], int] = {}
    for one in made.dispatches:
        per_round[one.round] = per_round.get(one.round, 0) + 1
        per_host[one.round, one.host_id] = per_host.get((one.round, one.host_id), 0) + 1
    if given_conf.max_dispatch:
        assert max(per_round.values(), default=0) <= given_conf.max_dispatch
    if given_conf.max_host:
        assert max(per_host.values(), default=0) <= given_conf.max_host


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_host, min_size=1, max_size=9),
    st.integers(1, 40),
    st.sampled_from(RANKS[1:]),
    st.integers(0, 99),
)
def test_each_vm_gets_the_best_host_of_its_moment(
    bodies: list[dict[str, Any]], count: int, rank: str, seed: int
) -> None:
    # VMs of two groups, one with fewer hosts, so that each has to hear of the other's placements.
    texts = ("RACK = 1", "")
    vms = [vm(number, cpu=50, memory_mb=32, requirements=texts[number % 2]) for number in range(count)]
    snapshot = cloud(vms, hosts(*bodies))
    made = plan(snapshot, conf(host_rank=rank, max_host=0, max_dispatch=0), seed)
    table = HostTable(snapshot, range(len(snapshot.hosts)))
    value = expression.rank(rank)
    by_vm = {one.id: one for one in snapshot.vms}
    index = {host.id: number for number, host in enumerate(snapshot.hosts)}
    for one in made.dispatches:
        placed = by_vm[one.vm_id]
        fit = [
            at for at in table.usable
            if table.free_cpu[at] >= placed.cpu and table.free_memory_kb[at] >= placed.memory_kb
            and (snapshot.hosts[at].cluster_id == 0 or snapshot.hosts[at].is_cloud)
            and all(table.passes(at, expression.requirement(text)) for text in placed.requirements)
        ]  # fmt: skip
        ranks = {at: value.evaluate(lambda name, at=at: table.values(at, name, 0.0)) for at in fit}
        assert one.rank == ranks[index[one.host_id]] == max(ranks.values())
        table.place(index[one.host_id], placed)
