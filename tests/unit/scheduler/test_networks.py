"""Networks for interfaces in automatic mode."""

from __future__ import annotations

import pytest

from services.scheduler.networks import template
from services.scheduler.plan import Plan, plan
from services.scheduler.records import AutoNic, Reach

from .clouds import cloud, conf, hosts, networks, stores, vm


def chosen(made: Plan) -> dict[int, list[int]]:
    """The networks of each VM, in the order of its interfaces."""
    return {one.vm_id: [network_id for _, network_id in one.networks] for one in made.dispatches}


def nics(*requirements: str, rank: str = "") -> tuple[AutoNic, ...]:
    """Interfaces from NIC_ID 0 on."""
    return tuple(AutoNic(number, (text,) if text else (), rank) for number, text in enumerate(requirements))


PUBLIC, PRIVATE = "<TRAFFIC>public</TRAFFIC>", "<TRAFFIC>private</TRAFFIC><PRIORITY>5</PRIORITY>"


def test_requirements_of_each_interface() -> None:
    nets = networks({"template": PUBLIC}, {"template": PRIVATE})
    made = plan(
        cloud([vm(1, nics=nics('TRAFFIC = "private"', "TRAFFIC = public"))], hosts({}), nets=nets), conf(), 1
    )
    assert chosen(made) == {1: [1, 0]}
    text = template(made.dispatches[0].networks)
    assert text == (
        'NIC=[NIC_ID="0",NETWORK_MODE="auto",NETWORK_ID="1"]\nNIC=[NIC_ID="1",NETWORK_MODE="auto",NETWORK_ID="0"]'
    )


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        ("- USED_LEASES", [[2], [2], [2], [0]]),  # the emptiest, until others have as few used leases
        ("USED_LEASES", [[1], [1], [1], [0]]),
        ("PRIORITY", [[2], [2], [2], [2]]),
        ("0 - ID", [[0], [0], [0], [0]]),
    ],
)
def test_policies_and_leases(rank: str, expected: list[list[int]]) -> None:
    nets = networks(
        {"size": 50, "used": 2}, {"size": 8, "used": 5}, {"size": 90, "used": 0, "template": PRIVATE}
    )
    made = plan(
        cloud([vm(number, nics=nics("")) for number in range(4)], hosts({}), nets=nets),
        conf(network_rank=rank, max_host=0),
        1,
    )
    assert list(chosen(made).values()) == expected


def test_an_interfaces_own_rank_wins() -> None:
    nets = networks({}, {"template": "<BW>10</BW>"})
    snapshot = cloud(
        [vm(1, nics=nics("", rank="BW")), vm(2, nics=nics("", rank="- BW"))], hosts({}), nets=nets
    )
    assert chosen(plan(snapshot, conf(), 1)) == {1: [1], 2: [0]}


def test_different_networks_for_the_interfaces_of_a_vm() -> None:
    snapshot = cloud([vm(1, nics=nics("", ""))], hosts({}), nets=networks({"size": 2}))
    made = plan(snapshot, conf(), 1)
    assert made.dispatches == []
    assert "no networks with free leases" in made.refusals[1].text()
    assert chosen(plan(snapshot, conf(different_vnets=False), 1)) == {1: [0, 0]}


def test_an_interface_gives_way_to_one_that_has_no_other_choice() -> None:
    nets = networks({"template": "<BW>10</BW>"}, {})
    snapshot = cloud([vm(1, nics=nics("", "BW = 10", rank="BW"))], hosts({}), nets=nets)
    assert chosen(plan(snapshot, conf(), 1)) == {1: [1, 0]}


def test_a_network_is_in_the_hosts_cluster_and_leases_run_out() -> None:
    nets = networks({"size": 2, "clusters": [1]}, {"size": 9, "used": 8, "clusters": [0]})
    found = hosts({"cluster": 0}, {"cluster": 1})
    snapshot = cloud([vm(n, nics=nics("")) for n in range(5)], found, stores({"clusters": [0, 1]}), nets)
    made = plan(snapshot, conf(), 3)
    where = {one.vm_id: (one.host_id, one.networks[0][1]) for one in made.dispatches}
    assert sorted(where.values()) == [(0, 1), (1, 0), (1, 0)]
    assert set(made.refusals) == {3, 4}
    assert made.refusals[3].counts == {"network": 2}


def test_the_owner_must_be_allowed_to_use_the_network() -> None:
    reach = Reach(True, frozenset(), frozenset(), frozenset([0]), frozenset([1]))
    snapshot = cloud([vm(1, nics=nics(""), reach=reach)], hosts({}), nets=networks({}, {}))
    assert chosen(plan(snapshot, conf(), 1)) == {1: [1]}


def test_a_broken_expression_is_the_trouble_of_one_vm() -> None:
    vms = [vm(1, nics=nics("TRAFFIC =")), vm(2, nics=nics("", rank="BW +")), vm(3, nics=nics(""))]
    made = plan(cloud(vms, hosts({}), nets=networks({})), conf(), 1)
    assert [one.vm_id for one in made.dispatches] == [3]
    assert "SCHED_REQUIREMENTS of NIC 0: expected a number or a text" in made.refusals[1].text()
    assert "SCHED_RANK of NIC 0: expected" in made.refusals[2].text()
