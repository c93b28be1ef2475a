"""A folder with driver scripts, a runner for them, and VMs to plan for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from services.common.template import Template
from services.oned.config import OnedConf, from_settings
from services.oned.drivers.step import Slot, Step
from services.oned.drivers.table import Drivers
from services.oned.drivers.vm_context import Reader, VmContext
from services.oned.lifecycle.states import LcmState, VmState
from services.oned.model.history import HistoryRecord
from services.oned.model.vm import VM
from services.oned.store.jobs import Job

Make = Callable[..., VmContext]
ROOT = Path(__file__).resolve().parents[4]

CONF = """
HOSTNAME = "fe"
DATASTORE_LOCATION = "/ds"
SCRIPTS_REMOTE_DIR = "/var/tmp/one"
VM_ENCRYPTED_ATTR = "CONTEXT/PASSWORD"
VM_MAD = [ NAME = "dummy", EXECUTABLE = "one_vmm_exec", ARGUMENTS = "-t 64 -r 0 dummy", TYPE = "xml" ]
VM_MAD = [ NAME = "lxc", EXECUTABLE = "one_vmm_exec", ARGUMENTS = "-t 15 -r 0 lxc", TYPE = "xml" ]
VM_MAD = [ NAME = "lxd", EXECUTABLE = "one_vmm_exec", ARGUMENTS = "-t 15 -r 0 lxd", TYPE = "xml" ]
VM_MAD = [ NAME = "mixed", EXECUTABLE = "one_vmm_exec",
           ARGUMENTS = "-t 6 -p -w 77 -l poll,reset=reset_fe kvm" ]
VM_MAD = [ NAME = "kvm", EXECUTABLE = "one_vmm_exec", ARGUMENTS = "-t 15 -r 0 kvm", TYPE = "kvm" ]
VM_MAD = [ NAME = "old", EXECUTABLE = "one_vmm_exec", ARGUMENTS = "-t 15 -r 0 old", TYPE = "xen" ]
VM_MAD = [ NAME = "cloud", EXECUTABLE = "one_vmm_sh", ARGUMENTS = "-p -t 15 -r 0 -s sh cloud", TYPE = "xml" ]
TM_MAD = [ EXECUTABLE = "one_tm", ARGUMENTS = "-t 15 -d dummy,shared,ssh,qcow2,ceph" ]
"""


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A self-contained prefix with the product's own driver scripts."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    shutil.copytree(ROOT / "services/remotes", tmp_path / "var/remotes", symlinks=True)
    return tmp_path


@pytest.fixture
def script(location: Path) -> Callable[..., Path]:
    """Makes an executable sh script: script(body) or script(body, path below the remotes)."""

    def make(body: str, name: str = "test/script") -> Path:
        path = location / "var/remotes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def conf() -> OnedConf:
    """Settings with drivers of each sort."""
    return from_settings(Template.parse(CONF))


@pytest.fixture
def context(location: Path, conf: OnedConf) -> Make:
    """Makes the context of VM 7 on host node1 in datastore 104, where it is in its fourth stay.

    context(vm_mad, template text, deploy_id=, before=the host and datastore of the stay before,
    documents=, condition=, and what the job's specification says).
    """
    drivers = Drivers(conf)

    def make(
        vm_mad: str,
        template: str = "",
        deploy_id: str = "one-7",
        before: tuple[str, int] | None = None,
        documents: dict[tuple[str, int], str] | None = None,
        condition: str = "RUNNING",
        tm_mad: str = "ssh",
        **spec: bool,
    ) -> VmContext:
        vm = VM(7, "web")
        vm.stime = 1600000000
        vm.template = Template.parse(template)
        vm.deploy_id = deploy_id
        vm.state, vm.lcm_state = VmState.ACTIVE, LcmState[condition]
        vm.history = HistoryRecord(7, 3, "node1", 0, 0, vm_mad, tm_mad, 104)
        records = {}
        if before is not None:
            records[2] = HistoryRecord(7, 2, before[0], 1, 0, vm_mad, tm_mad, before[1])
        known = {("datastore_pool", 104): "<DATASTORE><ID>104</ID></DATASTORE>", **(documents or {})}
        reader = Reader(lambda table, oid: known.get((table, oid)), records.get)
        job = Job(1, "VM", 7, "vmm.DEPLOY", vm_mad, "node1", spec, 1, None, 0)
        return VmContext.of(vm, drivers, job, reader)

    return make


def lines(steps: Sequence[Step]) -> list[str]:
    """Each step as ``name args``; a deploy id that is not known yet as <deploy id>."""
    return [
        " ".join([step.name, *("<deploy id>" if isinstance(arg, Slot) else str(arg) for arg in step.args)])
        for step in steps
    ]
