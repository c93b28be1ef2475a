"""A folder with driver scripts, a runner for them, and VMs to plan for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.common.template import Template
from services.oned.config import OnedConf, from_settings
from services.oned.drivers.table import Drivers
from services.oned.drivers.vm_context import VmContext
from services.oned.model.history import HistoryRecord
from services.oned.model.vm import VM

ROOT = Path(__file__).resolve().parents[4]

CONF = """
HOSTNAME = "fe"
DATASTORE_LOCATION = "/ds"
SCRIPTS_REMOTE_DIR = "/var/tmp/one"
VM_MAD = [ NAME = "dummy", EXECUTABLE = "one_vmm_exec", ARGUMENTS = "-t 64 -r 0 dummy", TYPE = "xml" ]
VM_MAD = [ NAME = "lxc", EXECUTABLE = "one_vmm_exec", ARGUMENTS = "-t 15 -r 0 lxc", TYPE = "xml" ]
VM_MAD = [ NAME = "mixed", EXECUTABLE = "one_vmm_exec",
           ARGUMENTS = "-t 6 -p -w 77 -l poll,reset=reset_fe kvm" ]
VM_MAD = [ NAME = "kvm", EXECUTABLE = "one_vmm_exec", ARGUMENTS = "-t 15 -r 0 kvm", TYPE = "kvm" ]
VM_MAD = [ NAME = "cloud", EXECUTABLE = "one_vmm_sh", ARGUMENTS = "-p -t 15 -r 0 -s sh cloud", TYPE = "xml" ]
TM_MAD = [ EXECUTABLE = "one_tm", ARGUMENTS = "-t 15 -d dummy,shared,ssh" ]
"""


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A self-contained prefix with the product's own driver scripts."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    shutil.copytree(ROOT / "services/remotes", tmp_path / "var/remotes")
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
def context(location: Path, conf: OnedConf) -> Iterator[Callable[..., VmContext]]:
    """Makes the context of VM 7 on host node1: context(vm_mad, template text, deploy_id=, is_local=)."""
    drivers = Drivers(conf)

    def make(vm_mad: str, template: str = "", deploy_id: str = "one-7", is_local: bool = False) -> VmContext:
        vm = VM(7, "web")
        vm.template = Template.parse(template)
        vm.deploy_id = deploy_id
        vm.history = HistoryRecord(7, 3, "node1", 0, 0, vm_mad, "ssh", 104)
        return VmContext.of(vm, drivers, is_local)

    yield make
