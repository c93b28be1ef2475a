"""What reports of the monitoring driver do to a host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.common import xmldoc
from services.common.template import Template
from services.oned.config import DbConf
from services.oned.model.cluster import Cluster
from services.oned.model.host import Host, HostState
from services.oned.monitor.host import apply_host_report, zero_sample
from services.oned.store import Store, Tx, events, monitoring, schema

REPORT = (
    "HYPERVISOR=kvm\nARCH=x86_64\nTOTALCPU=800\nTOTALMEMORY=16000\nCPUSPEED=2400\nFREECPU=700\nUSEDCPU=100\n"
    "FREEMEMORY=12000\nUSEDMEMORY=4000\nNETRX=5\nNETTX=6\nDS_LOCATION_TOTAL_MB=100\nDS_LOCATION_FREE_MB=60\n"
    "DS_LOCATION_USED_MB=40\nDS=[ID=0,TOTAL_MB=100,FREE_MB=60,USED_MB=40]\n"
)
Run = Callable[[Callable[[Tx], Any]], Any]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a function in a transaction; there are cluster 0, which reserves 10% of CPU, and host 0."""
    store = Store.open(DbConf("sqlite", tmp_path / "one.db"))

    def prepare(tx: Tx) -> None:
        schema.create(tx)
        cluster = Cluster(-1, "default")
        cluster.template.set("RESERVED_CPU", "10%")
        cluster.insert(tx)
        Host.new("n1", "kvm", "kvm").insert(tx)

    store.run(prepare)
    return store.run


def _report(run: Run, text: str = REPORT, now_s: int = 1000) -> Host:
    run(lambda tx: apply_host_report(tx, 0, True, Template.parse(text), "", now_s))
    return _host(run)


def _failure(run: Run, message: str = "no route to host") -> Host:
    run(lambda tx: apply_host_report(tx, 0, False, Template(), message, 2000))
    return _host(run)


def _host(run: Run) -> Host:
    found: Host = run(lambda tx: Host.load(tx, 0))
    return found


def _set_state(run: Run, state: HostState) -> None:
    def work(tx: Tx) -> None:
        host = Host.load(tx, 0)
        host.state = state
        host.save(tx)

    run(work)


def test_a_report_sets_capacity_state_and_attributes(run: Run) -> None:
    host = _report(run)
    share = host.share
    assert host.state is HostState.MONITORED
    assert (share.total_cpu, share.max_cpu, share.total_mem, share.max_mem) == (800, 720, 16000, 16000)
    assert [share.datastores.get(name) for name in ("MAX_DISK", "FREE_DISK", "USED_DISK")] == [
        "100",
        "60",
        "40",
    ]
    assert share.datastores.vectors("DS") == [
        {"ID": "0", "TOTAL_MB": "100", "FREE_MB": "60", "USED_MB": "40"}
    ]
    assert host.template.get("ARCH") == "x86_64" and host.template.get("CPUSPEED") == "2400"
    measured = {"TOTALCPU", "TOTALMEMORY", "FREECPU", "USEDCPU", "NETRX", "DS", "DS_LOCATION_FREE_MB"}
    assert not measured & host.template.names()
    assert host.template.get("IM_MAD") == "kvm"


def test_the_sample_has_the_form_of_real_databases(run: Run) -> None:
    _report(run)
    assert run(lambda tx: tx.all("SELECT hid, last_mon_time, body FROM host_monitoring")) == [
        (
            0,
            1000,
            "<MONITORING><TIMESTAMP>1000</TIMESTAMP><ID>0</ID><CAPACITY><FREE_CPU><![CDATA[700]]></FREE_CPU>"
            "<FREE_MEMORY><![CDATA[12000]]></FREE_MEMORY><USED_CPU><![CDATA[100]]></USED_CPU><USED_MEMORY>"
            "<![CDATA[4000]]></USED_MEMORY></CAPACITY><SYSTEM><NETRX><![CDATA[5]]></NETRX><NETTX><![CDATA[6]]></NETTX>"
            "</SYSTEM></MONITORING>",
        )
    ]


def test_two_reports_in_one_second_leave_the_later_sample(run: Run) -> None:
    _report(run)
    _report(run, REPORT.replace("FREECPU=700", "FREECPU=1"))
    _report(run, now_s=1001)
    samples = run(lambda tx: monitoring.host_samples(tx, 0))
    assert [xmldoc.parse(sample).findtext("CAPACITY/FREE_CPU") for sample in samples] == ["1", "700"]


def test_an_equal_report_does_not_write_the_host_again(run: Run) -> None:
    _report(run)
    run(lambda tx: tx.run("UPDATE host_pool SET name = 'untouched'"))
    _report(run, now_s=1060)
    assert run(lambda tx: tx.one("SELECT name FROM host_pool")) == ("untouched",)


def test_a_failure_sets_the_error_and_success_clears_it(run: Run) -> None:
    _report(run)
    host = _failure(run)
    assert host.state is HostState.ERROR
    error = host.template.get("ERROR") or ""
    assert error.endswith(" : Error monitoring Host n1 (0): no route to host")
    assert host.share.total_cpu == 800
    assert run(lambda tx: len(monitoring.host_samples(tx, 0))) == 1
    host = _report(run, now_s=3000)
    assert host.state is HostState.MONITORED
    assert host.template.get("ERROR") is None
    states = run(lambda tx: [event.payload["state"] for event in events.after(tx, 0)])
    assert states == [0, 2, 3, 2]


@pytest.mark.parametrize("ok", [True, False])
def test_a_disabled_host_stays_disabled(run: Run, ok: bool) -> None:
    _set_state(run, HostState.DISABLED)
    host = _report(run) if ok else _failure(run)
    assert host.state is HostState.DISABLED
    assert (host.share.total_cpu == 800) is ok
    assert ("ERROR" in host.template) is not ok


@pytest.mark.parametrize("ok", [True, False])
def test_an_offline_host_ignores_reports(run: Run, ok: bool) -> None:
    _set_state(run, HostState.OFFLINE)
    before = _host(run).to_xml()
    host = _report(run) if ok else _failure(run)
    assert host.to_xml() == before
    assert run(lambda tx: monitoring.host_samples(tx, 0)) == []


def test_a_host_that_is_gone_is_no_error(run: Run) -> None:
    run(lambda tx: apply_host_report(tx, 99, True, Template.parse(REPORT), ""))
    assert run(lambda tx: monitoring.host_samples(tx, 99)) == []


@pytest.mark.parametrize("bad", ["TOTALCPU=many", "TOTALMEMORY=-5", "USEDCPU=nan", "FREEMEMORY=1e999"])
def test_a_value_that_cannot_be_read_counts_as_failure(run: Run, bad: str) -> None:
    name = bad.partition("=")[0]
    kept = "\n".join(line for line in REPORT.splitlines() if not line.startswith(name + "="))
    host = _report(run, f"{kept}\n{bad}\n")
    assert host.state is HostState.ERROR
    assert name in (host.template.get("ERROR") or "")
    assert host.template.get("ARCH") is None and host.share.total_cpu == 0
    assert run(lambda tx: monitoring.host_samples(tx, 0)) == []


def test_usage_of_vms_survives_reports(run: Run) -> None:
    def occupy(tx: Tx) -> None:
        host = Host.load(tx, 0)
        host.add_vm(5, 100, 2000)
        host.save(tx)

    run(occupy)
    host = _report(run)
    assert (host.vms, host.cpu_usage, host.mem_usage, host.running_vms) == ([5], 100, 2000, 1)
    assert host.fits(620, 14000) is None and host.fits(621, 1) is not None


def test_machines_that_are_not_ours_are_listed(run: Run) -> None:
    run(lambda tx: tx.run("INSERT INTO vm_import (deploy_id, vmid) VALUES ('taken-over', 4)"))
    machines = (
        "VM=[ID=7,DEPLOY_ID=one-7,STATE=RUNNING]\nVM=[ID=-1,DEPLOY_ID=taken-over]\n"
        "VM=[ID=-1,DEPLOY_ID=abc,VM_NAME=mail]\nVM=[ID=-1,DEPLOY_ID=def]\n"
    )
    host = _report(run, REPORT + machines)
    assert host.template.get("WILDS") == "mail, def" and host.template.get("TOTAL_WILDS") == "2"
    assert [machine["DEPLOY_ID"] for machine in host.template.vectors("VM")] == ["abc", "def"]
    host = _report(run, now_s=1100)
    assert not {"WILDS", "TOTAL_WILDS", "VM"} & host.template.names()


def test_a_host_that_goes_offline_shows_no_usage(run: Run) -> None:
    run(lambda tx: zero_sample(tx, 0))
    assert run(lambda tx: monitoring.latest_host_sample(tx, 0)) is None
    _report(run)
    run(lambda tx: zero_sample(tx, 0))
    latest = run(lambda tx: monitoring.latest_host_sample(tx, 0))
    assert xmldoc.parse(latest).findtext("CAPACITY/USED_CPU") == "0"
