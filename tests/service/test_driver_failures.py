"""Driver actions that fail, each step of each operation: nothing is stuck or lost, and the user knows why.

Many VMs at once on one front-end: each case has a VM of its own, in a thread of its own.
Source of what recovery does: failures of virtual machines in the high availability page of the manual.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.service.conftest import mysql_section
from tests.support.fleet import DELETE, DELETE_DB, FAILURE, RECREATE, RETRY, SUCCESS, Fleet, Machine
from tests.support.frontend import Frontend
from tests.support.mariadb import MariaDb
from tests.support.vm_work import WORK, prepare

pytestmark = pytest.mark.timeout(300)
_THREADS = 12

# operation: state after a failure -> the steps that lead to it
FAILS: dict[str, dict[str, tuple[str, ...]]] = {
    "deploy": {
        "PROLOG_FAILURE": ("tm/clone", "tm/ln", "tm/mkimage", "tm/mkswap"),
        "BOOT_FAILURE": ("tm/context", "vnm/pre", "vmm/deploy", "vnm/post"),
    },
    "resume": {"POWEROFF": ("tm/context", "vnm/pre", "vmm/deploy", "vnm/post")},
    "resume suspended": {"SUSPENDED": ("tm/context", "vnm/pre", "vmm/restore", "vnm/post")},
    "resume stopped": {
        "PROLOG_RESUME_FAILURE": ("tm/hold", "tm/mv", "tm/verify"),
        "BOOT_STOPPED_FAILURE": ("tm/putback", "tm/context", "vnm/pre", "vmm/restore", "vnm/post"),
    },
    "resume undeployed": {
        "PROLOG_UNDEPLOY_FAILURE": ("tm/hold", "tm/mv", "tm/verify"),
        "BOOT_UNDEPLOY_FAILURE": ("tm/context", "vmm/deploy"),
    },
    "poweroff": {"RUNNING": ("vmm/shutdown", "vnm/clean")},
    "poweroff-hard": {"RUNNING": ("vmm/cancel",)},
    "suspend": {"RUNNING": ("vmm/save", "vnm/clean")},
    "stop": {"RUNNING": ("vmm/save",), "EPILOG_STOP_FAILURE": ("tm/hold", "tm/mv")},
    "stop suspended": {"EPILOG_STOP_FAILURE": ("tm/mv",)},
    "undeploy": {"RUNNING": ("vmm/shutdown",), "EPILOG_UNDEPLOY_FAILURE": ("tm/hold", "tm/mv")},
    "undeploy-hard": {"RUNNING": ("vmm/cancel",)},
    "undeploy off": {"EPILOG_UNDEPLOY_FAILURE": ("tm/mv",)},
    "terminate": {
        "RUNNING": ("vmm/shutdown", "vnm/clean"),
        "EPILOG_FAILURE": ("tm/secure", "tm/mvds", "tm/delete"),
    },
    "terminate-hard": {"RUNNING": ("vmm/cancel",), "EPILOG_FAILURE": ("tm/delete",)},
    "terminate off": {"EPILOG_FAILURE": ("tm/mvds",)},
    "reboot": {"RUNNING": ("vmm/reboot",)},
    "reboot-hard": {"RUNNING": ("vmm/reset",)},
    "migrate": {
        "RUNNING": ("vmm/save", "vnm/clean"),
        "PROLOG_MIGRATE_FAILURE": ("tm/hold", "tm/mv", "tm/verify"),
        "BOOT_MIGRATE_FAILURE": ("tm/putback", "tm/context", "vnm/pre", "vmm/restore", "vnm/post"),
    },
    "migrate by poweroff": {"RUNNING": ("vmm/shutdown",), "BOOT_FAILURE": ("vmm/deploy",)},
    "migrate live": {"RUNNING": ("tm/premigrate", "vnm/pre", "vmm/migrate")},
    "migrate off": {"PROLOG_MIGRATE_POWEROFF_FAILURE": ("tm/hold", "tm/mv", "tm/verify")},
    "migrate suspended": {"PROLOG_MIGRATE_SUSPEND_FAILURE": ("tm/mv",)},
    "attach disk": {"RUNNING": ("tm/clone", "vmm/attach_disk")},
    "attach volatile disk": {"RUNNING": ("tm/mkimage", "vmm/attach_disk")},
    "attach disk off": {"POWEROFF": ("tm/clone",)},
    "detach disk": {"RUNNING": ("vmm/detach_disk", "tm/delete")},
    "detach saved disk": {"RUNNING": ("vmm/detach_disk", "tm/secure", "tm/mvds")},
    "detach disk off": {"POWEROFF": ("tm/delete",)},
    "attach nic": {
        "RUNNING": (
            *("vnm/pre", "vmm/attach_nic", "vnm/post"),
            *("vmm/prereconfigure", "tm/context", "vmm/reconfigure"),
        )
    },
    "detach nic": {
        "RUNNING": ("vmm/detach_nic", "vnm/clean", "vmm/prereconfigure", "tm/context", "vmm/reconfigure")
    },
    "snapshot create": {"RUNNING": ("vmm/snapshot_create",)},
    "snapshot revert": {"RUNNING": ("vmm/snapshot_revert",)},
    "snapshot delete": {"RUNNING": ("vmm/snapshot_delete",)},
    "disk snapshot create": {"RUNNING": ("tm/snap_create_live",)},
    "disk snapshot create off": {"POWEROFF": ("tm/snap_create",)},
    "disk snapshot create suspended": {"SUSPENDED": ("tm/snap_create",)},
    "disk snapshot revert off": {"POWEROFF": ("tm/snap_revert",)},
    "disk snapshot revert suspended": {"SUSPENDED": ("tm/snap_revert",)},
    "disk snapshot delete": {"RUNNING": ("tm/snap_delete",)},
    "disk snapshot delete off": {"POWEROFF": ("tm/snap_delete",)},
    "disk snapshot delete suspended": {"SUSPENDED": ("tm/snap_delete",)},
    "resize disk": {"RUNNING": ("tm/resize", "vmm/resize_disk")},
    "resize disk off": {"POWEROFF": ("tm/resize",)},
    "resize disk undeployed": {"UNDEPLOYED": ("tm/resize",)},
    "resize": {"RUNNING": ("vmm/resize",)},
    "updateconf": {"RUNNING": ("vmm/prereconfigure", "tm/context", "vmm/reconfigure")},
    "save disk": {"RUNNING": ("tm/cpds",)},
    "save disk off": {"POWEROFF": ("tm/cpds",)},
    "save disk suspended": {"SUSPENDED": ("tm/cpds",)},
    "save disk stopped": {"STOPPED": ("tm/cpds",)},
    "save disk undeployed": {"UNDEPLOYED": ("tm/cpds",)},
}
CASES = [
    (operation, step, state)
    for operation, outcomes in FAILS.items()
    for state, steps in outcomes.items()
    for step in steps
]
# Steps whose failure comes after the machine has stopped: it is gone, the state says so after monitoring.
STOPPED_ALREADY = {"vnm/clean"}
# Where a VM that has failed comes from, and where it goes: by success, failure and retry.
RECOVERIES: dict[str, tuple[str, str, str, str, str]] = {
    "PROLOG_FAILURE": ("deploy", "tm/clone", "RUNNING", "PROLOG_FAILURE", "RUNNING"),
    "BOOT_FAILURE": ("deploy", "vmm/deploy", "RUNNING", "BOOT_FAILURE", "RUNNING"),
    "BOOT_MIGRATE_FAILURE": ("migrate", "vmm/restore", "RUNNING", "BOOT_MIGRATE_FAILURE", "RUNNING"),
    "BOOT_STOPPED_FAILURE": ("resume stopped", "vmm/restore", "RUNNING", "BOOT_STOPPED_FAILURE", "RUNNING"),
    "BOOT_UNDEPLOY_FAILURE": (
        "resume undeployed", "vmm/deploy", "RUNNING", "BOOT_UNDEPLOY_FAILURE", "RUNNING",
    ),
    "PROLOG_MIGRATE_FAILURE": ("migrate", "tm/mv", "RUNNING", "RUNNING", "RUNNING"),
    "PROLOG_MIGRATE_POWEROFF_FAILURE": ("migrate off", "tm/mv", "POWEROFF", "POWEROFF", "POWEROFF"),
    "PROLOG_MIGRATE_SUSPEND_FAILURE": ("migrate suspended", "tm/mv", "SUSPENDED", "SUSPENDED", "SUSPENDED"),
    "PROLOG_RESUME_FAILURE": ("resume stopped", "tm/mv", "RUNNING", "PROLOG_RESUME_FAILURE", "RUNNING"),
    "PROLOG_UNDEPLOY_FAILURE": (
        "resume undeployed", "tm/mv", "RUNNING", "PROLOG_UNDEPLOY_FAILURE", "RUNNING",
    ),
    "EPILOG_FAILURE": ("terminate", "tm/mvds", "DONE", "EPILOG_FAILURE", "DONE"),
    "EPILOG_STOP_FAILURE": ("stop", "tm/mv", "STOPPED", "EPILOG_STOP_FAILURE", "STOPPED"),
    "EPILOG_UNDEPLOY_FAILURE": ("undeploy", "tm/mv", "UNDEPLOYED", "EPILOG_UNDEPLOY_FAILURE", "UNDEPLOYED"),
}  # fmt: skip
RECOVERED = [
    (failure, operation, state)
    for failure, (_, _, success, failed, again) in RECOVERIES.items()
    for operation, state in (
        (SUCCESS, success),
        (FAILURE, failed),
        (RETRY, again),
        (DELETE, "DONE"),
        (RECREATE, "PENDING"),
        (DELETE_DB, "DONE"),
    )
]
MARKS = ("ATTACH", "ACTIVE", "RESIZE", "DISK_SNAPSHOT_ACTIVE", "HOTPLUG_SAVE_AS_ACTIVE")
AFTER_THE_MOVE = ("vnm/clean", "vnm/post", "tm/postmigrate")


def fails(fleet: Fleet, operation: str, step: str, state: str) -> None:
    """A step fails: the VM is in that state, says why, and can be ended."""
    work = WORK[operation]
    vm = fleet.vm(f"{operation} {step}".replace("/", "-"))
    prepare(vm, work)
    before = _shape(vm)
    vm.refuse(step)
    work.do(vm)
    subsystem, _, action = step.partition("/")
    text = f"{subsystem}/dummy/{action}: dummy {subsystem} {action}: failed as its settings ask"
    fleet.wait(lambda: text in vm.error(), f"vm {vm.id} ({operation}): {text} in {vm.error()}")
    vm.reach(state)
    if state in ("RUNNING", "POWEROFF", "SUSPENDED", "STOPPED", "UNDEPLOYED"):
        # As before: nothing half-done stays, neither in the document nor with the drivers.
        assert _shape(vm) == before
        document = vm.document()
        for mark in MARKS:
            assert document.find(f"TEMPLATE/*/{mark}") is None, mark
    stopped = state != "RUNNING" or (step in STOPPED_ALREADY and work.do is not WORK["detach nic"].do)
    assert vm.machines() == ([] if stopped else ["h1"])
    _end(vm)


def _shape(vm: Machine) -> tuple[object, ...]:
    """What operations change in a VM."""
    document = vm.document()
    lists = ("TEMPLATE/SNAPSHOT", "SNAPSHOTS/SNAPSHOT", "SNAPSHOTS/SNAPSHOT[ACTIVE='YES']")
    return (
        vm.disk_ids(),
        vm.nic_ids(),
        vm.text("TEMPLATE/DISK[DISK_ID='0']/SIZE"),
        vm.text("TEMPLATE/MEMORY"),
        *(len(document.findall(path)) for path in lists),
    )


def _end(vm: Machine) -> None:
    vm.refuse()
    vm.recover(DELETE, "DONE")
    assert (vm.machines(), vm.disks(), vm.held()) == ([], {}, [])


def recovers(fleet: Fleet, failure: str, operation: int, state: str) -> None:
    """A VM that has failed is recovered in one way."""
    name, step, *_ = RECOVERIES[failure]
    vm = fleet.vm(f"{failure} {operation}")
    prepare(vm, WORK[name])
    vm.refuse(step)
    WORK[name].do(vm)
    vm.reach(failure)
    vm.refuse()
    vm.recover(operation, state)
    if operation in (SUCCESS, DELETE_DB):
        return  # as the administrator says, whatever the drivers have
    if failure.startswith("PROLOG_MIGRATE") and operation in (FAILURE, RETRY):
        # Back where it was, or arrived: the machine runs there, with every disk, and nothing is elsewhere.
        host = "h1" if operation == FAILURE else "h2"
        if state != "RUNNING":
            vm.act("resume", "RUNNING")
        assert (vm.host(), vm.machines()) == (host, [host])
        assert (vm.disks(), vm.held()) == ({f"{host}:{fleet.near}": ["0", "1", "2", "3", "4"]}, [])
    if state.endswith("FAILURE"):
        vm.recover(RETRY, RECOVERIES[failure][4])
    if vm.state() not in ("DONE", "PENDING"):
        vm.recover(DELETE, "DONE")
    assert (vm.machines(), vm.disks(), vm.held()) == ([], {}, [])


def ignored(fleet: Fleet, step: str) -> None:
    """After a live migration the machine is on the new host, whatever fails then."""
    vm = fleet.vm(f"after {step}".replace("/", "-"))
    vm.deploy()
    vm.refuse(step)
    vm.call("migrate", fleet.hosts["h2"], True, False, -1, 0)
    vm.reach("RUNNING")
    assert (vm.host(), vm.machines(), vm.error()) == ("h2", ["h2"], "-")
    vm.refuse()
    vm.act("terminate-hard", "DONE")


def cleans(fleet: Fleet, step: str) -> None:
    """Deleting a VM goes on whatever fails."""
    vm = fleet.vm(f"delete {step}".replace("/", "-"))
    vm.deploy()
    vm.refuse(step)
    vm.recover(DELETE, "DONE")


CLEANED = ("vmm/cancel", "vnm/clean", "tm/delete", "tm/release")
ALL: list[tuple[object, ...]] = [
    *((fails, *case) for case in CASES),
    *((recovers, *case) for case in RECOVERED),
    *((ignored, step) for step in AFTER_THE_MOVE),
    *((cleans, step) for step in CLEANED),
]
SOME = ALL[::12]


class Cases:
    """Every case begins when the first test asks; each test looks at its own."""

    def __init__(self, fleet: Fleet, cases: list[tuple[object, ...]]) -> None:
        self.fleet = fleet
        self._pool = ThreadPoolExecutor(_THREADS)
        self._begun: dict[tuple[object, ...], Future[None]] = {
            case: self._pool.submit(case[0], fleet, *case[1:])  # type: ignore[arg-type]
            for case in cases
        }

    def check(self, *case: object) -> None:
        """Raise what the case has raised."""
        self._begun[case].result(240)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _front_end(folder: Path, section: str, chosen: list[tuple[object, ...]]) -> Iterator[Cases]:
    frontend = Frontend(folder, section)
    cases = None
    try:
        cases = Cases(Fleet(frontend), chosen)
        yield cases
        cases.close()
        checked = frontend.run("onedb", "fsck", "--dry-run")
        assert checked.returncode == 0, checked.stdout + checked.stderr
    finally:
        if cases is not None:
            cases.close()
        frontend.stop()


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cases]:
    """All cases on SQLite."""
    yield from _front_end(tmp_path_factory.mktemp("failures"), 'DB = [ BACKEND = "sqlite" ]', ALL)


@pytest.fixture(scope="module")
def some_cases(mariadb: MariaDb, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cases]:
    """A few on MariaDB."""
    section = mysql_section(mariadb, "one_driver_failures")
    yield from _front_end(tmp_path_factory.mktemp("failures"), section, SOME)


@pytest.mark.parametrize(("operation", "step", "state"), CASES)
def test_a_step_fails(cases: Cases, operation: str, step: str, state: str) -> None:
    cases.check(fails, operation, step, state)


@pytest.mark.parametrize(("failure", "operation", "state"), RECOVERED)
def test_recovery(cases: Cases, failure: str, operation: int, state: str) -> None:
    cases.check(recovers, failure, operation, state)


@pytest.mark.parametrize("step", AFTER_THE_MOVE)
def test_what_fails_after_a_live_migration(cases: Cases, step: str) -> None:
    cases.check(ignored, step)


@pytest.mark.parametrize("step", CLEANED)
def test_deleting_goes_on(cases: Cases, step: str) -> None:
    cases.check(cleans, step)


def test_every_failure_has_its_recovery() -> None:
    """Every failure state of the table can be reached and recovered here, but for those of lost hosts."""
    from services.oned.lifecycle.transitions import TABLE

    known = {row.target for row in TABLE.values() if row.target.endswith("_FAILURE")}
    assert known - set(RECOVERIES) == {"PROLOG_MIGRATE_UNKNOWN_FAILURE", "CLONING_FAILURE"}
    assert {state for _, _, state in CASES if state.endswith("FAILURE")} == set(RECOVERIES)


@pytest.mark.parametrize("case", SOME, ids=lambda case: " ".join(map(str, case[1:])))
def test_on_mariadb(some_cases: Cases, case: tuple[object, ...]) -> None:
    some_cases.check(*case)
