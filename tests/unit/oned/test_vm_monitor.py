"""What monitoring finds about machines, and hosts that cannot be reached."""

from __future__ import annotations

import time

import pytest

from services.common.template import Template
from services.oned.drivers.execute import Result
from services.oned.engine import results
from services.oned.engine.deadlines import Deadlines
from services.oned.monitor.host import apply_host_report
from services.oned.monitor.vm import apply_vm_state
from services.oned.store import Tx, jobs, leases
from tests.support.cloud import Cloud
from tests.support.core import Core

GOOD = Template.parse("TOTALCPU=400\nTOTALMEMORY=8388608")


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def _found(cloud: Cloud, vm_id: int, state: str) -> bool:
    return cloud.core.store.run(lambda tx: apply_vm_state(tx, vm_id, state))


@pytest.mark.parametrize("word", ["d", "POWEROFF"])
def test_a_machine_that_has_gone(cloud: Cloud, word: str) -> None:
    vm_id = cloud.running()
    cloud.call("vm.snapshotcreate", vm_id, "a")
    cloud.end("vmm.SNAPSHOT_CREATE")
    cloud.call("vm.action", "resched", vm_id)
    assert _found(cloud, vm_id, word)
    (record,) = cloud.records(vm_id)
    assert (cloud.state(vm_id), record["ACTION"], record["UID"], record["ETIME"]) == (
        "POWEROFF",
        "44",
        "-1",
        "0",
    )
    assert record["RETIME"] != "0"
    assert (cloud.text(vm_id, "RESCHED"), cloud.document(vm_id).find("TEMPLATE/SNAPSHOT")) == ("0", None)
    assert not _found(cloud, vm_id, word)
    assert _found(cloud, vm_id, "a")
    old, new = cloud.records(vm_id)
    assert (cloud.state(vm_id), old["ETIME"] != "0", new["RSTIME"] != "0") == ("RUNNING", True, True)
    assert cloud.contradictions() == []


def test_paused_failed_and_found_again(cloud: Cloud) -> None:
    vm_id = cloud.running()
    assert _found(cloud, vm_id, "p") and cloud.state(vm_id) == "SUSPENDED"
    assert _found(cloud, vm_id, "RUNNING") and cloud.state(vm_id) == "RUNNING"
    assert _found(cloud, vm_id, "e") and cloud.state(vm_id) == "UNKNOWN"
    assert not _found(cloud, vm_id, "FAILURE")
    assert _found(cloud, vm_id, "a") and cloud.state(vm_id) == "RUNNING"
    for nothing in ("a", "-", "UNKNOWN", "?", ""):
        assert not _found(cloud, vm_id, nothing)
    assert not _found(cloud, 99, "d")
    assert cloud.contradictions() == []


def test_what_a_driver_is_at_its_own_result_says(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.call("vm.action", "terminate", vm_id)
    assert not _found(cloud, vm_id, "d")
    cloud.end("vmm.SHUTDOWN")
    cloud.end("tm.EPILOG")
    assert cloud.state(vm_id) == "DONE"


def test_a_machine_that_runs_although_it_could_not_be_started(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    cloud.end("tm.PROLOG")
    cloud.end("vmm.DEPLOY", ok=False, message="timed out")
    assert cloud.state(vm_id) == "BOOT_FAILURE"
    assert _found(cloud, vm_id, "a")
    (record,) = cloud.records(vm_id)
    assert (cloud.state(vm_id), record["RETIME"], cloud.text(vm_id, "DEPLOY_ID")) == ("RUNNING", "0", "one-0")


def test_polling(cloud: Cloud) -> None:
    vm_id = cloud.running()

    def poll(ok: bool, output: str) -> str:
        def apply(tx: Tx) -> None:
            number = jobs.add(tx, kind="VM", oid=vm_id, operation="vmm.POLL", driver="dummy", host="node1")
            (job,) = jobs.claim(tx, 1, 1)
            assert job.id == number
            assert results.apply(tx, 1, Result(job, ok, "", output))

        cloud.core.store.run(apply)
        return cloud.state(vm_id)

    assert poll(True, "STATE=a USEDCPU=3.5") == "RUNNING"
    assert poll(False, "STATE=d") == "RUNNING"
    assert poll(True, "") == "RUNNING"
    assert poll(True, 'STATE="d"\n') == "POWEROFF"


def test_machines_of_a_host_that_cannot_be_reached(cloud: Cloud) -> None:
    running, off, other = cloud.running(), cloud.off(), cloud.running(host=cloud.other)

    def report(ok: bool) -> None:
        values = GOOD if ok else Template()
        cloud.core.store.run(lambda tx: apply_host_report(tx, cloud.host, ok, values, "no route"))

    report(False)
    assert [cloud.state(vm) for vm in (running, off, other)] == ["UNKNOWN", "POWEROFF", "RUNNING"]
    assert cloud.info("host.info", cloud.host).findtext("STATE") == "3"
    cloud.call("vm.recover", running, 1)
    report(False)
    assert cloud.state(running) == "RUNNING", "only the first failure says something new"
    report(True)
    report(False)
    assert (cloud.state(running), cloud.contradictions()) == ("UNKNOWN", [])
    cloud.act("resume", running, "vmm.DEPLOY")
    assert len(cloud.records(running)) == 1, "it goes on in the same record"


# -- deadlines ---------------------------------------------------------------------------------------------
def test_work_whose_result_never_comes_counts_as_failed(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    store = cloud.core.store
    token = store.run(lambda tx: leases.acquire(tx, "engine", "test", 60.0, lambda holder: True))
    assert token is not None

    def lose(tx: Tx) -> None:
        tx.run("DELETE FROM onebox_job WHERE kind <> 'VM'")
        (job,) = jobs.claim(tx, token, 1)
        jobs.set_deadline(tx, job.id, -5)

    assert Deadlines(store, token).run(0.0) == 0, "what waits for its turn has no deadline"
    store.run(lose)
    assert Deadlines(store, token).run(0.0) == 1
    assert (cloud.state(vm_id), cloud.waiting()) == ("PROLOG_FAILURE", [])
    assert "time limit" in (cloud.text(vm_id, "USER_TEMPLATE/ERROR") or "")
    assert Deadlines(store, token).run(0.0) == 0
    cloud.call("vm.recover", vm_id, 2)
    assert cloud.state(vm_id) == "PROLOG"

    def age(tx: Tx) -> None:
        tx.run(
            "UPDATE onebox_job SET deadline = ? WHERE state = ?", int(time.time()) - 10_000, jobs.CANCELLED
        )

    store.run(age)
    Deadlines(store, token).run(0.0)
    assert cloud.core.rows("SELECT operation, state FROM onebox_job") == [("tm.PROLOG", jobs.QUEUED)]
    assert cloud.contradictions() == []
