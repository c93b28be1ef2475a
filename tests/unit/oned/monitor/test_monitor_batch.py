"""What messages of agents change in hosts and VMs, and that they may come twice."""

from __future__ import annotations

import base64
import re
import time

import pytest

from services.oned.drivers.execute import Result
from services.oned.engine import results
from services.oned.model.host import Host, HostState
from services.oned.monitor.batch import Batch, Memory, Outcome, Report, in_order, read
from services.oned.monitor.conf import MonitorConf
from services.oned.store import Tx, jobs, monitoring
from tests.support.cloud import Cloud
from tests.support.core import Core

SYSTEM = "HYPERVISOR=kvm\nTOTALCPU=400\nTOTALMEMORY=8000\nARCH=x86_64\nDS_LOCATION_TOTAL_MB=9\n"
LOAD = "USEDCPU=100\nFREECPU=300\nUSEDMEMORY=3000\nFREEMEMORY=5000\nNETRX=1\nNETTX=2\n"
LATER = time.time() + 24 * 3600
"""What is reported then cannot be older than anything that a test does, however late that is run."""


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def apply(
    cloud: Cloud, *reports: Report, conf: MonitorConf | None = None, memory: Memory | None = None
) -> Outcome:
    def work(tx: Tx) -> Outcome:
        return Batch(tx, conf or MonitorConf(), memory or Memory()).apply(list(reports))

    return cloud.core.store.run(work)


def host(cloud: Cloud, oid: int | None = None) -> Host:
    found: Host = cloud.core.store.run(lambda tx: Host.load(tx, cloud.host if oid is None else oid))
    return found


def said(
    cloud: Cloud, kind: str, text: str, *, ok: bool = True, oid: int | None = None, at_s: float = LATER
) -> Report:
    return read(kind, ok, cloud.host if oid is None else oid, text, at_s)


def set_state(cloud: Cloud, status: int) -> None:
    cloud.core.call("host.status", cloud.host, status)


def machine(vm_id: int, text: str, **more: str) -> str:
    parts = {"ID": str(vm_id), "MONITOR": base64.b64encode(text.encode()).decode(), **more}
    return "VM=[" + ",".join(f'{name}="{value}"' for name, value in parts.items()) + "]\n"


def samples(cloud: Cloud, vm_id: int) -> list[str]:
    with cloud.core.store.read() as tx:
        return [
            row[0]
            for row in tx.all("SELECT body FROM vm_monitoring WHERE vmid = ? ORDER BY last_poll", vm_id)
        ]


def test_capacity_makes_a_host_monitored(cloud: Cloud) -> None:
    set_state(cloud, 0)
    assert host(cloud).state is HostState.INIT
    outcome = apply(cloud, said(cloud, "SYSTEM_HOST", SYSTEM))
    found = host(cloud)
    assert outcome.heard == {cloud.host} and found.state is HostState.MONITORED
    assert (found.share.total_cpu, found.share.total_mem) == (400, 8000)
    assert found.template.get("ARCH") == "x86_64"


@pytest.mark.parametrize("kind", ["BEACON_HOST", "MONITOR_HOST", "STATE_VM", "MONITOR_VM"])
def test_other_messages_are_signs_of_life_only(cloud: Cloud, kind: str) -> None:
    set_state(cloud, 0)
    assert apply(cloud, said(cloud, kind, LOAD if kind == "MONITOR_HOST" else "")).heard == {cloud.host}
    assert host(cloud).state is HostState.INIT


@pytest.mark.parametrize(("status", "state"), [(1, HostState.DISABLED), (2, HostState.OFFLINE)])
def test_disabled_and_offline_hosts_stay_so(cloud: Cloud, status: int, state: HostState) -> None:
    set_state(cloud, status)
    before = host(cloud).to_xml()
    outcome = apply(cloud, said(cloud, "SYSTEM_HOST", SYSTEM), said(cloud, "MONITOR_HOST", "", ok=False))
    assert host(cloud).state is state
    if state is HostState.OFFLINE:
        assert (host(cloud).to_xml(), outcome.ignored) == (before, 2)


def test_messages_of_hosts_that_are_gone(cloud: Cloud) -> None:
    outcome = apply(cloud, *(said(cloud, kind, SYSTEM, oid=77) for kind in ("SYSTEM_HOST", "MONITOR_HOST")))
    assert (outcome.heard, outcome.ignored) == (set(), 2)
    assert cloud.core.rows("SELECT COUNT(*) FROM host_monitoring WHERE hid = 77") == [(0,)]


def test_a_failed_probe_is_the_hosts_error_and_its_machines_are_unknown(cloud: Cloud) -> None:
    vm_id = cloud.running()
    outcome = apply(cloud, said(cloud, "STATE_VM", "libvirt is down", ok=False))
    assert (host(cloud).state, outcome.heard) == (HostState.ERROR, set())
    assert "STATE_VM: libvirt is down" in (host(cloud).template.get("ERROR") or "")
    assert cloud.state(vm_id) == "UNKNOWN"
    states = (
        f'VM=[ID="{vm_id}",DEPLOY_ID="one-{vm_id}",STATE="RUNNING"]\nSYNC_STATE=yes\nMISSING_STATE=POWEROFF\n'
    )
    apply(cloud, said(cloud, "SYSTEM_HOST", SYSTEM), said(cloud, "STATE_VM", states))
    assert (host(cloud).state, cloud.state(vm_id)) == (HostState.MONITORED, "RUNNING")
    assert host(cloud).template.get("ERROR") is None


@pytest.mark.parametrize("text", ["<nonsense", "A=[", "TOTALCPU=many\n", "TOTALCPU=-1\n"])
def test_a_report_that_cannot_be_used_is_an_error_too(cloud: Cloud, text: str) -> None:
    apply(cloud, said(cloud, "SYSTEM_HOST", text))
    assert host(cloud).state is HostState.ERROR


def test_load_becomes_a_sample_once(cloud: Cloud) -> None:
    for _ in range(2):
        apply(cloud, said(cloud, "MONITOR_HOST", LOAD), said(cloud, "MONITOR_HOST", LOAD))
    with cloud.core.store.read() as tx:
        found = [
            body for body in monitoring.host_samples(tx, cloud.host) if f"<TIMESTAMP>{int(LATER)}<" in body
        ]
    assert len(found) == 1 and "<USED_CPU><![CDATA[100]]></USED_CPU>" in found[0]


def test_samples_of_machines(cloud: Cloud, memory: Memory) -> None:
    vm_id = cloud.running()
    text = machine(vm_id, "CPU=5\nMEMORY=9\n") + machine(vm_id, 'DISK_SIZE=[ID="0",SIZE="7"]\n')
    for moment in (LATER, LATER, LATER + 5):
        apply(cloud, said(cloud, "MONITOR_VM", text, at_s=moment), memory=memory)
    assert len(samples(cloud, vm_id)) == 2
    apply(cloud, said(cloud, "MONITOR_VM", machine(vm_id, "CPU=6\n"), at_s=LATER + 9), memory=Memory())
    shown = cloud.document(vm_id).find("MONITORING")
    assert shown is not None and [shown.findtext(name) for name in ("CPU", "MEMORY", "DISK_SIZE/SIZE")] == [
        "6",
        "9",
        "7",
    ]
    assert "<CPU><![CDATA[5]]></CPU>" in memory.samples[vm_id]


def test_a_host_has_no_say_about_vms_that_are_elsewhere(cloud: Cloud) -> None:
    vm_id = cloud.running(host=cloud.other)
    apply(cloud, said(cloud, "MONITOR_VM", machine(vm_id, "CPU=5\n") + machine(4711, "CPU=5\n")))
    assert samples(cloud, vm_id) == samples(cloud, 4711) == []
    apply(cloud, said(cloud, "STATE_VM", f'VM=[ID="{vm_id}",STATE="POWEROFF"]\n'))
    assert cloud.state(vm_id) == "RUNNING"


def test_imported_machines_are_known_by_their_name(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.core.change("INSERT INTO vm_import (deploy_id, vmid) VALUES ('wild one', ?)", vm_id)
    text = machine(-1, "CPU=5\n", DEPLOY_ID="wild one") + machine(-1, "CPU=6\n", DEPLOY_ID="other")
    apply(cloud, said(cloud, "MONITOR_VM", text))
    assert ["<CPU><![CDATA[5]]></CPU>" in body for body in samples(cloud, vm_id)] == [True]


def test_machines_that_are_missing_from_a_whole_list(cloud: Cloud) -> None:
    vm_id, other = cloud.running(), cloud.running()
    listed = f'VM=[ID="{other}",DEPLOY_ID="one-{other}",STATE="RUNNING"]\nVM=[ID="99",STATE="RUNNING"]\n'
    apply(cloud, said(cloud, "STATE_VM", listed))
    assert cloud.state(vm_id) == "RUNNING" and host(cloud).template.get("ZOMBIES") is None
    apply(cloud, said(cloud, "STATE_VM", listed + "SYNC_STATE=yes\nMISSING_STATE=POWEROFF\n"))
    assert (cloud.state(vm_id), cloud.state(other)) == ("POWEROFF", "RUNNING")
    assert host(cloud).template.get("ZOMBIES") == "99"
    apply(cloud, said(cloud, "SYSTEM_HOST", SYSTEM))
    assert host(cloud).template.get("ZOMBIES") == "99", "capacity says nothing of machines"


def test_what_happened_after_a_look_is_not_undone_by_it(cloud: Cloud) -> None:
    vm_id = cloud.running()
    text = f'VM=[ID="{vm_id}",STATE="POWEROFF"]\n'
    apply(cloud, said(cloud, "STATE_VM", text, at_s=time.time()))
    assert cloud.state(vm_id) == "RUNNING"


def test_storage_can_be_switched_off(cloud: Cloud) -> None:
    vm_id = cloud.running()
    off = MonitorConf(host_expiration_s=0, vm_expiration_s=0)
    before = cloud.core.rows("SELECT COUNT(*) FROM host_monitoring")
    apply(
        cloud,
        said(cloud, "MONITOR_HOST", LOAD),
        said(cloud, "MONITOR_VM", machine(vm_id, "CPU=5\n")),
        conf=off,
    )
    assert samples(cloud, vm_id) == [] and cloud.core.rows("SELECT COUNT(*) FROM host_monitoring") == before


# -- the answer of a start ---------------------------------------------------------------------------------
def start(cloud: Cloud, ok: bool, output: str = "", message: str = "") -> None:
    def work(tx: Tx) -> None:
        job_id = jobs.add(tx, kind="HOST", oid=cloud.host, operation="im.START", driver="kvm", host="n")
        job = next(job for job in jobs.claim(tx, 1, 99) if job.id == job_id)
        assert results.apply(tx, 1, Result(job, ok, message, output))

    cloud.core.store.run(work)


def answer(**texts: str) -> str:
    parts = "".join(
        f"<{kind}>{base64.b64encode(text.encode()).decode()}</{kind}>" for kind, text in texts.items()
    )
    return f"<MONITOR_MESSAGES>{parts}<TIMESTAMP>1</TIMESTAMP></MONITOR_MESSAGES>\n"


def test_the_first_answer_makes_the_host_monitored(cloud: Cloud) -> None:
    set_state(cloud, 0)
    vm_id = cloud.running()
    start(
        cloud,
        True,
        answer(MONITOR_VM=machine(vm_id, "CPU=5\n"), SYSTEM_HOST=SYSTEM, MONITOR_HOST=LOAD, STATE_VM=""),
    )
    assert host(cloud).state is HostState.MONITORED
    assert len(samples(cloud, vm_id)) == 1


@pytest.mark.parametrize(
    "output",
    ["nonsense", "<X/>", "<MONITOR_MESSAGES><SYSTEM_HOST>%%%</SYSTEM_HOST></MONITOR_MESSAGES>",
     "<!DOCTYPE x [<!ENTITY a 'b'>]><MONITOR_MESSAGES>&a;</MONITOR_MESSAGES>"],
)  # fmt: skip
def test_an_answer_that_cannot_be_read(cloud: Cloud, output: str) -> None:
    start(cloud, True, output)
    assert host(cloud).state is HostState.ERROR
    assert "the agent's answer cannot be used" in (host(cloud).template.get("ERROR") or "")


def test_a_start_that_failed(cloud: Cloud) -> None:
    start(cloud, False, message="no route to host")
    assert host(cloud).state is HostState.ERROR
    assert "no route to host" in (host(cloud).template.get("ERROR") or "")


def test_reports_that_come_at_once_are_put_in_order(cloud: Cloud) -> None:
    kinds = [
        report.kind for report in in_order(said(cloud, kind, "") for kind in ("STATE_VM", "SYSTEM_HOST"))
    ]
    assert kinds == ["SYSTEM_HOST", "STATE_VM"]


def test_sizes_of_disks_in_shared_datastores_come_from_the_front_end(cloud: Cloud, memory: Memory) -> None:
    vm_id, gone = cloud.running(), cloud.running()
    cloud.act("terminate-hard", gone, "vmm.CANCEL", "tm.EPILOG")
    apply(cloud, said(cloud, "MONITOR_VM", machine(vm_id, "CPU=5\n")), memory=memory)
    before = host(cloud).to_xml()
    disks = "CPU=9\nDISK_SIZE=[ID=0,SIZE=3]\nSNAPSHOT_SIZE=[ID=0,DISK_ID=0,SIZE=2]\n"
    text = "".join(machine(each, disks) for each in (vm_id, gone, 4711))
    outcome = apply(cloud, said(cloud, "MONITOR_VM", text, oid=-1, at_s=LATER + 1), memory=memory)
    assert outcome.heard == set()
    newest = re.sub(r"<!\[CDATA\[(.*?)\]\]>", r"\1", samples(cloud, vm_id)[-1])
    assert "<CPU>5</CPU>" in newest
    assert "<DISK_SIZE><ID>0</ID><SIZE>3</SIZE></DISK_SIZE>" in newest
    assert samples(cloud, gone) == samples(cloud, 4711) == []
    apply(cloud, said(cloud, "MONITOR_VM", "it is not mounted", ok=False, oid=-1), memory=memory)
    assert host(cloud).to_xml() == before
