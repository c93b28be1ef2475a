"""Questions to the plan: answers about VMs and hosts, and what if something were different."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.common.oca import OneError
from services.scheduler import whatif, whatif_text
from services.scheduler.records import Reach
from services.scheduler.whatif import Change

from .clouds import cloud, conf, hosts, vm
from .test_affinity import group, grouped


def test_a_vm_that_gets_a_place_knows_which_hosts_fit() -> None:
    snapshot = cloud(
        [vm(0), vm(1, requirements="RACK = 1")], hosts({}, {"template": "<RACK>1</RACK>"}, {"state": 4})
    )
    answer = whatif.explain_vm(snapshot, conf(), 1)
    assert (answer.host_id, answer.host_name, answer.ds_id, answer.reason) == (1, "h1", 0, "")
    assert [(one.host_id, one.obstacles) for one in answer.hosts] == [
        (1, []),
        (0, ["RACK = 1 does not hold"]),
        (2, ["the host is disabled", "RACK = 1 does not hold"]),
    ]
    lines = whatif_text.vm_lines(answer, hosts_shown=1)
    assert lines[0].startswith("VM 1 gets host h1 (1), datastore 0") and lines[-1].startswith(
        "and 2 more hosts"
    )


def test_a_vm_that_waits_knows_every_obstacle_and_its_cure() -> None:
    found = hosts({"cpu": 100, "memory": 100}, {"cpu": 300})
    snapshot = cloud([vm(0, cpu=400, memory_mb=200), vm(1, requirements="(")], found)
    answer = whatif.explain_vm(snapshot, conf(), 0)
    assert answer.host_id is None and "2 lack CPU, 1 lack memory" in answer.reason
    assert [one.obstacles for one in answer.hosts] == [
        ["400% CPU needed, 300% free"],
        ["400% CPU needed, 100% free", "200 MB memory needed, 100 MB free"],
    ]
    assert answer.hosts[0].cures == ["100% more CPU were free there, or the VM asked for 300%"]
    broken = whatif.explain_vm(snapshot, conf(), 1)
    assert "SCHED_REQUIREMENTS" in broken.reason and not broken.hosts
    assert whatif_text.vm_lines(broken)[0] == "VM 1 waits"


def test_the_cure_cures() -> None:
    """What an answer says would make the VM fit, makes it fit."""
    snapshot = cloud([vm(0, cpu=400, memory_mb=9000)], hosts({"cpu": 300, "memory": 4000}))
    assert whatif.explain_vm(snapshot, conf(), 0).host_id is None
    whatif.apply(snapshot, Change(cpu_percent=300), 0)
    (host,) = whatif.explain_vm(snapshot, conf(), 0).hosts
    assert host.cures == ["5000 MB more memory were free there, or the VM asked for 4000 MB"]
    whatif.apply(snapshot, Change(memory_kb=4000 * 1024), 0)
    assert whatif.explain_vm(snapshot, conf(), 0).host_id == 0


def test_vms_of_a_host_that_were_down_look_for_places_and_keep_their_rules() -> None:
    together = group({"a": {"policy": "AFFINED", "vms": [7, 8]}})
    found = hosts({"vms": [7, 8], "cpu": 400}, {"cpu": 100}, {"cpu": 400}, {"vms": [9], "cpu": 400})
    snapshot = grouped([vm(7, host_id=0), vm(8, host_id=0)], found, together)
    whatif.apply(snapshot, Change(hosts_down=frozenset([0])))
    made = whatif.make_plan(snapshot, conf())
    assert {one.host_id for one in made.dispatches} in ({2}, {3}) and len(made.dispatches) == 2
    whatif.apply(snapshot, Change(hosts_down=frozenset([2, 3])))
    made = whatif.make_plan(snapshot, conf())
    assert not made.dispatches and set(made.refusals) == {7, 8}


def test_a_host_says_what_comes_and_what_keeps_the_others_away() -> None:
    vms = [
        vm(0, requirements="ID = 0"),
        vm(1, requirements="ID = 1"),
        vm(2, cpu=9000),
        vm(3, cpu=9000),
        vm(4, rank="("),
    ]
    answer = whatif.explain_host(cloud(vms, hosts({"cpu": 800, "cpu_used": 100}, {})), conf(), 0)
    assert (answer.coming, answer.elsewhere, answer.state) == ([0], {1: 1}, "")
    assert (answer.free_cpu_percent, answer.free_memory_mb) == (700, 65536)
    assert [ids for _, ids in answer.blocked] == [[2, 3], [4]]
    assert answer.blocked[0][0] == "9000% CPU needed, 600% free" and "SCHED_RANK" in answer.blocked[1][0]
    text = "\n".join(whatif_text.host_lines(answer))
    assert "5 VMs wait for a place" in text and "come to this host" in text
    off = whatif.explain_host(cloud(vms[:1], hosts({"state": 3})), conf(), 0)
    assert "It gets no VMs: the host is in error" in "\n".join(whatif_text.host_lines(off))
    with pytest.raises(KeyError):
        whatif.explain_host(cloud([], hosts({})), conf(), 9)
    assert "No VM waits" in whatif_text.host_lines(whatif.explain_host(cloud([], hosts({})), conf(), 0))[-1]


def test_whether_a_vm_of_some_size_would_fit() -> None:
    snapshot = cloud([vm(0, cpu=1600)], hosts({"cpu": 1600}))
    assert whatif.sized(snapshot, conf(), 0, Change(cpu_percent=1600)) == []
    (one,) = whatif.sized(snapshot, conf(), 0, Change(cpu_percent=1700, memory_kb=1024))
    assert one.words == "1700% CPU needed, 1600% free"


def test_a_vm_answers_for_its_set() -> None:
    together = group({"a": {"policy": "AFFINED", "vms": [0, 1]}})
    snapshot = grouped(
        [vm(0, cpu=300), vm(1, cpu=300), vm(2, cpu=300)], hosts({"cpu": 400}, {"cpu": 700}), together
    )
    assert whatif.explain_vm(snapshot, conf(), 0).host_id == 1
    snapshot.hosts[1].max_cpu = 500
    answer = whatif.explain_vm(snapshot, conf(), 1)
    assert answer.host_id is None and "one of 2 VMs that must share a host" in answer.reason
    at = {one.host_id: one.obstacles for one in answer.hosts}  # VM 2 has taken what it needs of one
    assert at[1] in (["600% CPU needed, 500% free"], ["600% CPU needed, 200% free"])


def test_hosts_that_the_owner_may_not_manage_are_not_named_in_the_message() -> None:
    reach = Reach(False, frozenset([1]), frozenset(), frozenset([0]))
    made = whatif.make_plan(cloud([vm(0, cpu=9999, reach=reach)], hosts({"cpu": 5000}, {})), conf())
    text = made.refusals[0].text()
    assert "h1" in text and "h0" not in text and "1 not authorized for its owner" in text


class _Pools:
    """A front-end that shows some pools and refuses others, as one does to users."""

    def __init__(self, hosts_xml: str) -> None:
        self.hosts_xml = hosts_xml

    def call(self, method: str, *args: object) -> object:
        answers: dict[str, object] = {
            "vmpool.infoextended": "<VM_POOL/>",
            "hostpool.info": f"<HOST_POOL>{self.hosts_xml}</HOST_POOL>",
            "clusterpool.info": "<CLUSTER_POOL/>",
            "datastorepool.info": "<DATASTORE_POOL/>",
            "vnpool.info": "<VNET_POOL/>",
            "vm.info": "<VM><ID>5</ID><UID>3</UID><GID>3</GID><TEMPLATE><CPU>1</CPU><MEMORY>64</MEMORY>"
            "</TEMPLATE></VM>",
        }
        if method in answers:
            return answers[method]
        raise OneError(0x200, f"{method}: Not authorized")


@pytest.fixture
def host_xml() -> Iterator[str]:
    yield "<HOST><ID>4</ID><NAME>h</NAME><STATE>2</STATE><VMS><ID>5</ID></VMS></HOST>"


def test_what_the_caller_cannot_see_is_said(host_xml: str) -> None:
    snapshot, notes = whatif.read(_Pools(host_xml), conf(), [5])
    assert [(one.id, one.host_id) for one in snapshot.vms] == [(5, 4)]
    assert notes == ["You may not read the permission rules: the owner's rights were not checked"]
    snapshot, notes = whatif.read(_Pools(""), conf(), hosts_down=[4])
    assert not snapshot.vms and notes[0].startswith("You can see no host")
