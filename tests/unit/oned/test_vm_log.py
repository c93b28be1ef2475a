"""The log of a VM, as OpenNebula writes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.common import paths
from services.oned.lifecycle import vm_log
from services.oned.lifecycle.vm_log import Line
from tests.support.cloud import Cloud
from tests.support.core import Core
from tests.support.drain import drain
from tests.support.zone import ROOT


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def lines(vm_id: int) -> list[str]:
    """The lines of a VM's log without their times."""
    found = []
    for line in (paths.log() / f"{vm_id}.log").read_text().splitlines():
        match = re.fullmatch(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} \[Z0\](.*)", line)
        assert match, line
        found.append(match[1])
    return found


def test_a_life(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "var/remotes").symlink_to(ROOT / "services/remotes")
    vm_id = cloud.vm()
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    drain(cloud.core.store, cloud.core.zone.conf)
    assert lines(vm_id) == [
        "[VM][I]: New state is ACTIVE",
        "[VM][I]: New LCM state is PROLOG",
        "[VM][I]: New LCM state is BOOT",
        f"[VMM][I]: Generating deployment file: {tmp_path}/var/vms/{vm_id}/deployment.0",
        "[VMM][I]: Successfully execute virtualization driver operation: deploy.",
        "[VM][I]: New LCM state is RUNNING",
    ]
    begun = len(lines(vm_id))
    cloud.call("vm.action", "poweroff", vm_id)
    drain(cloud.core.store, cloud.core.zone.conf)
    assert lines(vm_id)[begun:] == [
        "[VM][I]: New LCM state is SHUTDOWN_POWEROFF",
        "[VMM][I]: Successfully execute virtualization driver operation: shutdown.",
        "[VM][I]: New state is POWEROFF",
        "[VM][I]: New LCM state is LCM_INIT",
    ]
    begun = len(lines(vm_id))
    cloud.call("vm.action", "terminate", vm_id)
    drain(cloud.core.store, cloud.core.zone.conf)
    assert lines(vm_id)[begun:] == [
        "[VM][I]: New state is ACTIVE",
        "[VM][I]: New LCM state is EPILOG",
        "[VM][I]: New LCM state is LCM_INIT",
        "[VM][I]: New state is DONE",
    ]


def test_a_failed_deployment(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "var/remotes").symlink_to(ROOT / "services/remotes")
    vm_id = cloud.vm("DUMMY=[FAIL=deploy]")
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    drain(cloud.core.store, cloud.core.zone.conf)
    said = "failed as its settings ask"
    begun = lines(vm_id).index("[VM][I]: New LCM state is BOOT") + 2
    next_step = f"remove the cause, then onevm recover --retry or --success or --delete {vm_id}"
    failed, *rest = lines(vm_id)[begun:]
    assert failed.startswith(
        f"[VMM][I]: Command execution failed (exit code: 1): vmm/dummy/deploy {tmp_path}"
    )
    assert rest == [
        f"[VMM][E]: dummy vmm deploy: {said}",
        "[VMM][I]: Failed to execute virtualization driver operation: deploy.",
        f"[VMM][E]: DEPLOY: vmm/dummy/deploy: dummy vmm deploy: {said}",
        "[VM][I]: New LCM state is BOOT_FAILURE",
        f"[LCM][E]: Next step: {next_step}",
    ]
    error = cloud.text(vm_id, "USER_TEMPLATE/ERROR") or ""
    assert re.fullmatch(rf"\w+ \w+ +\d+ [\d:]+ \d+: DEPLOY: vmm/dummy/deploy: .*{said}", error)


def test_results_of_transfers_and_of_devices(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.act("reboot", vm_id, "vmm.REBOOT")
    cloud.call("vm.snapshotcreate", vm_id, "a")
    cloud.end("vmm.SNAPSHOT_CREATE")
    assert "[VMM][I]: VM successfully rebooted." in lines(vm_id)
    assert lines(vm_id)[-2:] == [
        "[VMM][I]: VM Snapshot successfully created.",
        "[VM][I]: New LCM state is RUNNING",
    ]
    other = cloud.vm()
    cloud.call("vm.deploy", other, cloud.host, False, -1, "")
    cloud.end("tm.PROLOG", ok=False, message="no\nroom")
    assert "[TrM][E]: Error executing image transfer script: no room" in lines(other)


def test_a_log_that_cannot_be_written_stops_nothing(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    vm_id = cloud.vm()
    path = paths.log() / f"{vm_id}.log"
    path.mkdir()
    cloud.call("vm.action", "hold", vm_id)
    assert cloud.state(vm_id) == "HOLD"
    assert f"the log of vm {vm_id} cannot be written" in caplog.text


def test_nothing_is_no_line() -> None:
    vm_log.append(5000, [])
    assert vm_log.of_result("vmm.POLL", True, "") == []
    assert vm_log.of_result("vmm.ATTACH_DISK", False, "") == [Line("E", "VMM", "ATTACHDISK")]
