"""A host is lost with its machines: its VMs are UNKNOWN, and are moved away; each way out when that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fleet import DELETE, DELETE_DB, FAILURE, RECREATE, RETRY, SUCCESS, Fleet, Machine
from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(300)
FAILED = "PROLOG_MIGRATE_UNKNOWN_FAILURE"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """A front-end that asks its hosts every second."""
    frontend = Frontend(tmp_path / "one")
    conf = frontend.folder / "etc/oned.conf"
    conf.write_text(
        conf.read_text().replace("MONITORING_INTERVAL_HOST = 180", "MONITORING_INTERVAL_HOST = 1")
    )
    try:
        yield Fleet(frontend)
    finally:
        frontend.stop()


def test_moving_away_from_a_lost_host(fleet: Fleet) -> None:
    # What is recovered, the state that follows, and the host that the machine runs on then.
    ways = {
        SUCCESS: ("RUNNING", "h2"),
        FAILURE: ("RUNNING", "h1"),
        RETRY: ("RUNNING", "h2"),
        DELETE: ("DONE", None),
        RECREATE: ("PENDING", None),
        DELETE_DB: ("DONE", None),
    }
    failing = {operation: fleet.vm(f"lost {operation}") for operation in ways}
    fine = fleet.vm("lost")
    vms = [*failing.values(), fine]
    for vm in vms:
        vm.deploy()
    _lose(fleet, vms)
    for vm in failing.values():
        vm.refuse("tm/mv")
    for vm in vms:
        vm.call("migrate", fleet.hosts["h2"], False, False, -1, 0)
    for vm in failing.values():
        vm.reach(FAILED)
        assert "tm mv" in vm.error()
        vm.refuse()
    fine.reach("RUNNING")
    assert (fine.host(), fine.machines()) == ("h2", ["h2"])
    (fleet.settings / "hosts/h1").unlink()
    fleet.wait(lambda: fleet.host_state("h1") == "2", "h1 monitored again")
    for operation, (state, host) in ways.items():
        vm = failing[operation]
        vm.recover(operation, state)
        assert vm.machines() == ([host] if host else []), f"recover {operation}"
        if operation in (FAILURE, RETRY):
            assert vm.disks() == {f"{host}:{fleet.near}": ["0", "1", "2", "3", "4"]} and vm.held() == []
    checked = fleet.frontend.run("onedb", "fsck", "--dry-run")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _lose(fleet: Fleet, vms: list[Machine]) -> None:
    """The host does not answer any more, and its machines are gone."""
    (fleet.settings / "hosts").mkdir()
    (fleet.settings / "hosts/h1").write_text('FAIL="im/monitor"\n')
    for vm in vms:
        vm.reach("UNKNOWN")
        (fleet.frontend.folder / f"var/dummy/h1/one-{vm.id}").unlink()
