"""Every operation on a VM once, in a running front-end: what the user sees, and what the drivers have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.oned.drivers import plan
from tests.service.conftest import mysql_section
from tests.support.fleet import FAILURE, RETRY, Fleet, Machine
from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(240)

ALL = ["0", "1", "2", "3", "4"]  # disks: of an image, a saved one, volatile ones, the context


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Hosts whose disks are files, on each database in turn."""
    folder = tmp_path_factory.mktemp("fleet")
    section = 'DB = [ BACKEND = "sqlite" ]'
    if request.param == "mysql":
        section = mysql_section(request.getfixturevalue("mariadb"), "one_vm_operations")
    frontend = Frontend(folder, section)
    try:
        yield Fleet(frontend)
        checked = frontend.run("onedb", "fsck")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        failed = [line for line in _lines(frontend) if "[DRV][E]" in line and not _is_meant(line)]
        assert failed == []
    finally:
        frontend.stop()


def _is_meant(line: str) -> bool:
    return "MONITOR" in line or "failed as its settings ask" in line


def _lines(frontend: Frontend) -> list[str]:
    return (frontend.folder / "opennebula-engine.out").read_text().splitlines()


@pytest.fixture
def vm(fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A VM that runs on h1, ended afterwards."""
    made = fleet.vm(request.node.name.replace("[", "-").replace("]", ""))
    made.deploy()
    yield made
    if made.state() != "DONE":
        made.recover(3, "DONE")
    assert (made.machines(), made.disks(), made.held()) == ([], {}, [])


def where(vm: Machine) -> tuple[str, list[str], dict[str, list[str]]]:
    """The VM's state, where its machine is, and where its disks are."""
    assert vm.held() == []
    return vm.state(), vm.machines(), vm.disks()


def near(fleet: Fleet, machine: str, disks: list[str] | None = None) -> dict[str, list[str]]:
    """Those disks on a machine, in the datastore of most VMs."""
    return {f"{machine}:{fleet.near}": sorted(disks or ALL)}


def test_start_and_stop(fleet: Fleet, vm: Machine) -> None:
    assert where(vm) == ("RUNNING", ["h1"], near(fleet, "h1"))
    vm.act("reboot")
    vm.act("reboot-hard")
    vm.reach("RUNNING")
    vm.act("poweroff", "POWEROFF")
    assert where(vm) == ("POWEROFF", [], near(fleet, "h1"))
    vm.act("resume", "RUNNING")
    vm.act("poweroff-hard", "POWEROFF")
    vm.act("resume", "RUNNING")
    vm.act("suspend", "SUSPENDED")
    assert where(vm) == ("SUSPENDED", [], near(fleet, "h1"))
    vm.act("resume", "RUNNING")
    assert where(vm) == ("RUNNING", ["h1"], near(fleet, "h1"))


def test_stop_and_undeploy_bring_the_disks_to_the_front_end(fleet: Fleet, vm: Machine) -> None:
    vm.act("stop", "STOPPED")
    assert where(vm) == ("STOPPED", [], near(fleet, "fe"))
    vm.act("resume", "PENDING")
    vm.deploy("h2")
    assert where(vm) == ("RUNNING", ["h2"], near(fleet, "h2"))
    vm.act("undeploy", "UNDEPLOYED")
    assert where(vm) == ("UNDEPLOYED", [], near(fleet, "fe"))
    vm.act("resume", "PENDING")
    vm.deploy("h1", fleet.far)
    assert where(vm) == ("RUNNING", ["h1"], {f"h1:{fleet.far}": ALL})
    vm.act("undeploy-hard", "UNDEPLOYED")
    vm.act("terminate", "DONE")


@pytest.mark.parametrize("end", ["terminate", "terminate-hard"])
def test_the_end(fleet: Fleet, vm: Machine, end: str) -> None:
    image = vm.document().findall("TEMPLATE/DISK")[1].findtext("IMAGE_ID") or ""
    vm.act(end, "DONE")
    assert fleet.image_state(int(image)) == "1"


def test_migration(fleet: Fleet, vm: Machine) -> None:
    h1, h2 = fleet.hosts["h1"], fleet.hosts["h2"]
    vm.call("migrate", h2, True, False, -1, 0)
    vm.reach("RUNNING")
    assert (vm.host(), where(vm)) == ("h2", ("RUNNING", ["h2"], near(fleet, "h2")))
    for kind, host, machine in ((0, h1, "h1"), (1, h2, "h2"), (2, h1, "h1")):
        vm.call("migrate", host, False, False, -1, kind)
        vm.reach("RUNNING")
        assert (vm.host(), where(vm)) == (machine, ("RUNNING", [machine], near(fleet, machine)))
    vm.call("migrate", h2, False, False, fleet.far, 0)
    vm.reach("RUNNING")
    assert where(vm) == ("RUNNING", ["h2"], {f"h2:{fleet.far}": ALL})
    for stop, state in (("poweroff", "POWEROFF"), ("suspend", "SUSPENDED")):
        vm.act(stop, state)
        vm.call("migrate", h1 if vm.host() == "h2" else h2, False, False, -1, 0)
        vm.reach(state)
        vm.act("resume", "RUNNING")
    assert where(vm) == ("RUNNING", ["h2"], {f"h2:{fleet.far}": ALL})


@pytest.mark.parametrize("condition", ["RUNNING", "POWEROFF"])
def test_disks(fleet: Fleet, vm: Machine, condition: str) -> None:
    if condition == "POWEROFF":
        vm.act("poweroff", "POWEROFF")
    vm.call("attach", f"DISK=[IMAGE_ID={fleet.os}]")
    vm.reach(condition)
    vm.call("attach", "DISK=[TYPE=fs,SIZE=7,FORMAT=raw]")
    vm.reach(condition)
    assert vm.disk_ids() == ["0", "1", "2", "3", "5", "6"]
    assert vm.disks() == near(fleet, "h1", [*ALL, "5", "6"])
    vm.call("diskresize", 5, "2048")
    vm.reach(condition)
    assert vm.text("TEMPLATE/DISK[DISK_ID='5']/SIZE") == "2048"
    for disk in (5, 6, 1):
        vm.call("detach", disk)
        vm.reach(condition)
    assert vm.disk_ids() == ["0", "2", "3"]
    assert [name for name in vm.disks()[f"h1:{fleet.near}"] if name != "1"] == ["0", "2", "3", "4"]


@pytest.mark.parametrize("condition", ["RUNNING", "POWEROFF", "SUSPENDED"])
def test_snapshots_of_disks(fleet: Fleet, vm: Machine, condition: str) -> None:
    if condition != "RUNNING":
        vm.act({"POWEROFF": "poweroff", "SUSPENDED": "suspend"}[condition], condition)
    for name in ("a", "b"):
        vm.call("disksnapshotcreate", 0, name)
        vm.reach(condition)
    assert {"0.snap/0", "0.snap/1"} <= set(vm.disks()[f"h1:{fleet.near}"])
    if condition != "RUNNING":
        vm.call("disksnapshotrevert", 0, 0)
        vm.reach(condition)
    vm.call("disksnapshotdelete", 0, 1 if condition != "RUNNING" else 0)
    vm.reach(condition)
    assert len(vm.document().findall("SNAPSHOTS/SNAPSHOT")) == 1
    assert len([name for name in vm.disks()[f"h1:{fleet.near}"] if ".snap/" in name]) == 1


def test_snapshots_of_the_machine(vm: Machine) -> None:
    for name in ("a", "b"):
        vm.call("snapshotcreate", name)
        vm.reach("RUNNING")
    vm.call("snapshotrevert", 1)
    vm.reach("RUNNING")
    vm.call("snapshotdelete", 0)
    vm.reach("RUNNING")
    assert [s.findtext("NAME") for s in vm.document().findall("TEMPLATE/SNAPSHOT")] == ["b"]


@pytest.mark.parametrize("condition", ["RUNNING", "POWEROFF"])
def test_interfaces(fleet: Fleet, vm: Machine, condition: str) -> None:
    if condition == "POWEROFF":
        vm.act("poweroff", "POWEROFF")
    vm.call("attachnic", f"NIC=[NETWORK_ID={fleet.lan}]")
    vm.reach(condition)
    vm.call("attachnic", f"NIC_ALIAS=[NETWORK_ID={fleet.lan},PARENT=NIC1]")
    vm.reach(condition)
    if condition == "POWEROFF":
        vm.act("resume", "RUNNING")
    assert (vm.nic_ids(), vm.text("TEMPLATE/CONTEXT/ETH1_ALIAS0_IP") != "-") == (["0", "1"], True)
    if condition == "POWEROFF":
        vm.act("poweroff", "POWEROFF")
    vm.call("detachnic", 1)
    vm.reach(condition)
    assert (vm.nic_ids(), vm.text("TEMPLATE/CONTEXT/ETH1_IP")) == (["0"], "-")


@pytest.mark.parametrize("condition", ["RUNNING", "POWEROFF", "SUSPENDED", "STOPPED", "UNDEPLOYED"])
def test_saving_a_disk_as_an_image(fleet: Fleet, vm: Machine, condition: str) -> None:
    actions = {"POWEROFF": "poweroff", "SUSPENDED": "suspend", "STOPPED": "stop", "UNDEPLOYED": "undeploy"}
    if condition != "RUNNING":
        vm.act(actions[condition], condition)
    image = vm.call("disksaveas", 0, f"saved-{vm.id}", "", -1)
    fleet.wait(lambda: fleet.image_state(image) == "1", "the image READY")
    vm.reach(condition)
    assert vm.error() == "-"
    if condition == "UNDEPLOYED":
        vm.call("diskresize", 0, "4096")
        vm.reach(condition)
        assert vm.text("TEMPLATE/DISK/SIZE") == "4096"


def test_capacity_configuration_and_rules(fleet: Fleet, vm: Machine) -> None:
    vm.call("resize", "MEMORY=2 CPU=0.02", True)
    vm.reach("RUNNING")
    assert (vm.text("TEMPLATE/MEMORY"), vm.text("TEMPLATE/RESIZE")) == ("2", "-")
    vm.call("updateconf", "CONTEXT=[NETWORK=YES,SAYS=hello]")
    vm.reach("RUNNING")
    told = fleet.frontend.folder / f"var/vms/{vm.id}/context.sh"
    assert (
        "SAYS='hello'" in told.read_text() and f"ETH0_IP='{vm.text('TEMPLATE/NIC/IP')}'" in told.read_text()
    )
    fleet.call("secgroup.update", fleet.rules, "RULE=[PROTOCOL=UDP,RULE_TYPE=inbound]", 0)
    fleet.wait(
        lambda: (
            f"<ID>{vm.id}</ID>" in fleet.call("secgroup.info", fleet.rules, False).partition("UPDATED_VMS")[2]
        ),
        "the rules of the group are applied",
    )
    assert vm.text(f"TEMPLATE/SECURITY_GROUP_RULE[SECURITY_GROUP_ID='{fleet.rules}']/PROTOCOL") == "UDP"


def test_recovery(fleet: Fleet, vm: Machine) -> None:
    vm.recover(4, "PENDING")
    assert where(vm) == ("PENDING", [], {})
    vm.refuse("vmm/deploy")
    vm.deploy(then="BOOT_FAILURE")
    vm.recover(FAILURE, "BOOT_FAILURE")
    vm.refuse()
    vm.recover(RETRY, "RUNNING")
    vm.call("recover", 5)
    assert vm.state() == "DONE"
    # Nobody has cleaned up: that was the wish.
    assert (vm.machines(), vm.disks()) == (["h1"], near(fleet, "h1"))
    (fleet.frontend.folder / f"var/dummy/h1/one-{vm.id}").unlink()
    vm.forget_disks()


def test_every_operation_is_among_them() -> None:
    """A plan that no test here reaches has to be added to one."""
    reached = {
        *("tm.PROLOG", "tm.PROLOG_MIGRATE", "tm.PROLOG_RESUME", "tm.PROLOG_ATTACH", "tm.EPILOG"),
        *("tm.EPILOG_STOP", "tm.EPILOG_DELETE", "tm.EPILOG_DETACH", "tm.SAVEAS", "tm.RESIZE"),
        *("tm.DISK_SNAPSHOT_CREATE", "tm.DISK_SNAPSHOT_REVERT", "tm.DISK_SNAPSHOT_DELETE"),
        *("vmm.DEPLOY", "vmm.RESTORE", "vmm.SHUTDOWN", "vmm.CANCEL", "vmm.SAVE", "vmm.REBOOT", "vmm.RESET"),
        *("vmm.CLEANUP", "vmm.MIGRATE", "vmm.ATTACH_DISK", "vmm.DETACH_DISK", "vmm.RESIZE_DISK"),
        *("vmm.DISK_SNAPSHOT_CREATE", "vmm.ATTACH_NIC", "vmm.DETACH_NIC", "vmm.UPDATE_CONF"),
        *("vmm.UPDATE_SG", "vmm.RESIZE", "vmm.SNAPSHOT_CREATE", "vmm.SNAPSHOT_REVERT", "vmm.SNAPSHOT_DELETE"),
    }
    assert set(plan.operations()) - reached == {"vmm.POLL"}
