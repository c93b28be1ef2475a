"""The life-cycle in this process: the test plays the engine and says how each driver job ends."""

from __future__ import annotations

import re

import pytest

from services.common import paths
from services.oned import fsck
from services.oned.lifecycle import fire
from services.oned.store import Tx, jobs
from services.oned.store.jobs import Job
from tests.support.core import Core, Refused


class Cloud:
    """A zone with one dummy host; ``step`` ends the oldest VM job."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.host = core.call("host.allocate", "node", "dummy", "dummy", 0)
        core.store.run(lambda tx: jobs.cancel(tx, "HOST", self.host))

    def vm(self, extra: str = "") -> int:
        vm_id: int = self.core.call("vm.allocate", f"CPU=0.5\nMEMORY=64\n{extra}", False)
        return vm_id

    def running(self) -> int:
        vm_id = self.vm()
        self.core.call("vm.deploy", vm_id, self.host, False, -1, "")
        self.step("tm.PROLOG")
        self.step("vmm.DEPLOY", output="one-x")
        assert self.condition(vm_id) == "3/3"
        return vm_id

    def pending_jobs(self) -> list[tuple[int, str]]:
        return [
            (row[0], row[1]) for row in self.core.rows("SELECT id, operation FROM onebox_job ORDER BY id")
        ]

    def step(self, operation: str, ok: bool = True, message: str = "", output: str = "") -> None:
        (job_id, found), *_ = self.pending_jobs()
        assert found == operation

        def finish(tx: Tx) -> None:
            row = tx.one("SELECT kind, oid, driver, host FROM onebox_job WHERE id = ?", job_id)
            assert row is not None
            tx.run("DELETE FROM onebox_job WHERE id = ?", job_id)
            job = Job(job_id, row[0], row[1], operation, row[2], row[3], {}, 1, None, 0)
            fire.job_finished(tx, job, ok, message, output)

        self.core.store.run(finish)

    def condition(self, vm_id: int) -> str:
        vm = self.core.info("vm.info", vm_id)
        return f"{vm.findtext('STATE')}/{vm.findtext('LCM_STATE')}"

    def share(self) -> tuple[str, ...]:
        host = self.core.info("host.info", self.host)
        return tuple(
            host.findtext(f"HOST_SHARE/{name}") or "" for name in ("CPU_USAGE", "MEM_USAGE", "RUNNING_VMS")
        )

    def contradictions(self) -> list[str]:
        return self.core.store.run(fsck.check)


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def test_capacity_is_counted_from_deployment_to_the_end(cloud: Cloud) -> None:
    vm_id = cloud.running()
    assert cloud.share() == ("50", "65536", "1")
    cloud.core.call("vm.action", "poweroff", vm_id)
    cloud.step("vmm.SHUTDOWN")
    assert cloud.share() == ("50", "65536", "1"), "a powered-off VM keeps its place"
    cloud.core.call("vm.action", "terminate", vm_id)
    cloud.step("tm.EPILOG")
    assert cloud.share() == ("0", "0", "0")
    assert cloud.condition(vm_id) == "6/0"
    assert cloud.pending_jobs() == [] and cloud.contradictions() == []


@pytest.mark.parametrize("operation", [0, 1, 2, 3, 4, 5])
def test_recovery_while_a_driver_works(cloud: Cloud, operation: int) -> None:
    vm_id = cloud.vm()
    cloud.core.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    before = cloud.pending_jobs()
    cloud.core.call("vm.recover", vm_id, operation)
    expected = {0: "3/39", 1: "3/2", 2: "3/1", 3: "3/23", 4: "3/15", 5: "6/0"}
    assert cloud.condition(vm_id) == expected[operation]
    assert not set(before) & set(cloud.pending_jobs()), "the old job is gone"
    assert cloud.contradictions() == []


def test_a_late_result_is_dropped(cloud: Cloud) -> None:
    vm_id = cloud.running()
    late = Job(999, "VM", vm_id, "vmm.SAVE", "dummy", "node", {}, 1, None, 0)
    cloud.core.store.run(lambda tx: fire.job_finished(tx, late, True, "", ""))
    assert cloud.condition(vm_id) == "3/3"


def test_a_failure_shows_the_drivers_words_and_is_retried(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    cloud.core.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    cloud.step("tm.PROLOG")
    cloud.step("vmm.DEPLOY", ok=False, message="no such bridge: br7")
    assert cloud.condition(vm_id) == "3/36"
    assert "no such bridge: br7" in (cloud.core.info("vm.info", vm_id).findtext("USER_TEMPLATE/ERROR") or "")
    cloud.core.call("vm.recover", vm_id, 2)
    cloud.step("vmm.DEPLOY", output="one-1")
    vm = cloud.core.info("vm.info", vm_id)
    assert vm.findtext("LCM_STATE") == "3"
    # As OpenNebula: what went wrong last stays until somebody removes it.
    assert "br7" in (vm.findtext("USER_TEMPLATE/ERROR") or "")
    log = (paths.log() / f"{vm_id}.log").read_text()
    assert re.search(r"^\w{3} \w{3} .* \[Z0\]\[VM\]\[I\]: New LCM state is BOOT_FAILURE$", log, re.M)
    assert "[Z0][VMM][E]: DEPLOY: no such bridge: br7" in log


def test_recreate_frees_the_host_and_waits_again(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.core.call("vm.recover", vm_id, 4)
    cloud.step("vmm.CLEANUP", ok=False, message="ignored")
    assert cloud.condition(vm_id) == "1/0"
    assert cloud.share() == ("0", "0", "0")
    cloud.core.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    assert cloud.condition(vm_id) == "3/1"
    assert cloud.contradictions() == []


def test_stop_and_undeploy_free_the_host_and_come_back_as_such(cloud: Cloud) -> None:
    for action, save, back, boot in (
        ("stop", "vmm.SAVE", "3/9", "vmm.RESTORE"),
        ("undeploy", "vmm.SHUTDOWN", "3/31", "vmm.DEPLOY"),
    ):
        vm_id = cloud.running()
        cloud.core.call("vm.action", action, vm_id)
        cloud.step(save)
        cloud.step("tm.EPILOG_STOP")
        assert cloud.share() == ("0", "0", "0")
        cloud.core.call("vm.action", "resume", vm_id)
        cloud.core.call("vm.deploy", vm_id, cloud.host, False, -1, "")
        assert cloud.condition(vm_id) == back
        cloud.step("tm.PROLOG_RESUME")
        cloud.step(boot, output="one-y")
        assert cloud.condition(vm_id) == "3/3"
        cloud.core.call("vm.recover", vm_id, 5)
        assert cloud.share() == ("0", "0", "0")
    assert cloud.contradictions() == []


def test_enforced_capacity(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    with pytest.raises(Refused, match="Not enough capacity") as refusal:
        cloud.core.call("vm.deploy", vm_id, cloud.host, True, -1, "")
    assert refusal.value.code == 0x800
    assert cloud.condition(vm_id) == "1/0" and cloud.pending_jobs() == []


def test_a_user_sees_and_acts_on_own_vms_only(cloud: Cloud) -> None:
    core = cloud.core
    core.add_user("alice", 1)
    mine = core.call("vm.allocate", "CPU=1\nMEMORY=16", True, user="alice")
    other = core.call("vm.allocate", "CPU=1\nMEMORY=16", True)
    listed = re.findall(r"<VM><ID>(\d+)</ID>", core.call("vmpool.info", -2, -1, -1, -1, user="alice"))
    assert listed == [str(mine)]
    for method, args in (
        ("vm.info", (other,)),
        ("vm.action", ("release", other)),
        ("vm.rename", (other, "x")),
    ):
        with pytest.raises(Refused) as refusal:
            core.call(method, *args, user="alice")
        assert refusal.value.code == 0x200
    core.call("vm.action", "release", mine, user="alice")
    with pytest.raises(Refused) as refusal:
        core.call("vm.deploy", mine, cloud.host, False, -1, "", user="alice")
    assert refusal.value.code == 0x200
    with pytest.raises(Refused, match="RAW") as refusal:
        core.call("vm.allocate", 'CPU=1\nMEMORY=16\nRAW=[TYPE="kvm",DATA="x"]', True, user="alice")
    assert refusal.value.code == 0x200


def test_locks_hold_and_come_off(cloud: Cloud) -> None:
    vm_id = cloud.core.call("vm.allocate", "CPU=1\nMEMORY=16", True)
    cloud.core.call("vm.lock", vm_id, 1, False)
    with pytest.raises(Refused):
        cloud.core.call("vm.action", "release", vm_id)
    cloud.core.call("vm.unlock", vm_id)
    cloud.core.call("vm.action", "release", vm_id)
