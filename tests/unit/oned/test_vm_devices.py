"""PCI devices and pinned CPUs: given at deployment, moved with the VM, back on the host when it leaves."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from services.common import xmldoc
from services.common.template import Template
from services.oned.model.host import Host
from services.oned.monitor.host import apply_host_report
from services.oned.store import Tx
from tests.support.cloud import Cloud
from tests.support.core import Core
from tests.support.schemas import Schemas

ACTION = 0x800
REMOTES = Path(__file__).parents[3] / "services" / "remotes"
CARD = 'PCI=[VENDOR="d000",CLASS="0200"]\n'
PINNED = "VCPU=4\nTOPOLOGY=[PIN_POLICY=THREAD,SOCKETS=2]\n"
SETTINGS = "PCI_DEVICES=2\nNUMA_NODES=2\nNUMA_CORES=2\nTOTALCPU=800\n"


def report(cloud: Cloud, tmp_path: Path, host_id: int, settings: str = SETTINGS, **template: str) -> None:
    """Let the dummy driver report a host with these settings; template: attributes that the host gets."""
    folder = tmp_path / "var" / "remotes" / "etc" / "dummy"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dummyrc").write_text(settings)
    environment = {**os.environ, "ONE_LOCATION": str(tmp_path)}
    command = [str(REMOTES / "im" / "dummy" / "monitor"), "dummy", str(host_id), f"node{host_id}"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    cloud.core.store.run(lambda tx: apply_host_report(tx, host_id, True, Template.parse(said.stdout), ""))
    if template:
        text = "\n".join(f'{name}="{value}"' for name, value in template.items())
        cloud.call("host.update", host_id, text, 1)


@pytest.fixture
def cloud(core: Core, tmp_path: Path) -> Cloud:
    """Two hosts with two cards and two nodes of two cores each."""
    made = Cloud(core)
    for host_id in (made.host, made.other):
        report(made, tmp_path, host_id)
    return made


def holders(cloud: Cloud, host_id: int) -> list[str]:
    """Who has the host's cards, in the order of their addresses."""
    found = cloud.info("host.info", host_id).findall("HOST_SHARE/PCI_DEVICES/PCI")
    return [
        one.findtext("VMID") or "" for one in sorted(found, key=lambda one: one.findtext("ADDRESS") or "")
    ]


def cpus(cloud: Cloud, host_id: int) -> list[str]:
    """CPUS of the host's cores."""
    return [one.text or "" for one in cloud.info("host.info", host_id).findall(".//CORE/CPUS")]


def usage(cloud: Cloud, host_id: int, kind: str = "MEMORY") -> list[str]:
    """What VMs hold of the memory, or of the pages, of each node."""
    return [one.text or "" for one in cloud.info("host.info", host_id).findall(f".//NODE/{kind}/USAGE")]


NOBODY = ["0:-1,4:-1", "1:-1,5:-1", "2:-1,6:-1", "3:-1,7:-1"]


# -- PCI devices -------------------------------------------------------------------------------------------
def test_a_card_is_the_vms_while_it_is_on_the_host(cloud: Cloud) -> None:
    vm_id = cloud.running(CARD)
    assert holders(cloud, cloud.host) == [str(vm_id), "-1"]
    (card,) = cloud.document(vm_id).findall("TEMPLATE/PCI")
    assert card.findtext("ADDRESS") == "0000:00:00:0" and card.findtext("BUS") == "00"
    assert card.findtext("NUMA_NODE") == "0" and card.findtext("VM_ADDRESS") == "01:01.0"
    assert cloud.contradictions() == []
    cloud.act("terminate", vm_id, "vmm.SHUTDOWN", "tm.EPILOG")
    assert holders(cloud, cloud.host) == ["-1", "-1"]
    assert cloud.text(vm_id, "TEMPLATE/PCI/ADDRESS") is None


def test_no_deployment_without_a_card(cloud: Cloud) -> None:
    cloud.running(CARD + CARD)
    waits = cloud.vm(CARD)
    for enforce in (False, True):
        said = cloud.refused(ACTION, "vm.deploy", waits, cloud.host, enforce, cloud.system, "")
        assert "Unavailable PCI device" in said
    assert cloud.state(waits) == "PENDING"
    assert cloud.call("vm.deploy", waits, cloud.other, False, cloud.system, "") == waits


def test_one_card_by_its_address(cloud: Cloud) -> None:
    vm_id = cloud.running('PCI=[CLASS="0200",SHORT_ADDRESS="01:00.0"]\n')
    assert holders(cloud, cloud.host) == ["-1", str(vm_id)]


def test_a_device_by_its_address_alone(cloud: Cloud) -> None:
    vm_id = cloud.running('PCI=[SHORT_ADDRESS="01:00.0"]')
    assert holders(cloud, cloud.host) == ["-1", str(vm_id)]
    waits = cloud.vm('PCI=[SHORT_ADDRESS="07:00.0"]')
    cloud.refused(ACTION, "vm.deploy", waits, cloud.host, False, cloud.system, "")


def test_marked_vms_are_found_by_their_mark(cloud: Cloud) -> None:
    vm_id, other = cloud.running(), cloud.running()
    cloud.call("vm.action", "resched", vm_id)
    found = cloud.info("vmpool.infoextended", -2, -1, -1, 3, "RESCHED=1").findall("VM/ID")
    assert [one.text for one in found] == [str(vm_id)]
    cloud.call("vm.migrate", vm_id, cloud.other, True, False, -1, 0)
    cloud.call("vm.action", "resched", other)
    found = cloud.info("vmpool.infoextended", -2, -1, -1, 3, "RESCHED=1").findall("VM/ID")
    assert [one.text for one in found] == [str(other)]


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_migration_takes_a_card_on_the_other_host(cloud: Cloud, is_moved: bool) -> None:
    cloud.running(CARD, host=cloud.other)
    vm_id = cloud.running(CARD)
    cloud.call("vm.migrate", vm_id, cloud.other, False, False, -1, 1)
    assert (holders(cloud, cloud.host)[0], holders(cloud, cloud.other)[1]) == (str(vm_id), str(vm_id))
    assert cloud.text(vm_id, "TEMPLATE/PCI/PREV_ADDRESS") == "0000:00:00:0"
    assert cloud.contradictions() == []
    cloud.end("vmm.SHUTDOWN", ok=is_moved, message="" if is_moved else "does not answer")
    place = ("0000:01:00:0", "1") if is_moved else ("0000:00:00:0", "0")
    assert (cloud.text(vm_id, "TEMPLATE/PCI/ADDRESS"), cloud.text(vm_id, "TEMPLATE/PCI/NUMA_NODE")) == place
    assert cloud.text(vm_id, "TEMPLATE/PCI/PREV_ADDRESS") is None
    if is_moved:
        cloud.end("tm.PROLOG_MIGRATE")
        cloud.end("vmm.DEPLOY")
    held = (holders(cloud, cloud.host)[0], holders(cloud, cloud.other)[1])
    assert held == (("-1", str(vm_id)) if is_moved else (str(vm_id), "-1"))
    assert cloud.contradictions() == []


def test_a_card_that_vanishes_stays_while_a_vm_has_it(cloud: Cloud, tmp_path: Path) -> None:
    vm_id = cloud.running(CARD)
    report(cloud, tmp_path, cloud.host, "PCI_DEVICES=0\n")
    assert holders(cloud, cloud.host) == [str(vm_id)]
    cloud.act("terminate", vm_id, "vmm.SHUTDOWN", "tm.EPILOG")
    report(cloud, tmp_path, cloud.host, "PCI_DEVICES=0\n")
    assert holders(cloud, cloud.host) == []


# -- NUMA nodes --------------------------------------------------------------------------------------------
def test_a_pinned_vm_gets_cpus_and_memory_of_nodes(cloud: Cloud) -> None:
    vm_id = cloud.running(PINNED)
    nodes = [
        {part.tag: part.text for part in node} for node in cloud.document(vm_id).findall("TEMPLATE/NUMA_NODE")
    ]
    assert nodes == [
        {"CPUS": "2,6", "MEMORY": "32768", "MEMORY_NODE_ID": "1", "NODE_ID": "1", "TOTAL_CPUS": "2"},
        {"CPUS": "0,4", "MEMORY": "32768", "MEMORY_NODE_ID": "0", "NODE_ID": "0", "TOTAL_CPUS": "2"},
    ]
    assert cloud.text(vm_id, "TEMPLATE/TOPOLOGY/THREADS") == "2"
    assert cloud.text(vm_id, "TEMPLATE/TOPOLOGY/CORES") == "1"
    of = str(vm_id)
    assert cpus(cloud, cloud.host) == [f"0:{of},4:{of}", "1:-1,5:-1", f"2:{of},6:{of}", "3:-1,7:-1"]
    assert usage(cloud, cloud.host) == ["32768", "32768"]
    assert cloud.contradictions() == []
    cloud.act("poweroff", vm_id, "vmm.SHUTDOWN")
    assert usage(cloud, cloud.host) == ["32768", "32768"], "it keeps its place"
    cloud.act("undeploy", vm_id, "tm.EPILOG_STOP")
    assert (cpus(cloud, cloud.host), usage(cloud, cloud.host)) == (NOBODY, ["0", "0"])
    assert cloud.contradictions() == []


def test_a_dedicated_vm_has_its_cores_alone(cloud: Cloud) -> None:
    vm_id = cloud.running("VCPU=2\nTOPOLOGY=[PIN_POLICY=CORE,SOCKETS=2]\n")
    dedicated = [one.text for one in cloud.info("host.info", cloud.host).findall(".//CORE/DEDICATED")]
    free = [one.text for one in cloud.info("host.info", cloud.host).findall(".//CORE/FREE")]
    assert dedicated == ["YES", "NO", "YES", "NO"] and free == ["0", "2", "0", "2"]
    waits = cloud.vm("VCPU=6\nTOPOLOGY=[PIN_POLICY=THREAD]\n")
    said = cloud.refused(ACTION, "vm.deploy", waits, cloud.host, False, cloud.system, "")
    assert "Cannot allocate NUMA topology" in said
    cloud.act("terminate", vm_id, "vmm.SHUTDOWN", "tm.EPILOG")
    assert cpus(cloud, cloud.host) == NOBODY


def test_huge_pages_are_counted(cloud: Cloud) -> None:
    vm_id = cloud.running("VCPU=2\nTOPOLOGY=[PIN_POLICY=SHARED,HUGEPAGE_SIZE=2]\n")
    assert sorted(usage(cloud, cloud.host, "HUGEPAGE")) == ["0", "32"]
    assert cloud.contradictions() == []
    none = cloud.vm("VCPU=2\nTOPOLOGY=[PIN_POLICY=SHARED,HUGEPAGE_SIZE=1024]\n")
    cloud.refused(ACTION, "vm.deploy", none, cloud.host, False, cloud.system, "")
    cloud.act("terminate", vm_id, "vmm.SHUTDOWN", "tm.EPILOG")
    assert usage(cloud, cloud.host, "HUGEPAGE") == ["0", "0"]


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_pinned_vm_moves_with_what_it_holds(cloud: Cloud, is_moved: bool) -> None:
    cloud.running("VCPU=2\nTOPOLOGY=[PIN_POLICY=CORE]\n", host=cloud.other)
    before = cpus(cloud, cloud.other)
    vm_id = cloud.running("VCPU=2\nTOPOLOGY=[PIN_POLICY=CORE]\n")
    here = cpus(cloud, cloud.host)
    cloud.call("vm.migrate", vm_id, cloud.other, False, False, -1, 1)
    assert cpus(cloud, cloud.host) == here and str(vm_id) in "".join(cpus(cloud, cloud.other))
    assert cloud.contradictions() == []
    cloud.end("vmm.SHUTDOWN", ok=is_moved, message="" if is_moved else "does not answer")
    if is_moved:
        cloud.end("tm.PROLOG_MIGRATE")
        cloud.end("vmm.DEPLOY")
        assert (cpus(cloud, cloud.host), usage(cloud, cloud.host)) == (NOBODY, ["0", "0"])
        assert sorted(usage(cloud, cloud.other)) == ["65536", "65536"]
    else:
        assert (cpus(cloud, cloud.host), cpus(cloud, cloud.other)) == (here, before)
    assert [one.tag for one in cloud.document(vm_id).findall("TEMPLATE/NUMA_NODE/*")] == [
        "CPUS", "MEMORY", "MEMORY_NODE_ID", "NODE_ID", "TOTAL_CPUS",
    ]  # fmt: skip
    assert cloud.contradictions() == []


def test_a_resized_vm_is_pinned_anew(cloud: Cloud) -> None:
    vm_id = cloud.off(PINNED)
    cloud.call("vm.resize", vm_id, "VCPU=8\nMEMORY=128", True)
    assert sum(one.count(f":{vm_id}") for one in cpus(cloud, cloud.host)) == 8
    assert usage(cloud, cloud.host) == ["65536", "65536"]
    assert cloud.contradictions() == []
    cloud.refused(ACTION, "vm.resize", vm_id, "VCPU=16", False)
    assert usage(cloud, cloud.host) == ["65536", "65536"]


def test_cpus_kept_for_the_host_and_shared_ones(cloud: Cloud, tmp_path: Path) -> None:
    report(cloud, tmp_path, cloud.host, ISOLCPUS="0,4,1")
    assert cpus(cloud, cloud.host)[:2] == ["0:-2,4:-2", "1:-2,5:-1"]
    cloud.call("host.update", cloud.host, "VMS_THREAD=2", 1)
    free = [one.text for one in cloud.info("host.info", cloud.host).findall(".//CORE/FREE")]
    assert free == ["0", "2", "4", "4"]
    report(cloud, tmp_path, cloud.host)
    assert cpus(cloud, cloud.host)[:2] == ["0:-2,4:-2", "1:-2,5:-1"], "a report changes nothing of that"
    cloud.call("host.update", cloud.host, 'ISOLCPUS=""', 1)
    assert cpus(cloud, cloud.host) == NOBODY


def test_documents_fit_the_schemas(cloud: Cloud, shared_folder: Path) -> None:
    schemas = Schemas(shared_folder / "spec/xsd")
    vm_id = cloud.running(f"{CARD}{PINNED}")
    for document in (cloud.info("host.info", cloud.host), cloud.document(vm_id)):
        assert schemas.problem(xmldoc.etree.tostring(document, encoding="unicode")) is None


def test_a_report_of_nonsense_does_no_harm(cloud: Cloud) -> None:
    nonsense = (
        'TOTALCPU=800\nCORE=[NODE_ID="x",ID="",CPUS="a,b:c,9:-1:"]\nHUGEPAGE=[SIZE="-"]\nMEMORY_NODE=[A="1"]\n'
        'PCI=[VENDOR="zz"]\nPCI=[ADDRESS="0000:00:00:0"]\n'
    )
    apply = Template.parse(nonsense)
    cloud.core.store.run(lambda tx: apply_host_report(tx, cloud.host, True, apply, ""))
    host = cloud.core.store.run(lambda tx: _load(tx, cloud.host))
    assert [device["ADDRESS"] for device in host.share.pci.all] == ["0000:00:00:0"]
    assert cloud.contradictions() == []


def _load(tx: Tx, host_id: int) -> Host:
    return Host.load(tx, host_id)
