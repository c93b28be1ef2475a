"""Turns of the engine in the database: what is committed together, what is dropped, who may not write."""

from __future__ import annotations

import pytest

from services.oned.drivers.execute import Result
from services.oned.drivers.table import Drivers
from services.oned.engine.cycle import LEASE, Cycle, Turn
from services.oned.store import jobs, leases
from services.oned.store.jobs import Job
from services.oned.store.leases import LeaseLost
from tests.unit.oned.engine.conftest import DummyZone

PROLOG, BOOT, RUNNING = (3, 1), (3, 2), (3, 3)
BOOT_FAILURE, PROLOG_FAILURE = (3, 36), (3, 39)


def cycle_of(zone: DummyZone, who: str = "test") -> Cycle:
    token = zone.store.run(lambda tx: leases.acquire(tx, LEASE, who, 60, lambda _: True))
    assert token is not None
    return Cycle(zone.store, Drivers(zone.conf), token, 64)


def names(turn: Turn) -> list[tuple[int, str, list[str]]]:
    return [(job.oid, job.operation, [step.name for step in steps]) for job, steps in turn.started]


def ok(job: Job, output: str = "") -> Result:
    return Result(job, True, output=output)


def test_a_prolog_without_disks_ends_in_the_turn_that_claims_it(zone: DummyZone) -> None:
    vm = zone.vm(zone.host("h1"))
    assert zone.condition(vm) == PROLOG
    cycle = cycle_of(zone)
    turn = cycle.turn([], renew=False)
    assert names(turn) == [(vm, "vmm.DEPLOY", ["vmm/dummy/deploy"])]
    assert zone.condition(vm) == BOOT
    assert cycle.turn([], renew=False).started == []
    done = cycle.turn([ok(turn.started[0][0], f"one-{vm}\n")], renew=False)
    assert (done.applied, done.started) == (1, [])
    assert zone.condition(vm) == RUNNING
    assert f"<DEPLOY_ID>one-{vm}</DEPLOY_ID>" in zone.value("one.vm.info", vm, False)


def test_a_failure_carries_the_drivers_message(zone: DummyZone) -> None:
    vm = zone.vm(zone.host("h1"))
    cycle = cycle_of(zone)
    ((job, _),) = cycle.turn([], renew=False).started
    cycle.turn([Result(job, False, "vmm/dummy/deploy: no room")], renew=False)
    assert zone.condition(vm) == BOOT_FAILURE
    assert "vmm/dummy/deploy: no room" in zone.value("one.vm.info", vm, False)


def test_what_cannot_be_planned_fails_with_the_reason(zone: DummyZone) -> None:
    host = zone.value("one.host.allocate", "h1", "dummy", "kvm", 0)
    vm = zone.vm(host)
    zone.store.run(lambda tx: tx.run("DELETE FROM onebox_job WHERE kind = 'HOST'"))
    assert cycle_of(zone).turn([], renew=False).started == []
    assert zone.condition(vm) == BOOT_FAILURE
    # The zone has no defaults of the hypervisor.
    assert "VM_MAD kvm: DEFAULT " in zone.value("one.vm.info", vm, False)


def test_a_cancelled_jobs_result_is_dropped(zone: DummyZone) -> None:
    vm = zone.vm(zone.host("h1"))
    cycle = cycle_of(zone)
    ((job, _),) = cycle.turn([], renew=False).started
    zone.store.run(lambda tx: jobs.cancel(tx, "VM", vm))
    assert cycle.turn([], renew=False).cancelled == [job.id]
    assert cycle.turn([ok(job)], renew=False).applied == 0
    assert zone.condition(vm) == BOOT
    assert zone.store.read_value(jobs.counts) == {"queued": 0, "running": 0, "cancelled": 0}


def test_an_engine_without_the_lease_writes_nothing(zone: DummyZone) -> None:
    vm = zone.vm(zone.host("h1"))
    old = cycle_of(zone, "old")
    ((job, _),) = old.turn([], renew=False).started
    new = cycle_of(zone, "new")
    for renew in (False, True):
        with pytest.raises(LeaseLost):
            old.turn([ok(job)], renew=renew)
    assert zone.condition(vm) == BOOT
    assert new.turn([ok(job)], renew=True).applied == 0  # claimed by the old one, so not the new one's
    zone.store.run(lambda tx: jobs.requeue_stale(tx, 2))
    ((again, steps),) = new.turn([], renew=False).started
    assert (again.id, again.attempt) == (job.id, 2)
    assert steps[0].probe is not None


def test_one_broken_object_does_not_hold_up_the_others(zone: DummyZone) -> None:
    host = zone.host("h1")
    vms = [zone.vm(host) for _ in range(3)]
    cycle = cycle_of(zone)
    started = [job for job, _ in cycle.turn([], renew=False).started]
    zone.store.run(lambda tx: tx.run("UPDATE vm_pool SET body = '<VM>' WHERE oid = ?", vms[1]))
    turn = cycle.turn([ok(job, "x") for job in started], renew=True)
    assert [result.job.oid for result in turn.refused] == [vms[1]]
    assert turn.applied == 2
    assert [zone.condition(vm) for vm in vms] == [RUNNING, BOOT, RUNNING]


def test_an_object_that_breaks_planning_fails_alone(zone: DummyZone) -> None:
    host = zone.host("h1")
    vms = [zone.vm(host) for _ in range(3)]
    zone.store.run(lambda tx: tx.run("UPDATE vm_pool SET body = '<VM>' WHERE oid = ?", vms[0]))
    turn = cycle_of(zone).turn([], renew=False)
    assert {(result.job.oid, result.ok) for result in turn.refused} == {
        (vms[0], False), (vms[1], True), (vms[2], True),
    }  # fmt: skip
    again = cycle_of(zone).turn([], renew=False)
    assert again.started == []


def test_lost_claims_are_queued_again(zone: DummyZone) -> None:
    zone.vm(zone.host("h1"))
    cycle = cycle_of(zone)
    ((lost, _),) = cycle.turn([], renew=False).started
    assert cycle.turn([], renew=False, held=frozenset({lost.id})).started == []
    ((again, _),) = cycle.turn([], renew=False, held=frozenset()).started
    assert again.id == lost.id


def test_host_reports(zone: DummyZone) -> None:
    host = zone.value("one.host.allocate", "h1", "dummy", "dummy", 0)
    cycle = cycle_of(zone)
    ((job, steps),) = cycle.turn([], renew=False).started
    assert (job.operation, steps[0].args) == ("im.MONITOR", ("dummy", str(host), "h1"))
    cycle.turn([ok(job, "HYPERVISOR=dummy\nTOTALCPU=800\nTOTALMEMORY=1000\n")], renew=False)
    document = zone.value("one.host.info", host, False)
    assert "<STATE>2</STATE>" in document and "<TOTAL_CPU>800</TOTAL_CPU>" in document


@pytest.mark.parametrize("result", [(True, "TOTALCPU [ what"), (False, "")])
def test_bad_host_reports_are_errors_of_the_host(zone: DummyZone, result: tuple[bool, str]) -> None:
    host = zone.value("one.host.allocate", "h1", "dummy", "dummy", 0)
    cycle = cycle_of(zone)
    ((job, _),) = cycle.turn([], renew=False).started
    cycle.turn([Result(job, result[0], "im/dummy/monitor: no answer", result[1])], renew=False)
    assert "<STATE>3</STATE>" in zone.value("one.host.info", host, False)
