"""New VMs: name, capacity, costs, hold, topology, and what stays the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common import paths, xmldoc
from tests.support.core import Core
from tests.support.vm_parts import (
    ALLOCATE,
    AUTHORIZATION,
    CAPACITY,
    INTERNAL,
    create,
    parts,
    refused,
    refused_vm,
)


def _core(vm: xmldoc.etree._Element, *names: str) -> list[str | None]:
    return [vm.findtext(f"TEMPLATE/{name}") for name in names]


def test_the_least_that_a_vm_needs(core: Core) -> None:
    vm = create(core, "")
    assert vm.findtext("NAME") == f"one-{vm.findtext('ID')}"
    assert (vm.findtext("STATE"), vm.findtext("LCM_STATE")) == ("2", "0")
    assert [part.tag for part in vm.iterfind("TEMPLATE/*")] == [
        "AUTOMATIC_REQUIREMENTS",
        "CPU",
        "MEMORY",
        "OS",
        "SUBMIT_ON_HOLD",
        "VMID",
    ]
    assert _core(vm, "CPU", "MEMORY", "VMID") == ["0.1", "64", "0"]
    # A VM that uses nothing may go anywhere.
    assert _core(vm, "AUTOMATIC_REQUIREMENTS") == ["!(PUBLIC_CLOUD = YES) & !(PIN_POLICY = PINNED)"]
    assert vm.find("USER_TEMPLATE/*") is None


def test_numbers_are_kept_in_their_normal_form(core: Core) -> None:
    text = 'CPU="1.50"\nMEMORY=" 064"\nVCPU=02\nMEMORY_MAX=128\nMEMORY_SLOTS=2\nVCPU_MAX=4\nCPU_COST=1000000'
    vm = core.info("vm.info", core.call("vm.allocate", text, True))
    assert _core(vm, "CPU", "MEMORY", "VCPU", "CPU_COST") == ["1.5", "64", "2", "1e+06"]
    assert _core(vm, "MEMORY_MAX", "MEMORY_SLOTS", "VCPU_MAX") == ["128", "2", "4"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CPU=1", "MEMORY attribute must be a positive integer value, it is missing"),
        ("MEMORY=1", "CPU attribute must be a positive float or integer value, it is missing"),
        ("CPU=1\nMEMORY=64.5", "found '64.5'"),
        ('CPU=1\nMEMORY="64 "', "found '64 '"),
        ("CPU=1\nMEMORY=0", "MEMORY"),
        ("CPU=0\nMEMORY=1", "CPU"),
        ("CPU=inf\nMEMORY=1", "CPU"),
        ("CPU=1\nMEMORY=1\nVCPU=0", "VCPU attribute must be a positive integer value"),
        ("CPU=1\nMEMORY=1\nVCPU=x", "VCPU"),
        ("CPU=1\nMEMORY=1\nDISK_COST=-1", "DISK_COST"),
    ],
)
def test_capacity_that_cannot_be(core: Core, text: str, message: str) -> None:
    assert message in refused(core, INTERNAL, "vm.allocate", text, True)
    assert core.rows("SELECT oid FROM vm_pool") == []


def test_what_is_no_number_stays_the_users(core: Core) -> None:
    vm = create(core, 'MEMORY_MAX=much\nVCPU_MAX=-1\nCPU_COST=cheap\nVCPU=""')
    user = vm.find("USER_TEMPLATE")
    assert user is not None
    assert parts(user) == {"MEMORY_MAX": "much", "VCPU_MAX": "-1", "CPU_COST": "cheap", "VCPU": ""}


def test_names(core: Core) -> None:
    assert create(core, 'NAME="web 1  "').findtext("NAME") == "web 1"
    assert create(core, "NAME=a\nNAME=b\nVMID=7\nTEMPLATE_ID=3").findtext("TEMPLATE/TEMPLATE_ID") == "3"
    assert create(core, "TEMPLATE_NAME=pre").findtext("NAME") == "pre-2"
    assert "char '<' is not allowed" in refused_vm(core, 'NAME="a<b"')
    assert "max length is 128" in refused_vm(core, f"NAME={'x' * 129}")


def test_refused_vms_cost_no_ids(core: Core) -> None:
    assert create(core, "").findtext("ID") == "0"
    refused_vm(core, "NIC=[NETWORK_ID=99]")
    assert create(core, "").findtext("ID") == "1"


def test_only_a_refusal_of_the_very_first_vm_costs_its_id(core: Core) -> None:
    refused_vm(core, "NIC=[NETWORK_ID=99]")
    refused_vm(core, "NIC=[NETWORK_ID=99]")
    assert create(core, "").findtext("ID") == "1"


@pytest.mark.parametrize(
    ("text", "hold", "state", "shown"),
    [
        ("", False, "1", None),
        ("", True, "2", "YES"),
        # The attribute alone holds nothing: the call does.
        ("SUBMIT_ON_HOLD=YES", False, "1", "YES"),
        ("SUBMIT_ON_HOLD=no", False, "1", "NO"),
        ("SUBMIT_ON_HOLD=no", True, "2", "YES"),
    ],
)
def test_hold(core: Core, text: str, hold: bool, state: str, shown: str | None) -> None:
    vm = create(core, text, hold=hold)
    assert (vm.findtext("STATE"), vm.findtext("TEMPLATE/SUBMIT_ON_HOLD")) == (state, shown)


def test_a_zone_that_holds_every_vm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    paths.log().mkdir(parents=True)
    core = Core(tmp_path, 'VM_SUBMIT_ON_HOLD="YES"')
    vm = create(core, "", hold=False)
    assert (vm.findtext("STATE"), vm.findtext("TEMPLATE/SUBMIT_ON_HOLD")) == ("2", "YES")
    core.zone.close()


def test_what_is_the_cores_and_what_the_users(core: Core) -> None:
    vm = create(
        core,
        "INPUT=[TYPE=tablet]\nINPUT=[TYPE=mouse]\nFEATURES=[ACPI=yes]\nEMULATOR=/bin/x\nHYPERV_OPTIONS=h\n"
        "VIDEO=[TYPE=vga]\nSCHED_RANK=FREE_CPU\nLABELS=a\nNIC=text\nDISK=text\nCONTEXT=text\nVMGROUP=text\n"
        "PUBLIC_CLOUD=text",
    )
    core_names = [part.tag for part in vm.iterfind("TEMPLATE/*")]
    assert core_names.count("INPUT") == 2 and {"FEATURES", "EMULATOR", "HYPERV_OPTIONS"} <= {*core_names}
    # Texts where vectors belong are dropped.
    assert [part.tag for part in vm.iterfind("USER_TEMPLATE/*")] == ["LABELS", "SCHED_RANK", "VIDEO"]


def test_imported_machines(core: Core) -> None:
    vm = create(core, "DEPLOY_ID=wild", hold=False)
    assert [vm.findtext(n) for n in ("STATE", "PREV_STATE", "DEPLOY_ID")] == ["2", "1", "wild"]
    assert vm.findtext("TEMPLATE/IMPORTED") == "YES" and vm.find("USER_TEMPLATE/DEPLOY_ID") is None
    assert "already imported" in refused_vm(core, "DEPLOY_ID=wild")
    assert "one-*" in refused_vm(core, "DEPLOY_ID=one-5")
    core.call("vm.recover", 0, 3)
    assert create(core, "DEPLOY_ID=wild", hold=False).findtext("ID") == "1"


# -- topology ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TOPOLOGY=[SOCKETS=1,CORES=2,THREADS=1]\nVCPU=2", {"PIN_POLICY": "NONE", "SOCKETS": "1"}),
        ("TOPOLOGY=[PIN_POLICY=thread]\nVCPU=4", {"PIN_POLICY": "thread", "SOCKETS": "1"}),
        ("TOPOLOGY=[PIN_POLICY=SHARED,CORES=2]\nVCPU=4", {"SOCKETS": "1", "THREADS": "2"}),
    ],
)
def test_topology(core: Core, text: str, expected: dict[str, str]) -> None:
    vm = create(core, text)
    topology = vm.find("TEMPLATE/TOPOLOGY")
    assert topology is not None and expected.items() <= parts(topology).items()


def test_pinned_vms_get_nodes_and_whole_cpus(core: Core) -> None:
    vm = create(core, "TOPOLOGY=[PIN_POLICY=CORE,SOCKETS=2]\nVCPU=4")
    assert vm.findtext("TEMPLATE/CPU") == "4"
    assert [parts(node) for node in vm.iterfind("TEMPLATE/NUMA_NODE")] == [
        {"MEMORY": "32768", "TOTAL_CPUS": "2"}
    ] * 2
    assert (vm.findtext("TEMPLATE/AUTOMATIC_REQUIREMENTS") or "").endswith("& (PIN_POLICY = PINNED)")
    given = "NUMA_NODE=[TOTAL_CPUS=1,MEMORY=24]\nNUMA_NODE=[TOTAL_CPUS=1,MEMORY=40]\nVCPU=2"
    vm = create(core, f"TOPOLOGY=[PIN_POLICY=CORE]\n{given}")
    assert [node.findtext("MEMORY") for node in vm.iterfind("TEMPLATE/NUMA_NODE")] == ["24576", "40960"]
    assert vm.findtext("TEMPLATE/TOPOLOGY/SOCKETS") == "2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TOPOLOGY=[SOCKETS=1,CORES=2]", "SOCKETS, CORES and THREADS"),
        ("TOPOLOGY=[SOCKETS=1,CORES=2,THREADS=1]\nVCPU=3", "needs to match VCPU"),
        ("TOPOLOGY=[PIN_POLICY=CORE,CORES=3]\nVCPU=4", "total number of cores"),
        ("TOPOLOGY=[PIN_POLICY=CORE,CORES=1]\nVCPU=3", "power of 2"),
        ("TOPOLOGY=[PIN_POLICY=CORE,SOCKETS=3]\nVCPU=3", "MEMORY is not multiple"),
        ("TOPOLOGY=[PIN_POLICY=CORE,SOCKETS=2]\nVCPU=3", "VCPU is not multiple"),
        ("TOPOLOGY=[PIN_POLICY=CORE]\nVCPU_MAX=4", "CPU hotplug"),
        ("TOPOLOGY=[PIN_POLICY=CORE]\nNUMA_NODE=[MEMORY=64]", "TOTAL_CPUS greater than 0"),
        ("TOPOLOGY=[PIN_POLICY=CORE]\nNUMA_NODE=[TOTAL_CPUS=1]", "MEMORY greater than 0"),
        ("TOPOLOGY=[PIN_POLICY=CORE]\nNUMA_NODE=[TOTAL_CPUS=1,MEMORY=63]", "different from VM MEMORY"),
        ("TOPOLOGY=[PIN_POLICY=CORE]\nNUMA_NODE=[TOTAL_CPUS=2,MEMORY=64]", "different from VM VCPU"),
    ],
)
def test_topologies_that_cannot_be(core: Core, text: str, message: str) -> None:
    assert message in refused_vm(core, text, code=ALLOCATE)


# -- order of the checks -----------------------------------------------------------------------------------
def test_what_is_said_first(core: Core) -> None:
    core.add_user("ann")
    # A text that cannot be read, then restricted attributes, then rights and topology, then quotas.
    refused(core, INTERNAL, "vm.allocate", "EMULATOR=x\nA=[", True, user="ann")
    refused(core, AUTHORIZATION, "vm.allocate", "EMULATOR=x\nTOPOLOGY=[A=1]", True, user="ann")
    refused(core, ALLOCATE, "vm.allocate", "CPU=-1\nMEMORY=1\nTOPOLOGY=[A=1]", True, user="ann")
    refused(core, AUTHORIZATION, "vm.allocate", "CPU=-1\nMEMORY=1", True, user="ann")
    refused(core, INTERNAL, "vm.allocate", "CPU=0\nMEMORY=1", True, user="ann")
    refused(core, INTERNAL, "vm.allocate", "CPU=-1\nMEMORY=1", True)
    core.call("user.quota", 2, "VM=[VMS=0]")
    refused(core, AUTHORIZATION, "vm.allocate", f"{CAPACITY}NIC=[NETWORK_ID=99]", True, user="ann")
    core.call("user.quota", 2, "VM=[VMS=-2]")
    refused(core, INTERNAL, "vm.allocate", f"{CAPACITY}NIC=[NETWORK_ID=99]", True, user="ann")


def test_whose_the_vm_is(core: Core) -> None:
    uid = core.add_user("ann")
    vm = create(core, "", user="ann")
    assert [vm.findtext(n) for n in ("UID", "GID", "UNAME", "GNAME")] == [str(uid), "1", "ann", "users"]
    core.call("acl.delrule", 0)
    refused_vm(core, "", code=AUTHORIZATION, user="ann")
