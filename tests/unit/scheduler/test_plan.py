"""What the planner does with small clouds whose right answer is plain."""

from __future__ import annotations

import pytest

from services.scheduler.plan import plan

from .clouds import cloud, conf, hosts, placed, stores, vm, where

FREE = "<CAPACITY><FREE_CPU>{}</FREE_CPU></CAPACITY>"


@pytest.mark.parametrize("max_host", [0, 1, 3])
def test_twenty_equal_vms_are_spread_ten_and_ten(max_host: int) -> None:
    made = plan(cloud([vm(i) for i in range(20)], hosts({}, {})), conf(max_host=max_host), seed=7)
    assert {host: len(ids) for host, ids in placed(made).items()} == {0: 10, 1: 10}
    assert not made.refusals


def test_striping_counts_what_runs_already() -> None:
    made = plan(cloud([vm(i) for i in range(4)], hosts({"running": 4}, {})), conf(max_host=0), seed=1)
    assert placed(made) == {1: [0, 1, 2, 3]}


def test_packing_fills_one_host_first() -> None:
    snapshot = cloud([vm(i) for i in range(6)], hosts({"cpu": 400}, {"cpu": 400}, {"cpu": 400}))
    made = plan(snapshot, conf(host_rank="RUNNING_VMS", max_host=0), seed=3)
    assert sorted(len(ids) for ids in placed(made).values()) == [2, 4]


def test_load_aware_takes_the_most_free_cpu_and_counts_its_own_placements() -> None:
    found = hosts({"monitoring": FREE.format(500)}, {"monitoring": FREE.format(700)})
    made = plan(cloud([vm(i) for i in range(4)], found), conf(host_rank="FREE_CPU", max_host=0), seed=1)
    assert [one.host_id for one in made.dispatches][:2] == [1, 1]
    assert {host: len(ids) for host, ids in placed(made).items()} == {0: 1, 1: 3}


def test_load_aware_spreads_over_hosts_that_nobody_measured() -> None:
    vms = [vm(i) for i in range(4)]
    made = plan(cloud(vms, hosts({}, {})), conf(host_rank="FREE_CPU", max_host=0), seed=1)
    assert {host: len(ids) for host, ids in placed(made).items()} == {0: 2, 1: 2}


def test_custom_policy_ranks_by_its_expression() -> None:
    found = hosts({"template": "<SPEED>1</SPEED>"}, {"template": "<SPEED>9</SPEED>"}, {})
    made = plan(cloud([vm(0)], found), conf(host_rank="SPEED * 2"), seed=1)
    assert where(made) == {0: 1}


def test_fixed_policy_asks_host_then_cluster() -> None:
    found = hosts(
        {"template": "<PRIORITY>2</PRIORITY>", "cluster": 0},
        {"cluster": 1},
        {"template": "<PRIORITY>-1</PRIORITY>", "cluster": 1},
        clusters={0: "", 1: "<PRIORITY>5</PRIORITY>"},
    )
    datastores = stores({"clusters": [0, 1]})
    made = plan(cloud([vm(i) for i in range(3)], found, datastores), conf(host_rank="PRIORITY"), seed=1)
    assert where(made) == {0: 1, 1: 0, 2: 2}


def test_a_vms_own_rank_wins() -> None:
    found = hosts({"template": "<SPEED>1</SPEED>"}, {"template": "<SPEED>9</SPEED>", "running": 5})
    made = plan(cloud([vm(0, rank="SPEED"), vm(1)], found), conf(max_host=0), seed=1)
    assert where(made) == {0: 1, 1: 0}


def test_max_host_is_a_limit_of_each_round() -> None:
    made = plan(cloud([vm(i) for i in range(20)], hosts({}, {})), conf(max_host=2), seed=1)
    per_round: dict[tuple[int, int], int] = {}
    for one in made.dispatches:
        per_round[one.round, one.host_id] = per_round.get((one.round, one.host_id), 0) + 1
    assert set(per_round.values()) == {2}
    assert made.rounds == 5


def test_max_vm_does_not_let_refused_vms_block_the_others() -> None:
    vms = [vm(i, cpu=99999) for i in range(10)] + [vm(10)]
    made = plan(cloud(vms, hosts({})), conf(max_vm=3), seed=1)
    assert where(made) == {10: 0}
    assert set(made.refusals) == set(range(10))


def test_priority_then_age_decides_who_gets_the_last_place() -> None:
    found = hosts({"cpu": 200})
    made = plan(cloud([vm(4), vm(2), vm(9, priority=5)], found), conf(), seed=1)
    assert [one.vm_id for one in made.dispatches] == [9, 2]
    assert set(made.refusals) == {4}


def test_a_small_vm_passes_a_big_one_that_does_not_fit() -> None:
    made = plan(cloud([vm(0, cpu=900), vm(1, cpu=100)], hosts({"cpu": 400})), conf(), seed=1)
    assert where(made) == {1: 0}
    text = made.refusals[0].text()
    assert "Nearest is host h0: 900% CPU needed, 300% free. It would fit if 600% more CPU were free" in text


@pytest.mark.parametrize("state", [0, 1, 3, 4, 5, 6, 7, 8])
def test_only_monitored_hosts_take_vms(state: int) -> None:
    made = plan(cloud([vm(0)], hosts({"state": state})), conf(), seed=1)
    assert not made.dispatches
    assert made.refusals[0].counts == {"state": 1}


def test_nonsense_from_a_host_harms_no_other() -> None:
    found = hosts({"cpu": -5}, {"cpu": "much"}, {"cpu_used": 10**9}, {})
    made = plan(cloud([vm(0), vm(1)], found), conf(), seed=1)
    assert set(where(made).values()) == {3}


def test_requirements_of_the_vm_and_of_the_front_end_must_hold() -> None:
    found = hosts({"template": "<A>1</A>"}, {"template": "<A>1</A><B>1</B>"}, {"template": "<B>1</B>"})
    made = plan(cloud([vm(0, requirements=("A = 1", "B = 1"))], found), conf(), seed=1)
    assert where(made) == {0: 1}


def test_a_broken_expression_stops_only_its_own_vm() -> None:
    vms = [
        vm(0, requirements="ID >= 1"),
        vm(1, rank="1 +"),
        vm(2, ds_requirements="("),
        vm(3, ds_rank="@"),
        vm(4),
    ]
    made = plan(cloud(vms, hosts({})), conf(), seed=1)
    assert where(made) == {4: 0}
    texts = {vm_id: reason.text() for vm_id, reason in made.refusals.items()}
    assert texts[0].startswith("Cannot be placed: SCHED_REQUIREMENTS: expected a number or a text after ID >")
    assert texts[1].startswith("Cannot be placed: SCHED_RANK: expected a number")
    assert texts[2].startswith("Cannot be placed: SCHED_DS_REQUIREMENTS: expected an attribute name")
    assert texts[3].startswith("Cannot be placed: SCHED_DS_RANK: unexpected '@'")


def test_a_vm_that_cannot_be_read_waits_with_its_error() -> None:
    made = plan(cloud([vm(0, error="CPU must be a number"), vm(1)], hosts({})), conf(), seed=1)
    assert where(made) == {1: 0}
    assert made.refusals[0].text() == "Cannot be placed: CPU must be a number"


def test_requirements_follow_the_plan() -> None:
    vms = [vm(i, requirements="RUNNING_VMS < 2") for i in range(6)]
    made = plan(cloud(vms, hosts({}, {})), conf(max_host=0), seed=1)
    assert {host: len(ids) for host, ids in placed(made).items()} == {0: 2, 1: 2}
    assert {reason.counts["requirements"] for reason in made.refusals.values()} == {2}


def test_current_vms_sees_vms_of_the_same_plan() -> None:
    vms = [vm(1, requirements="CURRENT_VMS = 2"), vm(2), vm(3, requirements="CURRENT_VMS != 2")]
    at = where(plan(cloud(vms, hosts({}, {})), conf(), seed=1))
    assert at[1] == at[2] != at[3]


def test_vms_that_wait_for_each_other_end_the_plan() -> None:
    vms = [vm(1, requirements="CURRENT_VMS = 2"), vm(2, requirements="CURRENT_VMS = 1"), vm(3)]
    made = plan(cloud(vms, hosts({}, {})), conf(), seed=1)
    assert set(made.refusals) == {1, 2}


def test_hosts_to_avoid_are_avoided_and_named() -> None:
    made = plan(
        cloud([vm(0), vm(1)], hosts({}, {})), conf(), 1, avoid={0: frozenset([0, 1]), 1: frozenset([0])}
    )
    assert where(made) == {1: 1}
    assert made.refusals[0].counts == {"backoff": 2}


def test_a_vm_to_be_moved_never_stays() -> None:
    made = plan(cloud([vm(0, resched=True, host_id=1)], hosts({"running": 9}, {})), conf(), seed=1)
    assert where(made) == {0: 0}
    made = plan(cloud([vm(0, resched=True, host_id=0)], hosts({})), conf(), seed=1)
    assert made.refusals[0].counts == {"current": 1}


def test_the_seed_decides_ties_and_nothing_else() -> None:
    snapshot = cloud([vm(i) for i in range(5)], hosts(*[{}] * 10))
    first = plan(snapshot, conf(), seed=1)
    assert plan(snapshot, conf(), seed=1) == first
    assert any(where(plan(snapshot, conf(), seed=seed)) != where(first) for seed in range(2, 6))


def test_without_hosts_or_vms() -> None:
    assert not plan(cloud([], hosts({})), conf(), seed=1).dispatches
    made = plan(cloud([vm(0)], []), conf(), seed=1)
    assert made.refusals[0].text() == "Cannot be placed: there are no hosts"


# -- datastores ----------------------------------------------------------------------------------------
def test_the_datastore_has_to_be_of_the_hosts_cluster() -> None:
    found = hosts({"cluster": 0}, {"cluster": 1})
    made = plan(cloud([vm(0), vm(1)], found, stores({"clusters": [1]})), conf(), seed=1)
    assert {(one.host_id, one.ds_id) for one in made.dispatches} == {(1, 0)}
    made = plan(cloud([vm(0)], found, stores({"clusters": [7]})), conf(), seed=1)
    assert made.refusals[0].counts == {"datastore": 2}


@pytest.mark.parametrize("body", [{"type": 0}, {"type": 2}, {"state": 1}, {"clusters": []}])
def test_only_ready_system_datastores_serve(body: dict[str, object]) -> None:
    made = plan(cloud([vm(0)], hosts({}), stores(body, {})), conf(), seed=1)
    assert [one.ds_id for one in made.dispatches] == [1]


@pytest.mark.parametrize(
    ("rank", "expected"), [("FREE_MB", 1), ("- FREE_MB", 0), ("PRIORITY", 2), ("0 - ID", 0)]
)
def test_datastore_policies(rank: str, expected: int) -> None:
    datastores = stores(
        {"total": 100, "free": 10}, {"total": 100, "free": 90},
        {"total": 100, "free": 50, "template": "<PRIORITY>1</PRIORITY>"},
    )  # fmt: skip
    made = plan(cloud([vm(0)], hosts({}), datastores), conf(datastore_rank=rank), seed=1)
    assert [one.ds_id for one in made.dispatches] == [expected]


def test_datastore_requirements_and_rank_of_the_vm() -> None:
    datastores = stores({"template": "<KIND>slow</KIND>"}, {"template": "<KIND>fast</KIND>"}, {})
    vms = [
        vm(0, ds_requirements="KIND = fast"),
        vm(1, ds_rank="ID"),
        vm(2, ds_requirements='"CLUSTERS/ID" @> 3'),
    ]
    made = plan(cloud(vms, hosts({}), datastores), conf(), seed=1)
    assert {one.vm_id: one.ds_id for one in made.dispatches} == {0: 1, 1: 2}
    assert made.refusals[2].counts == {"datastore": 1}


def test_shared_space_is_shared_by_all_hosts() -> None:
    vms = [vm(i, disk_mb=400) for i in range(5)]
    made = plan(cloud(vms, hosts({}, {}), stores({"total": 2000, "free": 1000})), conf(), seed=1)
    assert len(made.dispatches) == 2
    assert made.refusals[4].counts == {"disk": 2}
    assert "400 MB disk needed, 200 MB free" in made.refusals[4].text()


def test_striping_over_datastores_follows_the_space_left() -> None:
    datastores = stores({"total": 9999, "free": 1000}, {"total": 9999, "free": 1000})
    made = plan(cloud([vm(i, disk_mb=100) for i in range(8)], hosts({}), datastores), conf(), seed=1)
    assert sorted(one.ds_id for one in made.dispatches) == [0] * 4 + [1] * 4


def test_space_of_a_host_is_its_own() -> None:
    local = "<DS><ID>0</ID><FREE_MB>500</FREE_MB><TOTAL_MB>9999</TOTAL_MB></DS>"
    rest = "<FREE_DISK>900</FREE_DISK><MAX_DISK>1000</MAX_DISK>"
    found = hosts({"datastores": local}, {"datastores": rest}, {"datastores": "<FREE_DISK>0</FREE_DISK>"})
    vms = [vm(i, disk_mb=450, requirements="ID < 2") for i in range(4)]
    made = plan(cloud(vms, found, stores({"shared": "NO"})), conf(max_host=0), seed=1)
    assert {host: len(ids) for host, ids in placed(made).items()} == {0: 1, 1: 2}
    made = plan(
        cloud([vm(9, disk_mb=450, requirements="ID = 2")], found, stores({"shared": "NO"})), conf(), seed=1
    )
    assert where(made) == {9: 2}, "a host that never reported its disk counts as not measured"


def test_copies_in_an_image_datastore_need_room_there() -> None:
    datastores = stores({}, {"type": 0, "total": 1000, "free": 300})
    vms = [vm(i, image_mb=((1, 200),)) for i in range(2)]
    made = plan(cloud(vms, hosts({}), datastores), conf(), seed=1)
    assert where(made) == {0: 0}
    assert made.refusals[1].text() == (
        "Cannot be placed: image datastore ds1 has 100 MB free, 200 MB are needed"
    )


def test_the_explanation_counts_hosts_by_reason() -> None:
    found = hosts(
        {"state": 4}, {"state": 3}, {"template": "<A>0</A>"}, {"template": "<A>1</A>", "cluster": 9},
        {"template": "<A>1</A>", "cpu": 150}, {"template": "<A>1</A>", "memory": 100, "cpu": 10},
    )  # fmt: skip
    made = plan(cloud([vm(0, cpu=200, requirements="A = 1")], found), conf(), seed=1)
    assert made.refusals[0].counts == {"state": 2, "requirements": 1, "datastore": 1, "cpu": 2, "memory": 1}
    assert made.refusals[0].text() == (
        "Cannot be placed on any of 6 hosts: 2 not monitored, 1 fail the requirements, 1 have no suitable "
        "system datastore, 2 lack CPU, 1 lack memory. Nearest is host h4: 200% CPU needed, 150% free. "
        "It would fit if 50% more CPU were free there, or the VM asked for 150%"
    )
