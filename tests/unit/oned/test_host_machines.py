"""What a host's report says of its machines, and what that repairs in VMs and host."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from services.common import paths
from services.common.template import Template
from services.oned.drivers.execute import Result
from services.oned.engine import results
from services.oned.model.vm import VM
from services.oned.monitor.host import apply_host_report
from services.oned.store import Tx, jobs
from tests.support.cloud import Cloud
from tests.support.core import Core
from tests.support.zone import ROOT

CAPACITY = "TOTALCPU=400\nTOTALMEMORY=8388608\n"
WHOLE = "SYNC_STATE=YES\nMISSING_STATE=POWEROFF\n"


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def machine(vm_id: int, state: str = "RUNNING", **more: str) -> str:
    parts = {"ID": str(vm_id), "DEPLOY_ID": f"one-{vm_id}", "STATE": state, **more}
    return "VM=[" + ",".join(f'{name}="{value}"' for name, value in parts.items()) + "]\n"


def report(cloud: Cloud, text: str, host: int | None = None, asked_s: int | None = None) -> None:
    """A report that was asked for a minute from now, unless a time is given: nothing has happened since."""
    values = Template.parse(CAPACITY + text)
    asked = int(time.time()) + 60 if asked_s is None else asked_s
    oid = cloud.host if host is None else host
    cloud.core.store.run(lambda tx: apply_host_report(tx, oid, True, values, "", asked_s=asked))


def fail(cloud: Cloud) -> None:
    cloud.core.store.run(lambda tx: apply_host_report(tx, cloud.host, False, Template(), "no route"))


def log_of(vm_id: int) -> str:
    return (paths.log() / f"{vm_id}.log").read_text()


def test_a_machine_that_was_killed_behind_our_back(cloud: Cloud) -> None:
    gone, there, other = cloud.running(), cloud.running(), cloud.running(host=cloud.other)
    report(cloud, machine(there) + WHOLE)
    assert [cloud.state(vm) for vm in (gone, there, other)] == ["POWEROFF", "RUNNING", "RUNNING"]
    assert cloud.records(gone)[-1]["ACTION"] == "44"
    assert "[LCM][I]: VM running but monitor state is POWEROFF\n" in log_of(gone)
    report(cloud, machine(there) + machine(gone) + WHOLE)
    assert [cloud.state(vm) for vm in (gone, there)] == ["RUNNING", "RUNNING"]
    assert "VM found again by the drivers" in log_of(gone)
    assert cloud.contradictions() == []


def test_a_list_that_is_not_whole_says_nothing_of_others(cloud: Cloud) -> None:
    vm_id = cloud.running()
    for text in (
        "",
        machine(99),
        "SYNC_STATE=YES",
        "MISSING_STATE=POWEROFF",
        "SYNC_STATE=NO\nMISSING_STATE=POWEROFF",
    ):
        report(cloud, text)
        assert cloud.state(vm_id) == "RUNNING", text


def test_missing_machines_that_may_be_anywhere(cloud: Cloud) -> None:
    vm_id = cloud.running()
    report(cloud, "SYNC_STATE=YES\nMISSING_STATE=UNKNOWN")
    assert cloud.state(vm_id) == "UNKNOWN"
    report(cloud, machine(vm_id))
    assert cloud.state(vm_id) == "RUNNING"


@pytest.mark.parametrize(
    ("word", "state"),
    [("SUSPENDED", "SUSPENDED"), ("POWEROFF", "POWEROFF"), ("FAILURE", "UNKNOWN"), ("UNKNOWN", "RUNNING")],
)
def test_words_of_a_report(cloud: Cloud, word: str, state: str) -> None:
    vm_id = cloud.running()
    report(cloud, machine(vm_id, word))
    assert cloud.state(vm_id) == state


def test_machines_come_back_with_their_host(cloud: Cloud) -> None:
    running, off = cloud.running(), cloud.off()
    fail(cloud)
    assert [cloud.state(vm) for vm in (running, off)] == ["UNKNOWN", "POWEROFF"]
    assert cloud.info("host.info", cloud.host).findtext("STATE") == "3"
    report(cloud, machine(running) + WHOLE)
    assert [cloud.state(vm) for vm in (running, off)] == ["RUNNING", "POWEROFF"]
    assert cloud.info("host.info", cloud.host).findtext("STATE") == "2"
    fail(cloud)
    report(cloud, WHOLE)
    assert cloud.state(running) == "POWEROFF", "it went down with its host"
    assert cloud.contradictions() == []


def test_a_machine_that_runs_although_its_start_failed(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    cloud.end("tm.PROLOG")
    cloud.end("vmm.DEPLOY", ok=False)
    report(cloud, machine(vm_id))
    assert cloud.state(vm_id) == "RUNNING"
    assert "VM reported RUNNING by the drivers" in log_of(vm_id)


# -- what a report cannot know -----------------------------------------------------------------------------
def test_a_report_older_than_the_machine(cloud: Cloud) -> None:
    vm_id = cloud.running()
    now = int(time.time())
    report(cloud, WHOLE, asked_s=now - 5)
    assert cloud.state(vm_id) == "RUNNING", "it was started after the report was asked for"
    cloud.act("poweroff", vm_id, "vmm.SHUTDOWN")
    report(cloud, machine(vm_id), asked_s=now - 5)
    assert cloud.state(vm_id) == "POWEROFF", "it was stopped after that"


def test_a_driver_that_works_on_it_knows_better(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.call("vm.action", "reboot", vm_id)
    report(cloud, WHOLE)
    assert cloud.state(vm_id) == "RUNNING"
    cloud.end("vmm.REBOOT")
    report(cloud, WHOLE)
    assert cloud.state(vm_id) == "POWEROFF"


def test_a_host_has_no_say_about_machines_elsewhere(cloud: Cloud) -> None:
    vm_id = cloud.running(host=cloud.other)
    report(cloud, machine(vm_id, "POWEROFF") + machine(5000) + WHOLE)
    assert cloud.state(vm_id) == "RUNNING"
    host = cloud.info("host.info", cloud.host)
    assert [host.findtext(f"TEMPLATE/{name}") for name in ("TOTAL_ZOMBIES", "ZOMBIES")] == [
        "2",
        f"{vm_id}, 5000",
    ]
    assert host.find("TEMPLATE/SYNC_STATE") is None
    report(cloud, WHOLE)
    assert cloud.info("host.info", cloud.host).find("TEMPLATE/ZOMBIES") is None


def test_imported_machines_are_known_by_their_names(cloud: Cloud) -> None:
    vm_id = cloud.vm("DEPLOY_ID=theirs\nNAME=x", hold=True)
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    assert cloud.state(vm_id) == "RUNNING"
    report(cloud, machine(-1, DEPLOY_ID="theirs", VM_NAME="x") + machine(-1, DEPLOY_ID="stranger") + WHOLE)
    assert cloud.state(vm_id) == "RUNNING"
    assert cloud.info("host.info", cloud.host).findtext("TEMPLATE/WILDS") == "stranger"
    report(cloud, WHOLE)
    assert cloud.state(vm_id) == "POWEROFF"


def test_many_machines(cloud: Cloud) -> None:
    states = dict.fromkeys(range(1200), "RUNNING")
    ours = cloud.running()
    text = "".join(machine(vm_id) for vm_id in states if vm_id != ours)
    report(cloud, text + WHOLE)
    assert cloud.state(ours) == "POWEROFF"


# -- the simulated hypervisor ------------------------------------------------------------------------------
def test_the_dummy_driver_lists_its_machines(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "var/remotes").symlink_to(ROOT / "services/remotes")
    there, killed = cloud.running(), cloud.running()
    domains = tmp_path / "var/dummy/node1"

    def monitor() -> str:
        script = ROOT / "services/remotes/im/dummy/monitor"
        done = subprocess.run([script, "dummy", "0", "node1"], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    def asked(tx: Tx) -> None:
        oid = jobs.add(tx, kind="HOST", oid=cloud.host, operation="im.MONITOR", driver="dummy", host="node1")
        tx.run("UPDATE onebox_job SET created = created + 60 WHERE id = ?", oid)
        (job,) = jobs.claim(tx, 1, 1)
        assert results.apply(tx, 1, Result(job, True, "", monitor()))

    assert "VM=" not in monitor() and "SYNC_STATE" not in monitor(), "nothing was ever simulated there"
    domains.mkdir(parents=True)
    for vm_id in (there, killed):
        (domains / f"one-{vm_id}").write_text(f"VM_ID={vm_id}\nNIC=02:00\n")
    (domains / "one-77.part").write_text("VM_ID=77\n")
    (domains / "one-78").touch()
    cloud.core.store.run(asked)
    assert [cloud.state(vm) for vm in (there, killed)] == ["RUNNING", "RUNNING"]
    assert cloud.info("host.info", cloud.host).find("TEMPLATE/ZOMBIES") is None
    (domains / f"one-{killed}").unlink()
    cloud.core.store.run(asked)
    assert [cloud.state(vm) for vm in (there, killed)] == ["RUNNING", "POWEROFF"]
    for path in domains.iterdir():
        path.unlink()
    cloud.core.store.run(asked)
    assert cloud.state(there) == "POWEROFF"


def test_reports_change_only_what_is_news(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    vms = [cloud.running() for _ in range(3)]
    monkeypatch.setattr(VM, "find", lambda *_: pytest.fail("no document needs to be read"))
    report(cloud, "".join(machine(vm_id) for vm_id in vms) + WHOLE)
