"""What holds for every plan, whatever the cloud looks like."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler import expression
from services.scheduler.config import SchedConf
from services.scheduler.plan import Plan, plan
from services.scheduler.records import MONITORED, VM, Snapshot
from services.scheduler.table import HostTable

from .clouds import cloud, conf, hosts, stores, vm

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

_host = st.fixed_dictionaries(
    {
        "cpu": st.sampled_from([800, 400, 250, 100, 0]),
        "cpu_used": st.sampled_from([0, 0, 50, 400]),
        "memory": st.sampled_from([4096, 2048, 500, 64, 0]),
        "state": st.sampled_from([MONITORED] * 8 + [0, 1, 3, 4, 8]),
        "cluster": st.sampled_from([0, 0, 0, 1, 2]),
        "template": st.sampled_from(["", "<RACK>1</RACK>", "<RACK>2</RACK>"]),
    }
)
_store = st.fixed_dictionaries(
    {
        "total": st.sampled_from([0, 10000]),
        "free": st.integers(0, 5000),
        "clusters": st.sampled_from([[0, 1, 2], [0], [0, 1], [1, 2], []]),
    }
)
_need = st.tuples(
    st.sampled_from([0, 10, 100, 250]), st.sampled_from([0, 64, 1024]), st.sampled_from([0, 0, 700]),
    st.sampled_from(REQUIREMENTS), st.sampled_from(RANKS), st.integers(-1, 1),
)  # fmt: skip
_conf = st.builds(
    conf,
    max_host=st.integers(0, 2),
    max_dispatch=st.sampled_from([0, 1, 3, 30]),
    max_vm=st.sampled_from([0, 1, 5, 5000]),
    host_rank=st.sampled_from([rank for rank in RANKS if rank]),
    datastore_rank=st.sampled_from(["FREE_MB", "- FREE_MB", "PRIORITY"]),
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
        )
        for number, (cpu, memory, disk, requirements, rank, priority) in enumerate(needs)
    ]
    return cloud(vms, hosts(*bodies), stores(*draw(st.lists(_store, min_size=1, max_size=3))))


def _replay(snapshot: Snapshot, made: Plan) -> HostTable:
    """Carry the plan out step by step; fails at the first step that no cloud could take."""
    table = HostTable(snapshot, range(len(snapshot.hosts)))
    index = {host.id: number for number, host in enumerate(snapshot.hosts)}
    free_mb = {store.id: store.free_mb for store in snapshot.datastores}
    by_store = {store.id: store for store in snapshot.datastores}
    by_vm = {one.id: one for one in snapshot.vms}
    for one in made.dispatches:
        placed, at = by_vm[one.vm_id], index[one.host_id]
        host, store = snapshot.hosts[at], by_store[one.ds_id]
        assert host.state == MONITORED
        assert table.free_cpu[at] >= placed.cpu and table.free_memory_kb[at] >= placed.memory_kb
        assert all(table.passes(at, expression.requirement(text)) for text in placed.requirements)
        assert host.cluster_id in store.cluster_ids
        left_mb = free_mb[store.id]
        if left_mb is not None:
            assert left_mb >= placed.disk_mb
            free_mb[store.id] = left_mb - placed.disk_mb
        table.place(at, placed)
    snapshot_free = {store.id: store for store in snapshot.datastores}
    for store_id, left_mb in free_mb.items():
        snapshot_free[store_id].free_mb = left_mb
    return table


def _could_still_go(snapshot: Snapshot, table: HostTable, one: VM) -> bool:
    for at, host in enumerate(snapshot.hosts):
        if (
            host.state != MONITORED
            or table.free_cpu[at] < one.cpu
            or table.free_memory_kb[at] < one.memory_kb
        ):
            continue
        if not all(table.passes(at, expression.requirement(text)) for text in one.requirements):
            continue
        for store in snapshot.datastores:
            if host.cluster_id in store.cluster_ids and (
                store.free_mb is None or store.free_mb >= one.disk_mb
            ):
                return True
    return False


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
    table = _replay(snapshot, made)
    # Without a requirement that follows the placements nothing that fits in the end may have been refused.
    for one in snapshot.vms:
        if one.id in made.refusals and not any("VMS" in text for text in one.requirements):
            assert not _could_still_go(snapshot, table, one), f"VM {one.id} was refused although it fits"


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
            and snapshot.hosts[at].cluster_id == 0
            and all(table.passes(at, expression.requirement(text)) for text in placed.requirements)
        ]  # fmt: skip
        ranks = {at: value.evaluate(lambda name, at=at: table.values(at, name, 0.0)) for at in fit}
        assert one.rank == ranks[index[one.host_id]] == max(ranks.values())
        table.place(index[one.host_id], placed)
