"""PCI devices and NUMA topologies in a plan."""

from __future__ import annotations

from typing import Any

import pytest

from services.common.numa_pin import Pinning
from services.common.pci import Request
from services.scheduler.books import count_under_way
from services.scheduler.devices import Needs, needs
from services.scheduler.plan import Dispatch, plan
from services.scheduler.records import AutoNic

from .clouds import cards, cloud, conf, hosts, networks, numa, vm, where
from .test_affinity import group, grouped

CARD = Request(vendor=0x8086, kind=0x200)


def pci(*requests: Request) -> Needs:
    return Needs(requests)


def pinned(*nodes: tuple[int, int], **more: Any) -> Needs:
    """Virtual nodes of (CPUs, MB)."""
    return Needs((), Pinning(tuple((cpus, memory_mb * 1024) for cpus, memory_mb in nodes), **more))


# -- PCI devices -------------------------------------------------------------------------------------------
def test_vms_go_where_cards_are_free() -> None:
    found = hosts({}, {"devices": cards(3, _1=77)}, {"devices": cards(1)})
    made = plan(cloud([vm(n, needs=pci(CARD)) for n in range(5)], found), conf(), 1)
    placed = sorted(where(made).values())
    assert placed == [1, 1, 2]
    assert made.refusals[4].counts == {"pci": 3}
    assert "lack a free PCI device" in made.refusals[4].text()


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ((CARD, CARD), True),
        ((CARD, CARD, CARD), False),
        ((Request(device=1),), True),
        ((Request(device=1), Request(device=1)), False),
        ((CARD, Request(device=0)), True),  # whatever the order: the first must not take the only one
        ((Request(device=0), CARD), True),
        ((Request(vendor=0x10DE),), False),
        ((Request(short_address="01:00.0"),), False),  # these cards do not say theirs
        ((Request(),), False),
    ],
)
def test_what_is_asked_for(asked: tuple[Request, ...], fits: bool) -> None:
    made = plan(cloud([vm(1, needs=pci(*asked))], hosts({"devices": cards(2)})), conf(), 1)
    assert bool(made.dispatches) == fits


def test_a_deployment_under_way_has_its_cards() -> None:
    found = hosts({"devices": cards(2)})
    first = Dispatch(9, 0, 0, 100, 1024, 0.0, 1, needs=pci(CARD))
    count_under_way(found, {9: first})
    made = plan(cloud([vm(n, needs=pci(CARD)) for n in range(2)], found), conf(), 1)
    assert where(made) == {0: 0} and set(made.refusals) == {1}


def test_vms_without_such_needs_do_not_read_devices() -> None:
    found = hosts(
        {"devices": "<PCI_DEVICES><PCI><VMID>x</VMID></PCI></PCI_DEVICES><NUMA_NODES><NODE/></NUMA_NODES>"}
    )
    assert where(plan(cloud([vm(1)], found), conf(), 1)) == {1: 0}


def test_vms_that_must_share_a_host_need_cards_and_networks_for_all_of_them() -> None:
    found = hosts({"devices": cards(1)}, {"devices": cards(3)}, {"devices": cards(2)}, {})
    together = group({"gpu": {"policy": "AFFINED", "vms": [1, 2, 3]}})
    vms = [vm(n, needs=pci(CARD), nics=(AutoNic(0),)) for n in (1, 2, 3)]
    snapshot = grouped([*vms, vm(4, needs=pci(CARD))], found, together)
    snapshot.networks = networks({"size": 2}, {"size": 2})
    made = plan(snapshot, conf(max_host=0), 1)
    assert {where(made)[n] for n in (1, 2, 3)} == {1} and where(made)[4] in (0, 2)
    snapshot.networks = networks({"size": 1}, {"size": 1})
    made = plan(snapshot, conf(max_host=0), 1)
    assert set(where(made)) == {4} and set(made.refusals) == {1, 2, 3}


# -- NUMA topologies ---------------------------------------------------------------------------------------
def test_pinned_vms_fill_the_cores() -> None:
    found = hosts({"devices": numa(2, 2)}, {})
    made = plan(cloud([vm(n, needs=pinned((2, 64))) for n in range(5)], found), conf(), 1)
    assert where(made) == {0: 0, 1: 0, 2: 0, 3: 0}, "four cores of two threads"
    assert made.refusals[4].counts == {"numa": 2}


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (pinned((1, 64), is_dedicated=True), 4),
        (pinned((1, 64), threads=1), 8),
        (pinned((3, 64)), 2),  # three CPUs, each of a core of its own, on one node
        (pinned((2, 64), (2, 64)), 2),
        (pinned((4, 64), (4, 64)), 1),
        (pinned((5, 64)), 0),
        (pinned((2, 64), threads=4), 0),
        (pinned((1, 600)), 2),  # memory of a node: 1000 MB
        (pinned((1, 512), page_kb=2048), 2),  # pages of a node: 300 x 2 MB
        (pinned((1, 64), page_kb=1 << 20), 0),
    ],
)
def test_what_fits_on_two_nodes_of_two_cores(wanted: Needs, count: int) -> None:
    found = hosts({"devices": numa(2, 2, memory_mb=1000, pages=300)})
    made = plan(cloud([vm(n, cpu=1, memory_mb=1, needs=wanted) for n in range(9)], found), conf(), 1)
    assert len(made.dispatches) == count


def test_memory_may_come_from_the_neighbour() -> None:
    found = hosts({"devices": numa(2, 1, memory_mb=1000)})
    vms = [vm(1, memory_mb=1, needs=pinned((2, 900))), vm(2, memory_mb=1, needs=pinned((1, 900)))]
    vms.append(vm(3, memory_mb=1, needs=pinned((1, 90))))
    assert where(plan(cloud(vms, found), conf(), 1)) == {1: 0, 2: 0, 3: 0}


def test_virtual_cpus_may_share_threads() -> None:
    share = numa(1, 1) + "<VMS_THREAD>3</VMS_THREAD>"
    found = hosts({"devices": share})
    made = plan(cloud([vm(n, needs=pinned((2, 64))) for n in range(5)], found), conf(), 1)
    assert len(made.dispatches) == 3


def test_needs_of_a_template() -> None:
    assert needs([], {}, []) is None
    assert needs([], {"PIN_POLICY": "NONE", "CORES": "2"}, []) is None
    odd = needs([{"CLASS": "zz"}], {"PIN_POLICY": "core"}, [{"TOTAL_CPUS": "-2", "MEMORY": "x"}])
    assert odd == Needs((Request(),), Pinning(((0, 0),), is_dedicated=True))
