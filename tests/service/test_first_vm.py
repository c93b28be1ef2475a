"""The way of a first VM, through the whole front-end, with a client that is not ours (pyone)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pyone
import pytest

from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def one(frontend: Frontend) -> Any:
    """pyone, as oneadmin."""
    return pyone.OneServer(frontend.endpoint, session=frontend.session)


@pytest.fixture(scope="module")
def cloud(one: Any) -> tuple[list[int], int]:
    """Two dummy hosts that are monitored, and a template."""
    hosts = [one.host.allocate(f"node{n}", "dummy", "dummy", 0) for n in (1, 2)]
    wait(lambda: all(one.host.info(host).STATE == 2 for host in hosts), "hosts monitored")
    template = one.template.allocate('NAME="tiny"\nCPU="0.5"\nMEMORY="256"\nNOTE="hello"')
    return hosts, template


def wait(done: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Return when ``done``; fail with what was waited for."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if done():
            return
        time.sleep(0.05)
    pytest.fail(f"not within {timeout_s} s: {what}")


def state(one: Any, vm_id: int) -> tuple[int, int]:
    vm = one.vm.info(vm_id)
    return vm.STATE, vm.LCM_STATE


@pytest.fixture
def running(one: Any, cloud: tuple[list[int], int]) -> Iterator[int]:
    """A RUNNING VM, ended afterwards."""
    vm_id = one.template.instantiate(cloud[1], "one-of-many", False, "", False)
    wait(lambda: state(one, vm_id) == (3, 3), f"vm {vm_id} RUNNING")
    yield vm_id
    if one.vm.info(vm_id).STATE != 6:
        one.vm.recover(vm_id, 3)
        wait(lambda: state(one, vm_id)[0] == 6, f"vm {vm_id} DONE")


def test_twenty_vms_spread_over_two_hosts(one: Any, cloud: tuple[list[int], int]) -> None:
    hosts, template = cloud
    ids = [one.template.instantiate(template, "", False, "", False) for _ in range(20)]
    wait(lambda: all(state(one, i) == (3, 3) for i in ids), "20 VMs RUNNING", 10)
    shares = [one.host.info(host).HOST_SHARE for host in hosts]
    assert [share.RUNNING_VMS for share in shares] == [10, 10]
    assert [share.CPU_USAGE for share in shares] == [500, 500]
    assert [share.MEM_USAGE for share in shares] == [10 * 256 * 1024] * 2
    for share in shares:
        assert share.CPU_USAGE <= share.MAX_CPU and share.MEM_USAGE <= share.MAX_MEM
    first = ids[0]
    one.vm.action("poweroff", first)
    wait(lambda: state(one, first) == (8, 0), "POWEROFF")
    one.vm.action("resume", first)
    wait(lambda: state(one, first) == (3, 3), "RUNNING again")
    for vm_id in ids:
        one.vm.action("terminate", vm_id)
    wait(lambda: all(state(one, i) == (6, 0) for i in ids), "20 VMs DONE")
    for host in hosts:
        share = one.host.info(host).HOST_SHARE
        assert (share.RUNNING_VMS, share.CPU_USAGE, share.MEM_USAGE) == (0, 0, 0)
        assert not one.host.info(host).VMS.ID


def test_history_has_a_record_for_each_stay(one: Any, running: int) -> None:
    one.vm.action("poweroff-hard", running)
    wait(lambda: state(one, running) == (8, 0), "POWEROFF")
    one.vm.action("resume", running)
    wait(lambda: state(one, running) == (3, 3), "RUNNING")
    records = one.vm.info(running).HISTORY_RECORDS.HISTORY
    assert [record.SEQ for record in records] == [0, 1]
    assert records[0].ACTION == 20 and records[0].ETIME > 0
    assert records[1].ACTION == 0 and records[1].ETIME == 0
    assert records[0].RETIME >= records[0].RSTIME > 0


def test_names_user_attributes_and_permissions(one: Any, cloud: tuple[list[int], int], running: int) -> None:
    vm = one.vm.info(running)
    assert vm.NAME == "one-of-many"
    assert vm.USER_TEMPLATE["NOTE"] == "hello"
    assert vm.TEMPLATE["TEMPLATE_ID"] == str(cloud[1])
    assert vm.PERMISSIONS.OWNER_U == 1 and vm.PERMISSIONS.OTHER_U == 0
    one.vm.rename(running, "renamed")
    one.vm.update(running, 'COLOUR="green"', 1)
    one.vm.chmod(running, -1, -1, -1, 1, -1, -1, -1, -1, -1)
    vm = one.vm.info(running)
    assert (vm.NAME, vm.USER_TEMPLATE["COLOUR"], vm.PERMISSIONS.GROUP_U) == ("renamed", "green", 1)
    assert vm.USER_TEMPLATE["NOTE"] == "hello"


@pytest.mark.parametrize(
    ("action", "rest", "back"),
    [
        ("suspend", (5, 0), "resume"),
        ("stop", (4, 0), "resume"),
        ("undeploy", (9, 0), "resume"),
        ("undeploy-hard", (9, 0), "resume"),
        ("poweroff", (8, 0), "resume"),
    ],
)
def test_rest_and_return(one: Any, running: int, action: str, rest: tuple[int, int], back: str) -> None:
    one.vm.action(action, running)
    wait(lambda: state(one, running) == rest, action)
    one.vm.action(back, running)
    wait(lambda: state(one, running) == (3, 3), "RUNNING after " + action)


def test_hold_release_and_end_without_a_host(one: Any, cloud: tuple[list[int], int]) -> None:
    vm_id = one.template.instantiate(cloud[1], "held", True, "", False)
    time.sleep(0.5)
    assert state(one, vm_id) == (2, 0)
    one.vm.action("release", vm_id)
    wait(lambda: state(one, vm_id) == (3, 3), "RUNNING after release")
    one.vm.action("terminate-hard", vm_id)
    wait(lambda: state(one, vm_id) == (6, 0), "DONE")
    other = one.template.instantiate(cloud[1], "", True, "", False)
    one.vm.action("terminate", other)
    assert state(one, other) == (6, 0)


@pytest.mark.parametrize(
    ("fails", "stuck", "after"),
    [("deploy", 36, "BOOT_FAILURE"), ("shutdown", 3, "RUNNING")],
)
def test_driver_failures_are_shown_and_recovered(
    one: Any, cloud: tuple[list[int], int], fails: str, stuck: int, after: str
) -> None:
    template = f'NAME="bad"\nCPU=0.1\nMEMORY=16\nDUMMY=[FAIL="{fails}"]'
    vm_id = one.vm.allocate(template, False)
    if fails == "shutdown":
        wait(lambda: state(one, vm_id) == (3, 3), "RUNNING")
        one.vm.action("poweroff", vm_id)
        time.sleep(0.2)
    wait(lambda: state(one, vm_id) == (3, stuck) and "ERROR" in one.vm.info(vm_id).USER_TEMPLATE, after)
    assert fails in str(one.vm.info(vm_id).USER_TEMPLATE["ERROR"]).lower()
    if fails == "deploy":
        one.vm.recover(vm_id, 2)  # retry: fails again the same way
        wait(lambda: state(one, vm_id) == (3, stuck), "BOOT_FAILURE again")
        one.vm.recover(vm_id, 4)  # recreate: back to PENDING, the scheduler tries anew
        wait(lambda: state(one, vm_id) == (3, stuck), "BOOT_FAILURE after recreate")
    one.vm.recover(vm_id, 3)
    wait(lambda: state(one, vm_id) == (6, 0), "DONE")


def test_requirements_choose_the_host(one: Any, cloud: tuple[list[int], int]) -> None:
    hosts, _ = cloud
    one.host.update(hosts[1], 'RACK="blue"', 1)
    vm_id = one.vm.allocate('CPU=0.1\nMEMORY=16\nSCHED_REQUIREMENTS="RACK = \\"blue\\""', False)
    wait(lambda: state(one, vm_id) == (3, 3), "RUNNING")
    assert hosts[1] == one.vm.info(vm_id).HISTORY_RECORDS.HISTORY[-1].HID
    nowhere = one.vm.allocate('CPU=0.1\nMEMORY=16\nSCHED_REQUIREMENTS="RACK = \\"red\\""', False)
    wait(lambda: "SCHED_MESSAGE" in one.vm.info(nowhere).USER_TEMPLATE, "a reason for waiting")
    assert state(one, nowhere) == (1, 0)
    one.host.update(hosts[0], 'RACK="red"', 1)
    wait(lambda: state(one, nowhere) == (3, 3), "RUNNING once a host fits")
    for i in (vm_id, nowhere):
        one.vm.action("terminate-hard", i)
    wait(lambda: all(state(one, i) == (6, 0) for i in (vm_id, nowhere)), "DONE")


def test_a_vm_that_fits_nowhere_waits_with_a_reason(one: Any, cloud: tuple[list[int], int]) -> None:
    vm_id = one.vm.allocate("CPU=1000\nMEMORY=16", False)
    wait(lambda: "SCHED_MESSAGE" in one.vm.info(vm_id).USER_TEMPLATE, "a reason for waiting")
    assert state(one, vm_id) == (1, 0)
    one.vm.action("terminate", vm_id)


def test_nothing_is_left_over(frontend: Frontend, one: Any) -> None:
    """After everything above the counters equal what the documents say."""
    checked = frontend.run("onedb", "fsck", "--dry-run")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Total errors found: 0" in checked.stdout
