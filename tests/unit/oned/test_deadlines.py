"""Nothing waits for ever: every state that is under way ends, also when nobody works on it any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import paths
from services.oned.drivers.execute import Result
from services.oned.drivers.table import Drivers
from services.oned.engine import results
from services.oned.engine.cycle import LEASE, Cycle
from services.oned.engine.deadlines import Deadlines
from services.oned.engine.stuck import Stuck
from services.oned.lifecycle import stuck
from services.oned.lifecycle.states import LcmState, VmState
from services.oned.lifecycle.transitions import STABLE, WAITS_FOR_IMAGE
from services.oned.model.vm import VM
from services.oned.store import Tx, jobs, leases
from services.oned.store import stuck as rows
from tests.support.cloud import Cloud
from tests.support.core import Core

UNDER_WAY = sorted(
    state.name
    for state in LcmState
    if state.name not in STABLE and not state.name.endswith("_FAILURE") and state is not LcmState.LCM_INIT
)


class Rolledback(Exception):
    """Nothing of this transaction is kept."""


def take_lease(core: Core) -> int:
    token = core.store.run(lambda tx: leases.acquire(tx, LEASE, "test", 60.0, lambda holder: True))
    assert token is not None
    return token


def look(core: Core) -> int:
    """What an engine that has just started lets out."""
    return Stuck(core.store, core.zone.conf, take_lease(core)).run(0.0)


def lose_work(core: Core) -> None:
    core.change("DELETE FROM onebox_job")


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


# -- VMs ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A zone with a VM that has been on two hosts."""
    with pytest.MonkeyPatch.context() as patched:
        folder: Path = tmp_path_factory.mktemp("zone")
        patched.setenv("ONE_LOCATION", str(folder))
        paths.log().mkdir(exist_ok=True)
        made = Cloud(Core(folder))
        made.running('GRAPHICS=[TYPE="vnc"]')
        made.call("vm.migrate", 0, made.other, True, False, -1, 0)
        made.end("vmm.MIGRATE")
        yield made
        made.core.zone.close()


@pytest.mark.parametrize("condition", UNDER_WAY)
def test_every_state_under_way_ends_when_nobody_works_on_it(moved: Cloud, condition: str) -> None:
    def attempt(tx: Tx) -> None:
        tx.run("DELETE FROM onebox_job")
        vm = VM.load(tx, 0)
        vm.state, vm.lcm_state = VmState.ACTIVE, LcmState[condition]
        vm.save(tx)
        assert rows.vms(tx, stuck.RESTING) == [0]
        jobs.add(tx, kind="VM", oid=0, operation="vmm.X", driver="dummy", host="node1")
        assert (rows.vms(tx, stuck.RESTING), stuck.end(tx, 0)) == ([], False), "somebody works on it"
        jobs.cancel(tx, "VM", 0)
        assert stuck.end(tx, 0)
        after = VM.load(tx, 0)
        if condition.startswith("CLEANUP_"):
            assert jobs.operations(tx, "VM", 0) == ["vmm.CLEANUP"]
        else:
            assert after.condition in STABLE or after.condition.endswith("_FAILURE")
            assert f"No driver works on {condition}" in (after.user_template.get("ERROR") or "")
        assert not stuck.end(tx, 0)
        raise Rolledback

    with pytest.raises(Rolledback):
        moved.core.store.run(attempt)


def test_states_that_rest_are_left_alone(cloud: Cloud) -> None:
    vms = [cloud.vm(), cloud.vm(hold=True), cloud.running(), cloud.off(), cloud.suspended(), cloud.stopped()]
    failed = cloud.vm()
    cloud.call("vm.deploy", failed, cloud.host, False, -1, "")
    cloud.end("tm.PROLOG", ok=False)
    before = [cloud.state(vm_id) for vm_id in (*vms, failed)]
    lose_work(cloud.core)
    assert look(cloud.core) == 0
    assert [cloud.state(vm_id) for vm_id in (*vms, failed)] == before
    assert not cloud.core.store.run(lambda tx: stuck.end(tx, failed))
    assert not cloud.core.store.run(lambda tx: stuck.end(tx, 5000))


def test_a_vm_whose_work_was_lost(cloud: Cloud) -> None:
    vm_id, fine = cloud.vm(), cloud.vm()
    for each in (vm_id, fine):
        cloud.call("vm.deploy", each, cloud.host, False, -1, "")
    cloud.core.change("DELETE FROM onebox_job WHERE oid = ? OR kind <> 'VM'", vm_id)
    assert look(cloud.core) == 1
    assert (cloud.state(vm_id), cloud.state(fine)) == ("PROLOG_FAILURE", "PROLOG")
    log = (paths.log() / f"{vm_id}.log").read_text()
    assert "[LCM][E]: No driver works on PROLOG any more, so it counts as failed" in log
    cloud.call("vm.recover", vm_id, 2)
    assert cloud.state(vm_id) == "PROLOG"
    assert cloud.contradictions() == []


def test_cleaning_up_begins_again(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.call("vm.recover", vm_id, 3)
    lose_work(cloud.core)
    assert look(cloud.core) == 1
    cloud.end("vmm.CLEANUP")
    assert cloud.state(vm_id) == "DONE"


def test_it_looks_now_and_then_only(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    watch = Stuck(cloud.core.store, cloud.core.zone.conf, take_lease(cloud.core))
    assert watch.run(0.0) == 0
    lose_work(cloud.core)
    assert (watch.run(30.0), watch.run(61.0)) == (0, 1)


def test_an_object_that_cannot_be_let_out_holds_up_nobody(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, fine = cloud.vm(), cloud.vm()
    for each in (broken, fine):
        cloud.call("vm.deploy", each, cloud.host, False, -1, "")
    lose_work(cloud.core)
    cloud.core.change("UPDATE vm_pool SET body = '<VM>' WHERE oid = ?", broken)
    assert look(cloud.core) == 1
    assert cloud.state(fine) == "PROLOG_FAILURE"
    assert f"object {broken} is stuck" in caplog.text


# -- saved as an image, and waiting for images -------------------------------------------------------------
def test_a_disk_that_nobody_saves(cloud: Cloud) -> None:
    image_id = cloud.images.ready("NAME=d TYPE=DATABLOCK SIZE=5")
    vm_id = cloud.running(f"DISK=[IMAGE_ID={image_id}]")
    saved = cloud.call("vm.disksaveas", vm_id, 0, "copy", "", -1)
    assert look(cloud.core) == 0, "the datastore makes room"
    cloud.end("ds.MKFS")
    assert look(cloud.core) == 0, "the machine's driver copies"
    lose_work(cloud.core)
    assert look(cloud.core) >= 1
    assert (cloud.state(vm_id), cloud.images.state(saved)) == ("RUNNING", "5")
    assert cloud.contradictions() == []


def test_a_datastore_that_no_longer_makes_room(cloud: Cloud) -> None:
    image_id = cloud.images.ready("NAME=d TYPE=DATABLOCK SIZE=5")
    vm_id = cloud.running(f"DISK=[IMAGE_ID={image_id}]")
    saved = cloud.call("vm.disksaveas", vm_id, 0, "copy", "", -1)
    assert "HOTPLUG_SAVEAS" in WAITS_FOR_IMAGE and cloud.state(vm_id) == "HOTPLUG_SAVEAS"
    lose_work(cloud.core)
    assert look(cloud.core) == 1
    assert (cloud.state(vm_id), cloud.images.state(saved)) == ("RUNNING", "5")
    assert "no driver works on it" in cloud.images.text(saved, "TEMPLATE/ERROR")


def test_a_vm_that_waits_for_an_image_that_nobody_makes(cloud: Cloud) -> None:
    image_id = cloud.images.allocate("NAME=d TYPE=DATABLOCK SIZE=5")
    vm_id = cloud.vm(f"DISK=[IMAGE_ID={image_id}]")
    assert (cloud.state(vm_id), look(cloud.core)) == ("CLONING", 0)
    lose_work(cloud.core)
    assert look(cloud.core) == 1
    assert (cloud.state(vm_id), cloud.images.state(image_id)) == ("CLONING_FAILURE", "5")


def test_a_vm_that_missed_that_its_image_is_ready(cloud: Cloud) -> None:
    image_id = cloud.images.ready("NAME=d TYPE=DATABLOCK SIZE=5")
    vm_id = cloud.vm(f"DISK=[IMAGE_ID={image_id}]")

    def miss(tx: Tx) -> None:
        vm = VM.load(tx, vm_id)
        vm.state = VmState.CLONING
        vm.disks()[0]["CLONING"] = "YES"
        vm.save(tx)

    cloud.core.store.run(miss)
    assert look(cloud.core) == 1
    assert cloud.state(vm_id) == "PENDING"


# -- images and appliances ---------------------------------------------------------------------------------
def test_images_that_nobody_makes(cloud: Cloud) -> None:
    images = cloud.images
    copied = images.allocate("NAME=c TYPE=OS PATH=/etc/hosts SIZE=1")
    made = images.allocate("NAME=m TYPE=DATABLOCK SIZE=5")
    assert look(cloud.core) == 0
    lose_work(cloud.core)
    assert look(cloud.core) == 2
    for image_id in (copied, made):
        assert images.state(image_id) == "5"
        assert images.text(image_id, "TEMPLATE/ERROR").endswith("no driver works on it any more")
    assert look(cloud.core) == 0
    assert cloud.contradictions() == []


def test_a_copy_that_nobody_makes(cloud: Cloud) -> None:
    origin = cloud.images.ready("NAME=o TYPE=DATABLOCK SIZE=5 PERSISTENT=YES")
    copy = cloud.call("image.clone", origin, "copy", -1)
    assert (cloud.images.state(origin), look(cloud.core)) == ("6", 0)
    lose_work(cloud.core)
    assert look(cloud.core) == 1
    assert (cloud.images.state(origin), cloud.images.state(copy)) == ("1", "5")
    assert cloud.contradictions() == []


def test_an_image_whose_copies_are_gone(cloud: Cloud) -> None:
    origin = cloud.images.ready("NAME=o TYPE=DATABLOCK SIZE=5 PERSISTENT=YES")
    copy = cloud.call("image.clone", origin, "copy", -1)
    lose_work(cloud.core)
    cloud.core.change("DELETE FROM image_pool WHERE oid = ?", copy)
    assert look(cloud.core) == 1
    assert (cloud.images.state(origin), cloud.images.text(origin, "CLONING_OPS")) == ("1", "0")


def test_an_image_is_removed_again(cloud: Cloud) -> None:
    image_id = cloud.images.ready("NAME=d TYPE=DATABLOCK SIZE=5")
    cloud.call("image.delete", image_id)
    lose_work(cloud.core)
    assert look(cloud.core) == 1
    cloud.end("ds.RM")
    assert cloud.core.rows("SELECT oid FROM image_pool") == []


def test_an_appliance_that_nobody_imports(cloud: Cloud) -> None:
    market = cloud.call("market.allocate", "NAME=shop MARKET_MAD=http PUBLIC_DIR=/tmp/x BASE_URL=http://x")
    image_id = cloud.images.ready("NAME=d TYPE=DATABLOCK SIZE=5")
    app = cloud.call("marketapp.allocate", f"NAME=a ORIGIN_ID={image_id} TYPE=IMAGE", market)
    assert look(cloud.core) == 0
    lose_work(cloud.core)
    assert look(cloud.core) == 1
    assert cloud.info("marketapp.info", app).findtext("STATE") == "3"
    assert cloud.images.state(image_id) == "1"


# -- deadlines of work -------------------------------------------------------------------------------------
def test_a_result_that_cannot_be_applied_holds_up_nobody(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, fine = cloud.vm(), cloud.vm()
    for each in (broken, fine):
        cloud.call("vm.deploy", each, cloud.host, False, -1, "")
    token = take_lease(cloud.core)

    def overdue(tx: Tx) -> None:
        tx.run("DELETE FROM onebox_job WHERE kind <> 'VM'")
        for job in jobs.claim(tx, token, 5):
            jobs.set_deadline(tx, job.id, -5)

    cloud.core.store.run(overdue)
    cloud.core.change("UPDATE vm_pool SET body = '<VM>' WHERE oid = ?", broken)
    watch = Deadlines(cloud.core.store, token)
    assert watch.run(0.0) == 1
    assert cloud.state(fine) == "PROLOG_FAILURE"
    assert "cannot be ended" in caplog.text
    assert watch.run(100.0) == 0, "it is tried again, but not at once"
    cloud.core.change("UPDATE onebox_job SET deadline = ? WHERE oid = ?", int(time.time()) - 1, broken)
    assert watch.run(200.0) == 0


def test_work_that_is_claimed_alone_has_a_deadline_too(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    vm_id = cloud.running()
    cloud.call("vm.action", "poweroff", vm_id)
    lose = cloud.vm()
    cloud.call("vm.deploy", lose, cloud.host, False, -1, "")
    cycle = Cycle(cloud.core.store, Drivers(cloud.core.zone.conf), take_lease(cloud.core), 64)
    monkeypatch.setattr(cycle, "_batch", lambda *_: 1 / 0)
    turn = cycle.turn([], renew=True)
    assert [job.operation for job, _ in turn.started] == ["vmm.SHUTDOWN"]
    deadlines = cloud.core.rows("SELECT deadline FROM onebox_job WHERE operation = 'vmm.SHUTDOWN'")
    assert deadlines[0][0] > time.time()


def test_an_overdue_result_that_came_after_all_is_dropped(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    token = take_lease(cloud.core)
    cloud.core.change("DELETE FROM onebox_job WHERE kind <> 'VM'")
    (job,) = cloud.core.store.run(lambda tx: jobs.claim(tx, token, 5))
    cloud.core.store.run(lambda tx: jobs.set_deadline(tx, job.id, -5))
    assert Deadlines(cloud.core.store, token).run(0.0) == 1
    assert not cloud.core.store.run(lambda tx: results.apply(tx, token, Result(job, True)))
    assert cloud.state(vm_id) == "PROLOG_FAILURE"


def test_work_that_ends_every_engine_is_given_up(cloud: Cloud) -> None:
    vm_id, other = cloud.vm(), cloud.vm()
    for each in (vm_id, other):
        cloud.call("vm.deploy", each, cloud.host, False, -1, "")
    for _ in range(2):
        cloud.end("tm.PROLOG")
    for each, attempt in ((vm_id, 21), (other, 20)):
        cloud.core.change("UPDATE onebox_job SET attempt = ? WHERE oid = ? AND kind = 'VM'", attempt, each)
    cycle = Cycle(cloud.core.store, Drivers(cloud.core.zone.conf), take_lease(cloud.core), 64)
    turn = cycle.turn([], renew=True)
    assert [job.oid for job, _ in turn.started if job.kind == "VM"] == [other]
    assert cloud.state(vm_id) == "BOOT_FAILURE"
    assert "interrupted 20 times" in (cloud.text(vm_id, "USER_TEMPLATE/ERROR") or "")
