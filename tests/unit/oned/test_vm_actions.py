"""Actions of VMs: states, records, marks; deployment; recovery in every condition; refusals."""

from __future__ import annotations

import pytest

from services.common.template import Template
from services.oned.lifecycle.effects import Firing, records
from services.oned.lifecycle.effects.work import set_deploy_id
from services.oned.model.history import HistoryRecord
from services.oned.model.vm import VM
from services.oned.store import Tx
from tests.support.cloud import Cloud
from tests.support.core import Core

AUTHORIZATION, NO_EXISTS, ACTION, API, INTERNAL = 0x200, 0x400, 0x800, 0x1000, 0x2000
VOLATILE = "DISK=[TYPE=fs,SIZE=10]"


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


# -- records -----------------------------------------------------------------------------------------------
def test_the_first_record(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    (record,) = cloud.records(vm_id)
    assert record["STIME"] == record["PSTIME"] != "0"
    assert [record[name] for name in ("PETIME", "RSTIME", "ETIME", "ACTION")] == ["0"] * 4
    assert [record[name] for name in ("UID", "GID", "REQUEST_ID")] == ["-1"] * 3
    assert cloud.copies(vm_id)[0].findtext("STATE") == "1", "the copy is from before the deployment"
    cloud.end("tm.PROLOG")
    cloud.end("vmm.DEPLOY")
    (record,) = cloud.records(vm_id)
    assert record["PETIME"] != "0" and record["RSTIME"] != "0" and record["RETIME"] == "0"
    assert cloud.text(vm_id, "DEPLOY_ID") == "one-x"
    document = cloud.document(vm_id)
    assert [document.findtext(name) for name in ("PREV_STATE", "PREV_LCM_STATE")] == ["3", "3"]


def test_resuming_begins_another_record(cloud: Cloud) -> None:
    vm_id = cloud.off()
    (record,) = cloud.records(vm_id)
    assert (record["ACTION"], record["ETIME"], record["RETIME"] != "0") == ("19", "0", True)
    cloud.call("vm.action", "resume", vm_id)
    assert cloud.state(vm_id) == "BOOT_POWEROFF"
    old, new = cloud.records(vm_id)
    assert old["ETIME"] != "0" and (new["ACTION"], new["UID"], new["RSTIME"] != "0") == ("11", "0", True)
    copy = cloud.copies(vm_id)[0]
    assert [copy.findtext(name) for name in ("STATE", "LCM_STATE", "PREV_STATE", "PREV_LCM_STATE")] == [
        "3",
        "20",
        "8",
        "0",
    ]
    cloud.end("vmm.DEPLOY", ok=False)
    assert (cloud.state(vm_id), cloud.records(vm_id)[1]["RETIME"] != "0") == ("POWEROFF", True)
    cloud.act("resume", vm_id, "vmm.DEPLOY")
    last = cloud.records(vm_id)[-1]
    assert (last["SEQ"], last["ACTION"], last["RETIME"]) == ("2", "0", "0")


@pytest.mark.parametrize(
    ("action", "operations", "then", "recorded"),
    [
        ("suspend", ["vmm.SAVE"], "SUSPENDED", "10"),
        ("stop", ["vmm.SAVE", "tm.EPILOG_STOP"], "STOPPED", "9"),
        ("poweroff", ["vmm.SHUTDOWN"], "POWEROFF", "19"),
        ("poweroff-hard", ["vmm.CANCEL"], "POWEROFF", "20"),
        ("undeploy", ["vmm.SHUTDOWN", "tm.EPILOG_STOP"], "UNDEPLOYED", "5"),
        ("undeploy-hard", ["vmm.CANCEL", "tm.EPILOG_STOP"], "UNDEPLOYED", "6"),
        ("terminate", ["vmm.SHUTDOWN", "tm.EPILOG"], "DONE", "27"),
        ("terminate-hard", ["vmm.CANCEL", "tm.EPILOG"], "DONE", "28"),
    ],
)
def test_leaving_a_host(cloud: Cloud, action: str, operations: list[str], then: str, recorded: str) -> None:
    ann = cloud.core.add_user("ann")
    vm_id = cloud.running(user="ann")
    cloud.call("vm.action", "resched", vm_id)
    cloud.act(action, vm_id, *operations)
    assert (cloud.state(vm_id), cloud.text(vm_id, "RESCHED")) == (then, "0")
    (record,) = cloud.records(vm_id)
    assert record["ACTION"] == recorded and record["RETIME"] != "0"
    # Terminations are written in the owner's name, whoever asked.
    assert record["UID"] == (str(ann) if action.startswith("terminate") else "0")
    is_open = then in ("SUSPENDED", "POWEROFF")
    assert (record["ETIME"] == "0", record["EETIME"] == "0") == (is_open, is_open)
    assert cloud.share(cloud.host)[2] == ("1" if is_open else "0")
    assert (cloud.text(vm_id, "DEPLOY_ID"), cloud.contradictions()) == ("one-x", [])


def test_a_step_that_fails_leaves_the_machine_running(cloud: Cloud) -> None:
    vm_id = cloud.running()
    for action, operation in (
        ("suspend", "vmm.SAVE"),
        ("stop", "vmm.SAVE"),
        ("poweroff", "vmm.SHUTDOWN"),
        ("undeploy", "vmm.SHUTDOWN"),
        ("terminate", "vmm.SHUTDOWN"),
    ):
        cloud.call("vm.action", action, vm_id)
        cloud.end(operation, ok=False, message="busy")
        (record,) = cloud.records(vm_id)
        assert (cloud.state(vm_id), record["ACTION"], record["UID"], record["RETIME"]) == (
            "RUNNING",
            "0",
            "-1",
            "0",
        )


def test_hard_after_soft(cloud: Cloud) -> None:
    for soft, hard, then in (
        ("poweroff", "poweroff-hard", "SHUTDOWN_POWEROFF"),
        ("undeploy", "undeploy-hard", "SHUTDOWN_UNDEPLOY"),
        ("terminate", "terminate-hard", "SHUTDOWN"),
    ):
        vm_id = cloud.running()
        cloud.call("vm.action", soft, vm_id)
        cloud.refused(ACTION, "vm.action", soft, vm_id)
        cloud.call("vm.action", hard, vm_id)
        assert (cloud.state(vm_id), cloud.waiting()) == (then, ["vmm.CANCEL"])
        cloud.call("vm.recover", vm_id, 5)


def test_what_a_resumed_stopped_vm_left_is_cleaned_up(cloud: Cloud) -> None:
    for ending in ("terminate", "recover"):
        vm_id = cloud.stopped(VOLATILE)
        cloud.act("resume", vm_id)
        if ending == "terminate":
            cloud.call("vm.action", "terminate", vm_id)
            assert cloud.job()[0::3] == ("tm.EPILOG", '{"local":true}')
            cloud.end("tm.EPILOG")
        else:
            cloud.call("vm.recover", vm_id, 3)
            assert cloud.job()[0::3] == ("tm.EPILOG_DELETE", '{"local":true}')
            cloud.end("tm.EPILOG_DELETE")
        assert (cloud.state(vm_id), cloud.contradictions()) == ("DONE", [])


def test_waiting_again(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    cloud.act("hold", vm_id)
    assert cloud.state(vm_id) == "HOLD"
    cloud.act("release", vm_id)
    cloud.act("terminate", vm_id)
    assert (cloud.state(vm_id), cloud.text(vm_id, "ETIME") != "0") == ("DONE", True)
    cloud.act("terminate", vm_id)
    cloud.refused(ACTION, "vm.action", "resume", vm_id)


def test_action_refusals(cloud: Cloud) -> None:
    cloud.core.add_user("ann")
    vm_id = cloud.running()
    cloud.refused(NO_EXISTS, "vm.action", "poweroff", 99)
    cloud.refused(NO_EXISTS, "vm.action", "jump", 99)
    assert "expected one of" in cloud.refused(ACTION, "vm.action", "jump", vm_id)
    cloud.refused(ACTION, "vm.action", "migrate", vm_id)
    for name in ("poweroff", "jump", "resched"):
        cloud.refused(AUTHORIZATION, "vm.action", name, vm_id, user="ann")
    mine = cloud.running(user="ann")
    cloud.refused(AUTHORIZATION, "vm.action", "resched", mine, user="ann")
    assert "available for HOLD" in cloud.refused(ACTION, "vm.action", "release", vm_id)


def test_a_quota_forbids_resuming(cloud: Cloud) -> None:
    ann = cloud.core.add_user("ann")
    vm_id = cloud.off(user="ann")
    cloud.call("user.quota", ann, "VM=[RUNNING_VMS=1]")
    cloud.vm(user="ann")
    cloud.refused(ACTION, "vm.action", "resume", vm_id, user="ann")
    assert (cloud.state(vm_id), cloud.contradictions()) == ("POWEROFF", [])


# -- deploy ------------------------------------------------------------------------------------------------
def test_deploy_refusals(cloud: Cloud) -> None:
    cloud.core.add_user("ann")
    vm_id, mine = cloud.vm(), cloud.vm(user="ann")
    deploy = "vm.deploy"
    cloud.refused(NO_EXISTS, deploy, vm_id, 99, False, -1, "")
    cloud.refused(NO_EXISTS, deploy, 99, cloud.host, False, -1, "")
    cloud.refused(NO_EXISTS, deploy, vm_id, cloud.host, False, 99, "")
    cloud.refused(INTERNAL, deploy, vm_id, cloud.host, False, 1, "")
    cloud.refused(INTERNAL, deploy, vm_id, cloud.host, False, -1, "NIC=[")
    cloud.refused(AUTHORIZATION, deploy, mine, cloud.host, False, -1, "", user="ann")
    other = cloud.add_host("far", cloud.call("cluster.allocate", "far"))
    assert "SYSTEM_DS" in cloud.refused(ACTION, deploy, vm_id, other, False, -1, "")
    assert "same CLUSTER" in cloud.refused(ACTION, deploy, vm_id, other, False, 0, "")
    strange = cloud.add_host("strange", driver="nobody")
    assert "nobody" in cloud.refused(ACTION, deploy, vm_id, strange, False, -1, "")
    cloud.call("host.status", cloud.host, 2)
    assert "offline" in cloud.refused(ACTION, deploy, vm_id, cloud.host, False, -1, "")
    running = cloud.running(host=cloud.other)
    assert "RUNNING" in cloud.refused(ACTION, deploy, running, cloud.other, False, -1, "")
    assert (cloud.waiting(), cloud.contradictions()) == ([], [])


def test_room_is_required_on_request(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    cloud.call("vm.resize", vm_id, "CPU=5", False)
    assert "does not fit" in cloud.refused(ACTION, "vm.deploy", vm_id, cloud.host, True, -1, "")
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    assert cloud.share(cloud.host)[0] == "500"


def test_networks_in_automatic_mode_come_with_the_deployment(cloud: Cloud) -> None:
    net = cloud.lan()
    vm_id = cloud.vm('NIC=[NETWORK_MODE="auto"]\nCONTEXT=[NETWORK="YES"]')
    chosen = f'NIC=[NIC_ID="0",NETWORK_MODE="auto",NETWORK_ID="{net}"]'
    cloud.refused(ACTION, "vm.deploy", vm_id, cloud.host, False, -1, chosen.replace('"0"', '"5"'))
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, chosen)
    assert cloud.text(vm_id, "TEMPLATE/NIC/IP") == "10.0.0.1"
    assert cloud.text(vm_id, "TEMPLATE/CONTEXT/ETH0_IP") == "10.0.0.1"
    assert cloud.contradictions() == []


def test_a_machine_that_was_there_before(cloud: Cloud) -> None:
    for state, then in (("", "RUNNING"), ("IMPORT_STATE=POWEROFF", "POWEROFF")):
        vm_id = cloud.vm(f'DEPLOY_ID="wild{len(state)}"\n{state}', hold=True)
        cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
        assert (cloud.state(vm_id), cloud.waiting()) == (then, [])
        record = cloud.records(vm_id)[0]
        assert "0" not in (record["PSTIME"], record["PETIME"], record["RSTIME"])
        assert "imported" in cloud.refused(ACTION, "vm.action", "undeploy", vm_id)
    assert cloud.contradictions() == []


# -- recover -----------------------------------------------------------------------------------------------
def test_recover_refusals(cloud: Cloud) -> None:
    cloud.core.add_user("ann")
    vm_id, waiting, off = cloud.running(), cloud.vm(), cloud.off()
    cloud.refused(ACTION, "vm.recover", vm_id, 6)
    cloud.refused(ACTION, "vm.recover", 99, -1)
    cloud.refused(NO_EXISTS, "vm.recover", 99, 0)
    cloud.refused(AUTHORIZATION, "vm.recover", vm_id, 3, user="ann")
    for operation in (0, 1, 2):
        cloud.refused(ACTION, "vm.recover", waiting, operation)
        cloud.refused(ACTION, "vm.recover", off, operation)
        assert cloud.call("vm.recover", vm_id, operation) == vm_id
    cloud.refused(ACTION, "vm.recover", off, 4)
    assert cloud.call("vm.recover", waiting, 4) == waiting
    cloud.call("vm.recover", waiting, 3)
    assert cloud.state(waiting) == "DONE"
    for operation in (0, 1, 2, 4):
        cloud.refused(ACTION, "vm.recover", waiting, operation)
    for operation in (3, 5):
        assert cloud.call("vm.recover", waiting, operation) == waiting


def test_a_persistent_image_is_trusted_unless_a_machine_used_it(cloud: Cloud) -> None:
    image = cloud.images.ready("NAME=data SIZE=10 TYPE=DATABLOCK PERSISTENT=YES")
    disk = f"DISK=[IMAGE_ID={image}]"
    vm_id = cloud.off(disk)
    cloud.call("vm.recover", vm_id, 3)
    cloud.end("tm.EPILOG_DELETE")
    assert (cloud.state(vm_id), cloud.images.state(image)) == ("DONE", "1")
    cloud.call("vm.recover", cloud.running(disk), 5)
    assert cloud.images.state(image) == "1", "whoever removes the row alone has cleaned up"
    cloud.call("vm.recover", cloud.running(disk), 3)
    cloud.end("vmm.CLEANUP")
    assert (cloud.images.state(image), cloud.contradictions()) == ("5", [])


def test_terminating_what_has_failed_cleans_up(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    cloud.end("tm.PROLOG", ok=False, message="no space")
    assert cloud.records(vm_id)[0]["PETIME"] == "0"
    cloud.call("vm.action", "terminate", vm_id)
    assert (cloud.state(vm_id), cloud.records(vm_id)[0]["ACTION"]) == ("CLEANUP_DELETE", "13")
    cloud.end("tm.EPILOG_DELETE", ok=False)
    assert (cloud.state(vm_id), cloud.contradictions()) == ("DONE", [])


# -- attributes and owner ----------------------------------------------------------------------------------
def test_update(cloud: Cloud) -> None:
    cloud.core.add_user("ann")
    vm_id = cloud.vm("A=1\nB=2", user="ann")
    assert cloud.call("vm.update", vm_id, "B=3", 1) == vm_id
    assert (cloud.text(vm_id, "USER_TEMPLATE/A"), cloud.text(vm_id, "USER_TEMPLATE/B")) == ("1", "3")
    cloud.call("vm.update", vm_id, "C=4", 0, user="ann")
    assert cloud.text(vm_id, "USER_TEMPLATE/A") is None
    cloud.refused(API, "vm.update", vm_id, "C=4", 2)
    cloud.refused(INTERNAL, "vm.update", vm_id, "C=[", 0)
    cloud.refused(INTERNAL, "vm.update", vm_id, 'SCHED_ACTION=[ACTION=stop,TIME=1,DAYS="1"]', 0)
    cloud.refused(INTERNAL, "vm.update", vm_id, "CPU_COST=1", 0, user="ann")
    cloud.refused(NO_EXISTS, "vm.update", 99, "C=4", 0)
    cloud.core.add_user("bob")
    cloud.refused(AUTHORIZATION, "vm.update", vm_id, "C=4", 0, user="bob")


def test_chown(cloud: Cloud) -> None:
    ann, bob = cloud.core.add_user("ann"), cloud.core.add_user("bob")
    vm_id = cloud.running(user="ann")
    cloud.call("user.quota", bob, "VM=[VMS=0]")
    cloud.refused(NO_EXISTS, "vm.chown", vm_id, bob, -1)  # the code the original gives a full quota here
    cloud.call("user.quota", bob, "VM=[VMS=5]")
    assert cloud.call("vm.chown", vm_id, bob, -1) == vm_id
    assert (cloud.text(vm_id, "UNAME"), cloud.copies(vm_id)[0].findtext("UNAME")) == ("bob", "bob")
    cloud.refused(AUTHORIZATION, "vm.chown", vm_id, ann, -1, user="bob")
    cloud.refused(NO_EXISTS, "vm.chown", vm_id, 99, -1)
    ended = cloud.vm()
    cloud.call("vm.action", "terminate", ended)
    cloud.refused(ACTION, "vm.chown", ended, bob, -1)
    assert cloud.contradictions() == []


def test_times_are_written_where_they_belong(cloud: Cloud) -> None:
    """A record that an adopted database left open without a copy gets one when it ends."""
    vm_id = cloud.running()

    def forget(tx: Tx) -> None:
        row = tx.one("SELECT body FROM history WHERE vid = ?", vm_id)
        assert row is not None
        bare = row[0].partition("<VM><ID>")[0] + "</HISTORY>"
        tx.run("UPDATE history SET body = ? WHERE vid = ?", bare, vm_id)

    cloud.core.store.run(forget)
    cloud.act("terminate", vm_id, "vmm.SHUTDOWN", "tm.EPILOG")
    (copy,) = cloud.copies(vm_id)
    assert [copy.findtext(name) for name in ("STATE", "LCM_STATE", "PREV_LCM_STATE")] == ["3", "11", "11"]


def test_cleaning_up_ends_the_record_where_it_began(cloud: Cloud) -> None:
    """The copy in the record is the VM as it was when the cleaning began, whatever comes after."""
    vm_id = cloud.running()
    cloud.call("vm.recover", vm_id, 3)
    before = cloud.records(vm_id)[0]["ETIME"]
    cloud.end("vmm.CLEANUP")
    (copy,) = cloud.copies(vm_id)
    assert [copy.findtext(name) for name in ("LCM_STATE", "PREV_LCM_STATE")] == ["23", "3"]
    assert cloud.records(vm_id)[0]["ETIME"] == before != "0"


def test_an_end_after_a_stop_ends_the_record_again(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    vm_id = cloud.stopped()
    stopped = int(cloud.records(vm_id)[0]["ETIME"])
    monkeypatch.setattr(records, "now_s", lambda: stopped + 100)
    cloud.act("terminate", vm_id, "tm.EPILOG")
    assert [cloud.records(vm_id)[0][name] for name in ("ETIME", "EETIME")] == [str(stopped + 100)] * 2
    (copy,) = cloud.copies(vm_id)
    assert copy.findtext("LCM_STATE") == "11"


@pytest.mark.parametrize("vm_mad", ["kvm", "qemu", "mine"])
def test_a_node_does_not_give_a_machine_the_name_of_another(vm_mad: str) -> None:
    """Later actions, maybe on another host, would be done to that; of other hypervisors no name is known."""
    uuid, other = "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b811-9dad-11d1-80b4-00c04fd430c8"
    is_known = vm_mad != "mine"
    for printed, kept in (
        (uuid, uuid),
        (uuid.upper(), uuid.upper()),
        ("one-7", "one-7"),
        ("first line\none-7", "one-7"),
        ("", "one-7"),
        (other, "one-7" if is_known else other),
        ("one-8", "one-7" if is_known else "one-8"),
        ("wild", "wild"),
    ):
        vm = VM(7, "web", 2, 1)
        vm.template = Template.parse(f'OS=[UUID="{uuid}"]')
        vm.history = HistoryRecord(7, 0, "node1", 3, 100, vm_mad, "ssh", 104)
        set_deploy_id(None, vm, Firing(output=printed))  # type: ignore[arg-type]
        assert vm.deploy_id == kept
    vm.deploy_id = "imported"
    vm.template.set("IMPORTED", "YES")
    set_deploy_id(None, vm, Firing(output=other))  # type: ignore[arg-type]
    assert vm.deploy_id == other
