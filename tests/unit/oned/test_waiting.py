"""What a VM waits for, in every kind of condition; the method that says so, and its JSON."""

from __future__ import annotations

import time

import pytest

from services.common import paths
from services.common.template import Template
from services.oned.engine.cycle import LEASE
from services.oned.engine.slow import Slow
from services.oned.lifecycle import waiting
from services.oned.lifecycle.transitions import STABLE, TABLE
from services.oned.lifecycle.waiting import Waiting, explain
from services.oned.model.vm import VM
from services.oned.monitor.host import apply_host_report
from services.oned.store import jobs, leases
from tests.support.cloud import Cloud
from tests.support.core import Core
from tests.support.http import Http


@pytest.fixture
def cloud(core: Core) -> Cloud:
    """A zone with an engine."""
    core.store.run(lambda tx: leases.acquire(tx, LEASE, "test", 600.0))
    return Cloud(core)


def why(cloud: Cloud, vm_id: int) -> Waiting | None:
    return cloud.core.store.read_value(lambda tx: explain(tx, VM.load(tx, vm_id)))


def must(cloud: Cloud, vm_id: int) -> Waiting:
    found = why(cloud, vm_id)
    assert found is not None
    assert found.waits_for and found.next_step
    assert abs(found.since_s - time.time()) < 60
    return found


def deploying(cloud: Cloud, extra: str = "") -> int:
    vm_id = cloud.vm(extra)
    cloud.call("vm.deploy", vm_id, cloud.host, False, cloud.system, "")
    return vm_id


# -- at rest -----------------------------------------------------------------------------------------------
def test_nothing(cloud: Cloud) -> None:
    for vm_id in (cloud.running(), cloud.off(), cloud.suspended(), cloud.stopped(), cloud.undeployed()):
        assert why(cloud, vm_id) is None, cloud.state(vm_id)
    ended = cloud.vm()
    cloud.call("vm.action", "terminate", ended)
    assert why(cloud, ended) is None


def test_a_host(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    found = must(cloud, vm_id)
    assert (found.waits_for, found.error) == ("a host", "")
    cloud.call("vm.update", vm_id, 'SCHED_MESSAGE="Tue : no host has the memory"', 1)
    found = must(cloud, vm_id)
    assert found.error == "Tue : no host has the memory"
    assert f"onevm deploy {vm_id}" in found.next_step


def test_a_person(cloud: Cloud) -> None:
    vm_id = cloud.vm(hold=True)
    assert must(cloud, vm_id).next_step == f"onevm release {vm_id}"
    running = cloud.running()
    cloud.call("vm.action", "resched", running)
    found = must(cloud, running)
    assert found.waits_for == "another host" and f"onevm unresched {running}" in found.next_step


def test_a_host_that_cannot_be_reached(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.core.store.run(lambda tx: apply_host_report(tx, cloud.host, False, Template(), "no route"))
    found = must(cloud, vm_id)
    assert found.waits_for == "news of its machine on host node1, which is ERROR"
    assert found.host == "node1" and "no route" in found.error
    cloud.core.change("DELETE FROM host_pool WHERE oid = ?", cloud.host)
    assert "which is deleted" in must(cloud, vm_id).waits_for


def test_a_scheduled_action(cloud: Cloud) -> None:
    when = int(time.time()) - 5
    vm_id = cloud.running(f"SCHED_ACTION=[ACTION=release,TIME={when},MESSAGE=never]")
    assert why(cloud, vm_id) is None, "it was not refused yet"
    cloud.core.change("UPDATE onebox_due SET tries = 3")
    found = must(cloud, vm_id)
    assert found.waits_for == "its scheduled action release, refused 3 times"
    assert (found.since_s, found.error) == (when, "never")


# -- driver work -------------------------------------------------------------------------------------------
def test_work_that_waits_for_its_turn(cloud: Cloud) -> None:
    first, second = deploying(cloud), deploying(cloud)
    cloud.core.change("DELETE FROM onebox_job WHERE kind <> 'VM'")
    cloud.core.store.run(lambda tx: jobs.claim(tx, 1, 1))
    found = must(cloud, second)
    assert found.waits_for == "its turn for tm.PROLOG on host node1: 1 of driver ssh run, 1 of them there"
    assert (found.operation, found.host, found.attempt, found.deadline_s) == ("tm.PROLOG", "node1", 1, 0)
    found = must(cloud, first)
    assert found.waits_for == "tm.PROLOG by driver ssh on host node1"


def test_work_that_runs(cloud: Cloud) -> None:
    vm_id = deploying(cloud)
    cloud.core.change("UPDATE onebox_job SET attempt = 2, created = created - 30")
    cloud.core.change("DELETE FROM onebox_job WHERE kind <> 'VM'")
    (job,) = cloud.core.store.run(lambda tx: jobs.claim(tx, 1, 1))
    cloud.core.store.run(lambda tx: jobs.set_deadline(tx, job.id, 900))
    found = must(cloud, vm_id)
    assert "(2 attempts: an engine ended meanwhile)" in found.waits_for
    assert f"onevm recover --failure {vm_id}" in found.next_step
    assert (found.since_s, found.attempt) == (job.created, 2)
    assert abs(found.deadline_s - time.time() - 900) < 5


def test_work_for_later(cloud: Cloud) -> None:
    vm_id = deploying(cloud)
    later = int(time.time()) + 3600
    cloud.core.change("UPDATE onebox_job SET not_before = ?", later)
    moment = time.strftime("%H:%M:%S", time.localtime(later))
    assert must(cloud, vm_id).waits_for == f"{moment}, when tm.PROLOG on host node1 is tried"


def test_the_engine(cloud: Cloud) -> None:
    vm_id = deploying(cloud)
    for change in ("UPDATE onebox_lease SET expires_at = 0", "DELETE FROM onebox_lease"):
        cloud.core.change(change)
        found = must(cloud, vm_id)
        assert "the engine, which does not run" in found.waits_for
        assert found.next_step.startswith("start the program opennebula-engine")


def test_cancelled_work(cloud: Cloud) -> None:
    vm_id = deploying(cloud)
    cloud.core.change("DELETE FROM onebox_job WHERE kind <> 'VM'")
    cloud.core.store.run(lambda tx: jobs.claim(tx, 1, 1))
    cloud.call("vm.recover", vm_id, 2)
    assert must(cloud, vm_id).waits_for == "tm.PROLOG on host node1, which was cancelled, to end"
    cloud.call("vm.recover", vm_id, 0)
    assert must(cloud, vm_id).waits_for == "a decision: PROLOG has failed"


def test_work_that_nobody_does(cloud: Cloud) -> None:
    vm_id = deploying(cloud)
    cloud.core.change("DELETE FROM onebox_job")
    assert must(cloud, vm_id).waits_for == "work that nobody does"
    cloud.core.change("DELETE FROM onebox_lease")
    assert "opennebula-engine" in must(cloud, vm_id).next_step


# -- failures ----------------------------------------------------------------------------------------------
def test_a_failure(cloud: Cloud) -> None:
    vm_id = deploying(cloud)
    cloud.end("tm.PROLOG", ok=False, message="disk full")
    found = must(cloud, vm_id)
    assert found.waits_for == "a decision: PROLOG has failed"
    assert "disk full" in found.error
    assert found.next_step == f"remove the cause, then onevm recover --retry or --success or --delete {vm_id}"


@pytest.mark.parametrize("condition", sorted({origin for origin, _ in TABLE if origin.endswith("_FAILURE")}))
def test_every_failure_has_a_next_step(condition: str) -> None:
    text = waiting.next_step(condition, 7)
    assert condition not in STABLE
    assert ("--delete 7" in text) != (condition == "CLONING_FAILURE")


# -- images ------------------------------------------------------------------------------------------------
def test_images(cloud: Cloud) -> None:
    image_id = cloud.images.allocate("NAME=d TYPE=DATABLOCK SIZE=5")
    vm_id = cloud.vm(f"DISK=[IMAGE_ID={image_id}]")
    assert must(cloud, vm_id).waits_for == f"images to be made: {image_id} (LOCKED_USED)"
    cloud.end("ds.MKFS", ok=False)
    found = must(cloud, vm_id)
    assert found.waits_for == "a decision: CLONING has failed"
    assert f"onevm terminate {vm_id}" in found.next_step


def test_a_disk_that_becomes_an_image(cloud: Cloud) -> None:
    image_id = cloud.images.ready("NAME=d TYPE=DATABLOCK SIZE=5")
    vm_id = cloud.running(f"DISK=[IMAGE_ID={image_id}]")
    saved = cloud.call("vm.disksaveas", vm_id, 0, "copy", "", -1)
    assert must(cloud, vm_id).waits_for == f"images to be made: {saved} (LOCKED)"
    cloud.end("ds.MKFS")
    assert must(cloud, vm_id).operation == "tm.SAVEAS"


# -- since when --------------------------------------------------------------------------------------------
def test_since_when(cloud: Cloud) -> None:
    vm_id = cloud.vm(hold=True)
    cloud.core.change("UPDATE onebox_event SET time = 1000 WHERE object = 'VM'")
    found = why(cloud, vm_id)
    assert found is not None and found.since_s == 1000
    cloud.core.change("DELETE FROM onebox_event")
    assert must(cloud, vm_id).since_s == int(cloud.text(vm_id, "STIME") or 0)


# -- the method --------------------------------------------------------------------------------------------
def test_the_method(cloud: Cloud) -> None:
    vm_id = deploying(cloud)
    found = cloud.info("vm.waiting", vm_id)
    assert [child.tag for child in found] == [
        *("ID", "STATE", "LCM_STATE", "SINCE", "ATTEMPT", "DEADLINE"),
        *("WAITS_FOR", "NEXT_STEP", "OPERATION", "HOST", "ERROR"),
    ]
    assert (found.findtext("ID"), found.findtext("LCM_STATE")) == (str(vm_id), "1")
    assert found.findtext("OPERATION") == "tm.PROLOG"
    cloud.core.add_user("ann")
    assert "Not authorized" in cloud.refused(0x200, "vm.waiting", vm_id, user="ann")
    cloud.refused(0x400, "vm.waiting", 99)


def test_the_method_when_there_is_nothing(cloud: Cloud) -> None:
    found = cloud.info("vm.waiting", cloud.running())
    assert [child.tag for child in found] == ["ID", "STATE", "LCM_STATE"]


def test_json(cloud: Cloud) -> None:
    vm_id = cloud.vm(hold=True)
    reply = Http(cloud.core)("GET", f"/vms/{vm_id}/waiting")
    assert (reply.status, reply.json["WAITS_FOR"], reply.json["STATE"]) == (200, "its release", 2)
    assert abs(reply.json["SINCE"] - time.time()) < 60


# -- the VM's log ------------------------------------------------------------------------------------------
def test_work_that_takes_long_is_told_once(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    slow, fresh, broken = deploying(cloud), deploying(cloud), deploying(cloud)
    cloud.core.change("UPDATE onebox_job SET created = created - 100 WHERE oid <> ?", fresh)
    cloud.core.change("UPDATE vm_pool SET body = '<VM>' WHERE oid = ?", broken)
    watch = Slow(cloud.core.store)
    assert (watch.run(0.0), watch.run(10.0), watch.run(100.0)) == (2, 0, 0)
    lines = [line for line in (paths.log() / f"{slow}.log").read_text().splitlines() if "Waits for" in line]
    assert len(lines) == 1
    assert "[LCM][I]: Waits for its turn for tm.PROLOG on host node1: 0 of driver ssh run" in lines[0]
    assert "Waits for" not in (paths.log() / f"{fresh}.log").read_text()
    assert f"vm {broken}: cannot say" in caplog.text
