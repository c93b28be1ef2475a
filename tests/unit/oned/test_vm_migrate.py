"""Migration: live, cold, powered off; where the VM is counted, what it leaves in records, what forbids it."""

from __future__ import annotations

import pytest

from services.oned.monitor.vm import apply_vm_state
from tests.support.cloud import Cloud
from tests.support.core import Core

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL = 0x200, 0x400, 0x800, 0x2000
NOTHING = ("0", "0", "0")
ONE_VM = ("50", "65536", "1")
MIGRATE, LIVE, POFF, POFF_HARD = "1", "2", "48", "49"


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def _migrate(cloud: Cloud, vm_id: int, host: int, live: bool = False, kind: int = 0, ds: int = -1) -> None:
    assert cloud.call("vm.migrate", vm_id, host, live, False, ds, kind) == vm_id


# -- live --------------------------------------------------------------------------------------------------
def test_live(cloud: Cloud) -> None:
    vm_id = cloud.running()
    _migrate(cloud, vm_id, cloud.other, live=True)
    assert cloud.state(vm_id) == "MIGRATE"
    assert cloud.share(cloud.host) == cloud.share(cloud.other) == ONE_VM, "both keep the place"
    assert cloud.job() == ("vmm.MIGRATE", "dummy", "node1", '{"previous":true}')
    assert cloud.contradictions() == []
    cloud.end("vmm.MIGRATE")
    assert cloud.state(vm_id) == "RUNNING"
    assert (cloud.share(cloud.host), cloud.share(cloud.other)) == (NOTHING, ONE_VM)
    old, new = cloud.records(vm_id)
    assert (old["HOSTNAME"], old["ACTION"], old["UID"]) == ("node1", LIVE, "0")
    assert old["ETIME"] == old["RETIME"] != "0"
    assert (new["HOSTNAME"], new["ACTION"], new["ETIME"], new["RETIME"]) == ("node2", "0", "0", "0")
    assert new["RSTIME"] != "0"
    assert [copy.findtext("LCM_STATE") for copy in cloud.copies(vm_id)] == ["4", "3"]
    assert cloud.contradictions() == []


def test_live_that_fails_goes_on_where_it_was(cloud: Cloud) -> None:
    vm_id = cloud.running()
    _migrate(cloud, vm_id, cloud.other, live=True)
    cloud.end("vmm.MIGRATE", ok=False, message="cannot connect")
    assert cloud.state(vm_id) == "RUNNING"
    assert (cloud.share(cloud.host), cloud.share(cloud.other)) == (ONE_VM, NOTHING)
    first, tried, now = cloud.records(vm_id)
    assert [record["HOSTNAME"] for record in (first, tried, now)] == ["node1", "node2", "node1"]
    assert first["ETIME"] != "0" and tried["ETIME"] != "0" and now["ETIME"] == "0"
    assert now["RSTIME"] != "0" and now["ACTION"] == "0"
    assert "cannot connect" in (cloud.text(vm_id, "USER_TEMPLATE/ERROR") or "")
    assert cloud.contradictions() == []
    _migrate(cloud, vm_id, cloud.other, live=True)


# -- cold --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "operation", "action", "boots", "starts"),
    [
        (0, "vmm.SAVE", MIGRATE, "BOOT_MIGRATE", "vmm.RESTORE"),
        (1, "vmm.SHUTDOWN", POFF, "BOOT", "vmm.DEPLOY"),
        (2, "vmm.CANCEL", POFF_HARD, "BOOT", "vmm.DEPLOY"),
        (7, "vmm.SAVE", MIGRATE, "BOOT_MIGRATE", "vmm.RESTORE"),
    ],
)
def test_cold(cloud: Cloud, kind: int, operation: str, action: str, boots: str, starts: str) -> None:
    vm_id = cloud.running()
    cloud.call("vm.action", "resched", vm_id)
    _migrate(cloud, vm_id, cloud.other, kind=kind)
    assert cloud.state(vm_id) == "SAVE_MIGRATE"
    assert cloud.text(vm_id, "RESCHED") == "0"
    assert cloud.job() == (operation, "dummy", "node1", '{"previous":true}')
    assert cloud.contradictions() == []
    cloud.end(operation)
    assert cloud.state(vm_id) == "PROLOG_MIGRATE"
    assert (cloud.share(cloud.host), cloud.share(cloud.other)) == (NOTHING, ONE_VM)
    assert cloud.job()[:3] == ("tm.PROLOG_MIGRATE", "ssh", "node2") or cloud.job()[0] == "tm.PROLOG_MIGRATE"
    cloud.end("tm.PROLOG_MIGRATE")
    assert cloud.state(vm_id) == boots
    cloud.end(starts)
    assert cloud.state(vm_id) == "RUNNING"
    old, new = cloud.records(vm_id)
    assert (old["ACTION"], new["ACTION"]) == (action, "0"), "done: nothing is asked for any more"
    assert "0" not in (old["ETIME"], old["RETIME"], new["PSTIME"], new["PETIME"], new["RSTIME"])
    assert (new["ETIME"], new["RETIME"]) == ("0", "0")
    assert cloud.contradictions() == []


def test_cold_that_cannot_save_stays(cloud: Cloud) -> None:
    for kind, operation in ((0, "vmm.SAVE"), (1, "vmm.SHUTDOWN"), (2, "vmm.CANCEL")):
        vm_id = cloud.running()
        _migrate(cloud, vm_id, cloud.other, kind=kind)
        cloud.end(operation, ok=False, message="no space")
        assert cloud.state(vm_id) == "RUNNING"
        assert [record["HID"] for record in cloud.records(vm_id)] == ["0", "1", "0"]
    assert cloud.share(cloud.other) == NOTHING
    assert cloud.contradictions() == []


@pytest.mark.parametrize(
    ("kind", "saves", "boots", "starts"),
    [(0, "vmm.SAVE", "BOOT_MIGRATE", "vmm.RESTORE"), (1, "vmm.SHUTDOWN", "BOOT", "vmm.DEPLOY")],
)
def test_disks_that_cannot_be_moved(cloud: Cloud, kind: int, saves: str, boots: str, starts: str) -> None:
    """Failure goes back to the old host, where the disks still are; success and retry go on."""
    for operation, then in ((0, boots), (1, boots), (2, "PROLOG_MIGRATE")):
        vm_id = cloud.running()
        _migrate(cloud, vm_id, cloud.other, kind=kind)
        cloud.end(saves)
        cloud.end("tm.PROLOG_MIGRATE", ok=False, message="no route")
        assert cloud.state(vm_id) == "PROLOG_MIGRATE_FAILURE"
        assert cloud.contradictions() == []
        cloud.call("vm.recover", vm_id, operation)
        assert cloud.state(vm_id) == then
        if operation == 2:
            cloud.end("tm.PROLOG_MIGRATE")
        assert cloud.job()[2] == ("node1" if operation == 0 else "node2")
        cloud.end(starts)
        assert cloud.state(vm_id) == "RUNNING"
        assert cloud.contradictions() == []
        cloud.call("vm.recover", vm_id, 5)
    assert cloud.share(cloud.host) == cloud.share(cloud.other) == NOTHING


# -- a VM that does not run --------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("live", [True, False])
def test_a_vm_that_is_off_has_its_disks_moved(cloud: Cloud, live: bool, kind: int) -> None:
    vm_id = cloud.off()
    _migrate(cloud, vm_id, cloud.other, live=live, kind=kind)
    assert cloud.state(vm_id) == "PROLOG_MIGRATE_POWEROFF"
    assert (cloud.share(cloud.host), cloud.share(cloud.other)) == (NOTHING, ONE_VM)
    cloud.end("tm.PROLOG_MIGRATE")
    assert cloud.state(vm_id) == "POWEROFF"
    old, new = cloud.records(vm_id)
    assert (old["ACTION"], new["ACTION"]) == ("19", MIGRATE)
    assert old["ETIME"] != "0" and (new["ETIME"], new["RETIME"] != "0") == ("0", True)
    cloud.act("resume", vm_id, "vmm.DEPLOY")
    assert cloud.contradictions() == []


def test_suspended_and_unknown(cloud: Cloud) -> None:
    vm_id = cloud.suspended()
    _migrate(cloud, vm_id, cloud.other)
    assert cloud.state(vm_id) == "PROLOG_MIGRATE_SUSPEND"
    cloud.end("tm.PROLOG_MIGRATE", ok=False)
    assert cloud.state(vm_id) == "PROLOG_MIGRATE_SUSPEND_FAILURE"
    cloud.call("vm.recover", vm_id, 0)
    assert cloud.state(vm_id) == "SUSPENDED"
    assert cloud.records(vm_id)[-1]["HOSTNAME"] == "node1"
    assert cloud.share(cloud.other) == NOTHING
    cloud.act("resume", vm_id, "vmm.RESTORE")
    assert cloud.core.store.run(lambda tx: apply_vm_state(tx, vm_id, "e"))
    assert cloud.state(vm_id) == "UNKNOWN"
    _migrate(cloud, vm_id, cloud.other)
    assert cloud.state(vm_id) == "PROLOG_MIGRATE_UNKNOWN"
    assert cloud.records(vm_id)[-2]["ACTION"] == MIGRATE
    cloud.end("tm.PROLOG_MIGRATE")
    assert cloud.state(vm_id) == "BOOT"
    cloud.end("vmm.DEPLOY")
    assert (cloud.state(vm_id), cloud.contradictions()) == ("RUNNING", [])


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("operation", [3, 4, 5])
def test_ending_a_migration_frees_both_hosts(cloud: Cloud, operation: int, steps: int) -> None:
    vm_id = cloud.running()
    _migrate(cloud, vm_id, cloud.other)
    if steps:
        cloud.end("vmm.SAVE")
    cloud.call("vm.recover", vm_id, operation)
    if operation != 5:
        where = "tm.EPILOG_DELETE" if steps else "vmm.CLEANUP"
        assert cloud.job()[3] == ('{"both":true}' if steps else '{"previous":true}')
        cloud.end(where)
    assert cloud.state(vm_id) == ("PENDING" if operation == 4 else "DONE")
    assert cloud.share(cloud.host) == cloud.share(cloud.other) == NOTHING
    assert cloud.contradictions() == []
    if operation == 4:
        assert all(record["ETIME"] != "0" for record in cloud.records(vm_id))
        cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
        assert cloud.state(vm_id) == "PROLOG"


# -- datastores --------------------------------------------------------------------------------------------
def test_to_another_datastore_on_the_same_host(cloud: Cloud) -> None:
    vm_id = cloud.running()
    drivers = 'TM_MAD="ssh" TYPE="SYSTEM_DS"'
    second = cloud.call("datastore.allocate", f"NAME=sys2 {drivers}", 0)
    present = int(cloud.records(vm_id)[0]["DS_ID"])
    assert "already running" in cloud.refused(
        ACTION, "vm.migrate", vm_id, cloud.host, False, False, present, 0
    )
    text = cloud.refused(ACTION, "vm.migrate", vm_id, cloud.host, True, False, second, 0)
    assert "live" in text
    other = cloud.call("datastore.allocate", 'NAME=sys3 TM_MAD="shared" TYPE="SYSTEM_DS"', 0)
    assert "different TM driver" in cloud.refused(
        ACTION, "vm.migrate", vm_id, cloud.host, False, False, other, 0
    )
    _migrate(cloud, vm_id, cloud.host, kind=1, ds=second)
    cloud.end("vmm.SHUTDOWN")
    assert cloud.share(cloud.host) == ONE_VM, "it never leaves the host"
    cloud.end("tm.PROLOG_MIGRATE")
    cloud.end("vmm.DEPLOY")
    assert [record["DS_ID"] for record in cloud.records(vm_id)] == [str(present), str(second)]
    assert cloud.share(cloud.host) == ONE_VM
    assert cloud.contradictions() == []


# -- refusals ----------------------------------------------------------------------------------------------
def test_refusals(cloud: Cloud) -> None:
    vm_id = cloud.running()
    waiting = cloud.vm()
    cloud.refused(NO_EXISTS, "vm.migrate", vm_id, 99, False, False, -1, 0)
    cloud.refused(NO_EXISTS, "vm.migrate", 99, cloud.other, False, False, -1, 0)
    cloud.refused(NO_EXISTS, "vm.migrate", vm_id, cloud.other, False, False, 99, 0)
    cloud.refused(INTERNAL, "vm.migrate", vm_id, cloud.other, False, False, 1, 0)
    cloud.refused(ACTION, "vm.migrate", vm_id, cloud.host, False, False, -1, 0)
    assert "PENDING" in cloud.refused(ACTION, "vm.migrate", waiting, cloud.other, False, False, -1, 0)
    cloud.call("host.status", cloud.other, 2)
    assert "offline" in cloud.refused(ACTION, "vm.migrate", vm_id, cloud.other, False, False, -1, 0)
    assert (cloud.waiting(), cloud.state(vm_id)) == ([], "RUNNING")
    assert cloud.contradictions() == []


def test_room_is_required_on_request_only(cloud: Cloud) -> None:
    big = cloud.running("")
    cloud.call("vm.resize", cloud.vm("", hold=True), "CPU=1", False)
    crowd = cloud.vm()
    cloud.call("vm.resize", crowd, "CPU=4", False)
    cloud.call("vm.deploy", crowd, cloud.other, True, -1, "")
    assert "does not fit" in cloud.refused(ACTION, "vm.migrate", big, cloud.other, True, True, -1, 0)
    assert cloud.call("vm.migrate", big, cloud.other, True, False, -1, 0) == big


def test_rights(cloud: Cloud) -> None:
    """ADMIN on the VM and MANAGE on the host, unless oned.conf says otherwise."""
    outside = cloud.call("group.allocate", "outside")
    cloud.call("vdc.delgroup", 0, outside)  # the default VDC would give MANAGE on every host
    ann = cloud.core.add_user("ann", outside)
    cloud.call("acl.addrule", hex(0x100000000 | ann), hex(0x1000000000 | 0x400000000), hex(8))
    vm_id = cloud.running(user="ann")
    move = ("vm.migrate", vm_id, cloud.other, True, False, -1, 0)
    cloud.refused(AUTHORIZATION, *move, user="ann")
    cloud.call("vm.chmod", vm_id, 1, 1, 1, 0, 0, 0, 0, 0, 0)
    cloud.refused(AUTHORIZATION, *move, user="ann")
    cloud.call("acl.addrule", hex(0x100000000 | ann), hex(0x2000000000 | 0x400000000), hex(2))
    assert cloud.call(*move, user="ann") == vm_id


def test_another_cluster_must_have_the_datastore(cloud: Cloud) -> None:
    cluster = cloud.call("cluster.allocate", "far")
    far = cloud.add_host("far", cluster)
    vm_id = cloud.running()
    assert "cluster" in cloud.refused(ACTION, "vm.migrate", vm_id, far, False, False, -1, 0)
    cloud.call("cluster.adddatastore", cluster, 0)
    _migrate(cloud, vm_id, far)
    assert cloud.state(vm_id) == "SAVE_MIGRATE"
