"""Scheduled actions: what waits in their queue, and what running them does to VMs and documents."""

from __future__ import annotations

import time

import pytest

from services.common.template import Template
from services.oned.engine.cycle import LEASE
from services.oned.engine.due_actions import DueActions
from services.oned.fsck import due_actions
from services.oned.fsck.zone import Zone
from services.oned.store import due, leases
from services.oned.store.leases import LeaseLost
from tests.support.cloud import Cloud
from tests.support.core import Core


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def engine(cloud: Cloud) -> DueActions:
    token = cloud.core.store.run(lambda tx: leases.acquire(tx, LEASE, "test", 60.0, lambda holder: True))
    assert token is not None
    return DueActions(cloud.core.store, cloud.core.zone.conf, token)


def run_due(cloud: Cloud) -> int:
    return engine(cloud).run(0.0)


def queue(cloud: Cloud) -> list[tuple[object, ...]]:
    return cloud.core.rows("SELECT vm_id, seq, due_at FROM onebox_due ORDER BY vm_id, seq")


def actions(cloud: Cloud, vm_id: int) -> list[dict[str, str]]:
    element = cloud.document(vm_id).find("USER_TEMPLATE")
    return Template.from_element(element).vectors("SCHED_ACTION")


def wished(name: str, when: object, **more: object) -> str:
    parts = {"ACTION": name, "TIME": when, **more}
    return "SCHED_ACTION=[" + ",".join(f'{part}="{value}"' for part, value in parts.items()) + "]\n"


def ago(seconds: int = 10) -> int:
    return int(time.time()) - seconds


# -- the queue ---------------------------------------------------------------------------------------------
def test_the_queue_follows_the_document(cloud: Cloud) -> None:
    vm_id = cloud.vm(wished("poweroff", 5000000000) + wished("stop", "+3600"))
    start = int(cloud.text(vm_id, "STIME") or 0)
    assert queue(cloud) == [(vm_id, 0, 5000000000), (vm_id, 1, start + 3600)]
    cloud.call("vm.update", vm_id, wished("hold", 77), 1)
    assert queue(cloud) == [(vm_id, 0, 77)], "what is added replaces the attributes of its name"
    cloud.call("vm.update", vm_id, wished("hold", 77, DONE=80), 0)
    assert queue(cloud) == []
    cloud.call("vm.update", vm_id, wished("hold", 77), 0)
    cloud.call("vm.rename", vm_id, "other")
    assert queue(cloud) == [(vm_id, 0, 77)]
    cloud.call("vm.update", vm_id, "NOTE=1", 0)
    assert queue(cloud) == []


def test_an_ended_vm_has_nothing_to_run(cloud: Cloud) -> None:
    vm_id = cloud.vm(wished("terminate", 5000000000))
    cloud.call("vm.action", "terminate", vm_id)
    assert (cloud.state(vm_id), queue(cloud)) == ("DONE", [])
    cloud.call("vm.update", vm_id, wished("hold", 77), 1)
    assert queue(cloud) == []


def test_actions_of_a_template_are_not_run_before_there_is_a_vm(cloud: Cloud) -> None:
    text = "NAME=t CPU=0.1 MEMORY=16\n" + wished("hold", "+0", DONE=5, MESSAGE="x")
    template_id = cloud.call("template.allocate", text)
    assert queue(cloud) == []
    vm_id = cloud.call("template.instantiate", template_id, "one", False, "", False)
    assert [row[:2] for row in queue(cloud)] == [(vm_id, 0)]
    assert run_due(cloud) == 1
    assert cloud.state(vm_id) == "HOLD"


def test_a_database_of_opennebula_has_no_queue(cloud: Cloud) -> None:
    first, second = cloud.vm(wished("hold", 77)), cloud.vm(wished("hold", 5000000000))
    cloud.core.change("DELETE FROM onebox_due")
    cloud.core.change("INSERT INTO onebox_due VALUES (?, 0, 1, 1, 0)", cloud.vm())
    assert run_due(cloud) == 1
    assert (cloud.state(first), cloud.state(second)) == ("HOLD", "PENDING")
    assert queue(cloud) == [(second, 0, 5000000000)]


# -- running -----------------------------------------------------------------------------------------------
def test_an_action_is_run_once_as_oneadmin(cloud: Cloud) -> None:
    when = ago()
    vm_id = cloud.running(wished("poweroff", when, MESSAGE="old"))
    before = time.time()
    assert run_due(cloud) == 1
    (action,) = actions(cloud, vm_id)
    assert cloud.state(vm_id) == "SHUTDOWN_POWEROFF"
    assert (action["TIME"], "MESSAGE" in action) == (str(when), False)
    assert int(before) <= int(action["DONE"]) <= time.time()
    (record,) = cloud.records(vm_id)
    assert (record["ACTION"], record["UID"]) == ("19", "0")
    assert record["REQUEST_ID"] != "-1"
    assert (queue(cloud), run_due(cloud)) == ([], 0)
    cloud.end("vmm.SHUTDOWN")
    cloud.act("resume", vm_id, "vmm.DEPLOY")
    assert run_due(cloud) == 0
    assert cloud.contradictions() == []


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("terminate", "SHUTDOWN"),
        ("terminate-hard", "SHUTDOWN"),
        ("undeploy", "SHUTDOWN_UNDEPLOY"),
        ("undeploy-hard", "SHUTDOWN_UNDEPLOY"),
        ("stop", "SAVE_STOP"),
        ("suspend", "SAVE_SUSPEND"),
        ("reboot", "RUNNING"),
        ("reboot-hard", "RUNNING"),
        ("PowerOff", "SHUTDOWN_POWEROFF"),
        ("poweroff-hard", "SHUTDOWN_POWEROFF"),
    ],
)
def test_plain_actions(cloud: Cloud, name: str, condition: str) -> None:
    vm_id = cloud.running(wished(name, ago(), ARGS="ignored"))
    assert run_due(cloud) == 1
    assert cloud.state(vm_id) == condition
    assert len(cloud.waiting()) == 1
    assert "DONE" in actions(cloud, vm_id)[0]


def test_actions_of_vms_that_wait(cloud: Cloud) -> None:
    vm_id = cloud.vm(wished("hold", ago(20)) + wished("release", ago(10)) + wished("terminate", ago(5)))
    assert run_due(cloud) == 3, "in the order of their times"
    assert cloud.state(vm_id) == "DONE"
    assert all("DONE" in action for action in actions(cloud, vm_id))
    assert queue(cloud) == []
    assert cloud.contradictions() == []


def test_two_actions_of_one_moment(cloud: Cloud) -> None:
    when = ago()
    vm_id = cloud.vm(wished("hold", when) + wished("release", when))
    assert run_due(cloud) == 2
    assert [set(action) >= {"DONE"} for action in actions(cloud, vm_id)] == [True, True]
    assert cloud.state(vm_id) == "PENDING"


def test_snapshots(cloud: Cloud) -> None:
    vm_id = cloud.running(wished("snapshot-create", ago(), ARGS=" nightly , x"))
    assert run_due(cloud) == 1
    assert cloud.text(vm_id, "TEMPLATE/SNAPSHOT/NAME") == "nightly"
    cloud.end("vmm.SNAPSHOT_CREATE")
    for name in ("snapshot-revert", "snapshot-delete"):
        cloud.call("vm.update", vm_id, wished(name, ago(), ARGS="0"), 0)
        assert run_due(cloud) == 1
        cloud.end(f"vmm.{name.upper().replace('-', '_')}")
    assert cloud.document(vm_id).find("TEMPLATE/SNAPSHOT") is None


def test_disk_snapshots(cloud: Cloud) -> None:
    image_id = cloud.images.ready("NAME=d TYPE=DATABLOCK SIZE=5 PERSISTENT=YES")
    vm_id = cloud.off(f"DISK=[IMAGE_ID={image_id}]")
    for name, args in (
        ("disk-snapshot-create", "0, before"),
        ("disk-snapshot-create", "0,after"),
        ("disk-snapshot-revert", "0,0"),
        ("disk-snapshot-delete", "0,1"),
    ):
        cloud.call("vm.update", vm_id, wished(name, ago(), ARGS=args), 0)
        assert run_due(cloud) == 1
        assert "DONE" in actions(cloud, vm_id)[0], actions(cloud, vm_id)
        cloud.end(f"tm.{name.upper().replace('-', '_')}")
    assert [name.text for name in cloud.document(vm_id).findall("SNAPSHOTS/SNAPSHOT/NAME")] == ["before"]


def test_a_repeated_action_moves_on(cloud: Cloud) -> None:
    when = ago(100)
    vm_id = cloud.running(wished("reboot", when, REPEAT=3, DAYS=1, END_TYPE=1, END_VALUE=2))
    assert run_due(cloud) == 1
    (action,) = actions(cloud, vm_id)
    assert (action["TIME"], action["END_VALUE"]) == (str(when + 3600), "1")
    assert queue(cloud) == [(vm_id, 0, when + 3600)]
    assert run_due(cloud) == 0


# -- refusals ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("fly", "", "This action is not supported: 'fly'"),
        ("resched", "", "This action is not supported: 'resched'"),
        ("", "", "This action is not supported: ''"),
        ("shutdown", "", '[one.vm.action] Action "shutdown" is not supported'),
        ("snapshot-create", "", "Missing or malformed ARGS for: snapshot-create. Format: snapshot-name"),
        ("snapshot-revert", "a", "Missing or malformed ARGS for: snapshot-revert. Format: snapshot-id"),
        (
            "disk-snapshot-create",
            "0",
            "Missing or malformed ARGS for: disk-snapshot-create. Format: disk-id,",
        ),
        (
            "disk-snapshot-delete",
            "0,",
            "Missing or malformed ARGS for: disk-snapshot-delete. Format: disk-id,",
        ),
        ("release", "", '[one.vm.action] Error performing action "release": virtual machine 0 is in state'),
        ("snapshot-delete", "7", "[one.vm.snapshotdelete] Virtual machine 0 has no snapshot 7"),
    ],
)
def test_a_refusal_is_noted_and_changes_nothing(cloud: Cloud, name: str, args: str, message: str) -> None:
    when = ago()
    vm_id = cloud.running(wished(name, when, ARGS=args))
    assert run_due(cloud) == 1
    (action,) = actions(cloud, vm_id)
    stamp, _, text = action["MESSAGE"].partition(" : ")
    assert text.startswith(message)
    time.strptime(stamp, "%a %b %d %H:%M:%S %Y")
    assert ("DONE" in action, action["TIME"]) == (False, str(when))
    assert (cloud.state(vm_id), cloud.waiting()) == ("RUNNING", [])
    assert cloud.document(vm_id).find("TEMPLATE/SNAPSHOT") is None
    assert run_due(cloud) == 0, "not again at once"
    assert queue(cloud) == [(vm_id, 0, when)]
    assert cloud.contradictions() == []


def test_a_refused_action_is_tried_again_later_and_later(cloud: Cloud) -> None:
    cloud.vm(wished("resume", ago()))
    waits = []
    for _ in range(8):
        assert run_due(cloud) == 1
        ((not_before,),) = cloud.core.rows("SELECT not_before FROM onebox_due")
        waits.append(round((not_before - time.time()) / 10) * 10)
        assert run_due(cloud) == 0
        cloud.core.change("UPDATE onebox_due SET not_before = 0")
    assert waits == [30, 60, 120, 240, 480, 600, 600, 600]


def test_it_is_tried_again_when_the_vm_comes_to_rest(cloud: Cloud) -> None:
    vm_id = cloud.vm(wished("poweroff", ago()))
    assert run_due(cloud) == 1
    assert "state PENDING" in actions(cloud, vm_id)[0]["MESSAGE"]
    cloud.call("vm.deploy", vm_id, cloud.host, False, cloud.system, "")
    cloud.end("tm.PROLOG")
    assert run_due(cloud) == 0
    cloud.end("vmm.DEPLOY")
    assert run_due(cloud) == 1
    assert cloud.state(vm_id) == "SHUTDOWN_POWEROFF"
    assert "MESSAGE" not in actions(cloud, vm_id)[0]


def test_refusals_hold_up_nobody(cloud: Cloud) -> None:
    bad = [cloud.vm(wished("resume", ago(50))) for _ in range(25)]
    good = cloud.vm(wished("hold", ago(5)))
    runner = engine(cloud)
    assert (runner.run(0.0), runner.run(0.0), runner.run(2.0)) == (20, 6, 0)
    assert cloud.state(good) == "HOLD"
    assert all("MESSAGE" in actions(cloud, vm_id)[0] for vm_id in bad)


def test_a_broken_document_holds_up_nobody(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    broken, good = cloud.vm(wished("hold", ago(50))), cloud.vm(wished("hold", ago(5)))
    cloud.core.change("UPDATE vm_pool SET body = '<VM><ID>' WHERE oid = ?", broken)
    assert run_due(cloud) == 2
    assert cloud.state(good) == "HOLD"
    assert run_due(cloud) == 0
    assert "cannot be kept" in caplog.text


# -- who may run them --------------------------------------------------------------------------------------
def test_an_action_that_was_changed_meanwhile_is_not_run(cloud: Cloud) -> None:
    vm_id = cloud.vm(wished("hold", ago()))
    runner = engine(cloud)
    (row,) = cloud.core.store.read_value(lambda tx: due.ready(tx, int(time.time()), 5))
    cloud.call("vm.update", vm_id, wished("hold", 5000000000), 0)
    cloud.core.store.run(lambda tx: runner._perform(tx, row))
    assert cloud.state(vm_id) == "PENDING"
    assert queue(cloud) == [(vm_id, 0, 5000000000)]


def test_an_engine_that_lost_its_lease_runs_nothing(cloud: Cloud) -> None:
    vm_id = cloud.vm(wished("hold", ago()))
    old = engine(cloud)
    engine(cloud)
    with pytest.raises(LeaseLost):
        old.run(0.0)
    assert (cloud.state(vm_id), "DONE" in actions(cloud, vm_id)[0]) == ("PENDING", False)


# -- consistency -------------------------------------------------------------------------------------------
def test_the_queue_is_checked_and_repaired(cloud: Cloud) -> None:
    kept, lost = cloud.vm(wished("hold", 77)), cloud.vm(wished("hold", 99) + wished("stop", "x"))
    ended = cloud.vm(wished("hold", 78, DONE=79))
    assert cloud.contradictions() == []
    cloud.core.change("DELETE FROM onebox_due WHERE vm_id = ?", lost)
    cloud.core.change("INSERT INTO onebox_due VALUES (?, 0, 78, 78, 0)", ended)
    cloud.core.change("INSERT INTO onebox_due VALUES (5000, 0, 1, 1, 0)")
    with cloud.core.store.read() as tx:
        found = list(due_actions.check(Zone(tx)))
    assert [str(finding).split(":")[0] for finding in found] == [
        f"virtual machine {vm_id}" for vm_id in (lost, ended, 5000)
    ]
    for finding in found:
        assert finding.fix is not None
        cloud.core.store.run(finding.fix)
    assert queue(cloud) == [(kept, 0, 77), (lost, 0, 99)]
    assert cloud.contradictions() == []
