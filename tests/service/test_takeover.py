"""The engine dies in the middle of every kind of work: the next one ends it, once, and no disk is lost.

Each VM is in another step when the engine is killed, just before the step does its work or just after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.fleet import Fleet, Machine
from tests.support.frontend import Frontend
from tests.support.vm_work import WORK, prepare

pytestmark = pytest.mark.timeout(240)
_LONG_S = 60


@dataclass(frozen=True)
class Case:
    """What a VM does when the engine dies, and where it ends. has_disks: disks of every kind."""

    operation: str
    step: str
    moment: str
    ends: str
    host: str = "h1"
    has_disks: bool = False

    def __str__(self) -> str:
        return f"{self.operation}, {self.moment} {self.step}"


def _both(operation: str, step: str, ends: str, host: str = "h1", *, disks: bool = False) -> list[Case]:
    return [Case(operation, step, moment, ends, host, disks) for moment in ("before", "after")]


CASES = [
    *_both("deploy", "tm/clone", "RUNNING", disks=True),
    *_both("deploy", "tm/ln", "RUNNING", disks=True),
    *_both("deploy", "tm/mkswap", "RUNNING", disks=True),
    *_both("deploy", "tm/context", "RUNNING"),
    *_both("deploy", "vmm/deploy", "RUNNING"),
    *_both("migrate", "vmm/save", "RUNNING", "h2"),
    *_both("migrate", "tm/hold", "RUNNING", "h2"),
    *_both("migrate", "tm/mv", "RUNNING", "h2"),
    *_both("migrate", "tm/verify", "RUNNING", "h2"),
    *_both("migrate", "tm/release", "RUNNING", "h2"),
    *_both("migrate", "vmm/restore", "RUNNING", "h2"),
    *_both("migrate live", "tm/premigrate", "RUNNING", "h2"),
    *_both("migrate live", "vmm/migrate", "RUNNING", "h2"),
    *_both("migrate live", "tm/postmigrate", "RUNNING", "h2"),
    *_both("stop", "tm/mv", "STOPPED", "fe"),
    *_both("resume stopped", "tm/mv", "RUNNING", "h2"),
    *_both("poweroff", "vmm/shutdown", "POWEROFF"),
    *_both("terminate", "tm/secure", "DONE", disks=True),
    *_both("terminate", "tm/mvds", "DONE", disks=True),
    *_both("terminate", "tm/delete", "DONE", disks=True),
    *_both("terminate", "tm/finish", "DONE", disks=True),
    *_both("attach disk", "tm/clone", "RUNNING"),
    *_both("attach disk", "vmm/attach_disk", "RUNNING"),
    *_both("attach nic", "vmm/attach_nic", "RUNNING"),
    *_both("snapshot create", "vmm/snapshot_create", "RUNNING"),
    *_both("disk snapshot create off", "tm/snap_create", "POWEROFF", disks=True),
]
TEXT = "written by the guest"


class Interrupted:
    """Every case begun, the engine killed in the middle of all, and started again."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        with ThreadPoolExecutor(8) as pool:
            self.machines = dict(zip(CASES, pool.map(self._begin, CASES), strict=True))
        for case in CASES:
            self._wait_for_step(case)
        time.sleep(0.3)  # what a script does before it waits
        fleet.frontend.kill("opennebula-engine")
        for vm in self.machines.values():
            vm.refuse()
        fleet.frontend.spawn("opennebula-engine")

    def _begin(self, case: Case) -> Machine:
        vm = self.fleet.vm(str(case).replace("/", "-"), disks=case.has_disks)
        prepare(vm, WORK[case.operation])
        for name in self._names(case):
            for folder in vm.folders():
                (folder / name).write_text(f"{TEXT} {vm.id}")
        waits = "DELAY_S" if case.moment == "before" else "POST_DELAY_S"
        settings = f"{waits}={_LONG_S}\nDELAY_ACTION={case.step}\n"
        (self.fleet.settings / f"vms/{vm.id}").write_text(settings)
        WORK[case.operation].do(vm)
        return vm

    def _names(self, case: Case) -> tuple[str, ...]:
        """A file of the guest in the VM's folder: the saved disk, or one that stands for any."""
        return ("disk.1",) if case.has_disks else ("disk.9",)

    def _wait_for_step(self, case: Case) -> None:
        vm_id = self.machines[case].id
        subsystem, _, action = case.step.partition("/")
        self.fleet.wait(lambda: self._is_in(f"/{subsystem}/dummy/{action}", vm_id), str(case))

    def _is_in(self, script: str, vm_id: int) -> bool:
        """Whether a process runs that script for that VM."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if not any(
                word.startswith(str(self.fleet.frontend.folder)) and word.endswith(script) for word in words
            ):
                continue
            if any(word == str(vm_id) or word.endswith(f"/{vm_id}") for word in words):
                return True
        return False


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interrupted]:
    frontend = Frontend(tmp_path_factory.mktemp("takeover"))
    try:
        yield Interrupted(Fleet(frontend))
        checked = frontend.run("onedb", "fsck")
        assert checked.returncode == 0, checked.stdout + checked.stderr
    finally:
        frontend.stop()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_next_engine_ends_it(interrupted: Interrupted, case: Case) -> None:
    fleet, vm = interrupted.fleet, interrupted.machines[case]
    vm.reach(case.ends)
    assert vm.error() == "-"
    assert vm.machines() == ([case.host] if case.ends == "RUNNING" else [])
    assert vm.held() == []
    disks = vm.disks()
    if case.ends == "DONE":
        assert disks == {}
        saved = fleet.frontend.folder / "var/dummy/.images/dummy_path"
        assert saved.read_text().startswith(TEXT)
        return
    (place,) = disks  # all at one place
    assert place == f"{case.host}:{fleet.near}"
    if case.operation != "deploy":
        name = "disk.1" if case.has_disks else "disk.9"
        (folder,) = vm.folders()
        assert (folder / name).read_text() == f"{TEXT} {vm.id}"
    if case.operation == "attach disk":
        assert len(vm.disk_ids()) == 1
        domain = fleet.frontend.folder / f"var/dummy/h1/one-{vm.id}"
        assert domain.read_text().count("DISK=") == 1
    if case.operation == "attach nic":
        domain = fleet.frontend.folder / f"var/dummy/h1/one-{vm.id}"
        assert domain.read_text().count("NIC=") == 1 and len(vm.nic_ids()) == 2
    if case.operation.startswith("disk snapshot"):
        assert len(vm.document().findall("SNAPSHOTS/SNAPSHOT")) == 1
