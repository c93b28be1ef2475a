"""Nonsense in one place is the trouble of that place alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.scheduler.plan import plan
from services.scheduler.records import AutoNic

from .clouds import cloud, conf, hosts, networks, vm, where
from .front_end import FakeVM, FrontEnd
from .test_loop import scheduler


@pytest.mark.parametrize(
    "body",
    [
        {"cpu": -500},
        {"memory": -1},
        {"cpu_used": 10**12},
        {"cpu": "NaN"},
        {"memory": "1e999"},
        {"running": -7, "cpu": 0},
        {"datastores": "<DS><ID>x</ID><FREE_MB>-9</FREE_MB></DS>", "memory": "-"},
    ],
)
def test_a_host_that_reports_nonsense_gets_nothing(body: dict[str, object]) -> None:
    made = plan(cloud([vm(number) for number in range(4)], hosts(body, {})), conf(), 1)
    assert where(made) == dict.fromkeys(range(4), 1)


@pytest.mark.parametrize(
    "requirements",
    ["RACK =", "RACK = 1 &", "(RACK = 1", "RACK ~ 1", '"RACK', "= 1", "!" * 300 + "RACK = 1", "A" * 70000],
)
def test_a_broken_requirement_leaves_the_others_alone(requirements: str) -> None:
    made = plan(cloud([vm(1, requirements=requirements), vm(2)], hosts({})), conf(), 1)
    assert where(made) == {2: 0}
    assert made.refusals[1].text().startswith("Cannot be placed: SCHED_REQUIREMENTS: ")


@pytest.mark.parametrize("text", ["NO_SUCH = 1", "NO_SUCH != 1", "NO_SUCH > 0", "HOST_SHARE/NO_SUCH = 1"])
def test_an_attribute_that_no_host_has(text: str) -> None:
    made = plan(cloud([vm(1, requirements=text), vm(2)], hosts({})), conf(), 1)
    assert where(made) == {2: 0}
    assert made.refusals[1].counts == {"requirements": 1}


def test_a_rank_of_unknown_attributes_ranks_all_hosts_the_same() -> None:
    assert len(plan(cloud([vm(1, rank="NO_SUCH / NOTHING")], hosts({}, {})), conf(), 1).dispatches) == 1


def test_networks_of_nonsense() -> None:
    nets = networks({"size": "many"}, {"size": 5, "used": 9}, {"size": -3})
    made = plan(cloud([vm(1, nics=(AutoNic(0),)), vm(2)], hosts({}), nets=nets), conf(), 1)
    assert where(made) == {2: 0} and made.refusals[1].counts == {"network": 1}


def test_a_datastore_of_a_moved_vm_that_is_gone() -> None:
    moved = vm(1, resched=True, host_id=0, ds_id=77, has_disks=True)
    made = plan(cloud([moved, vm(2)], hosts({}, {})), conf(), 1)
    assert set(where(made)) == {2} and made.refusals[1].counts == {"datastore": 2}


def test_a_host_that_vanishes_between_decision_and_deployment(tmp_path: Path) -> None:
    with FrontEnd(2) as front_end:
        for vm_id in range(6):
            front_end.refuse[vm_id, 1] = "Error getting host [1]."
        front_end.add(*(FakeVM(vm_id) for vm_id in range(6)))
        with scheduler(front_end, tmp_path, conf(max_host=0)):
            assert front_end.wait_for(lambda: all(one.host_id == 0 for one in front_end.vms.values()))
