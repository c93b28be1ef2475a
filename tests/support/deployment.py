"""Deployment files of libvirt's hypervisors, made of a template without a front-end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.common.template import Template
from services.oned.config import from_settings
from services.oned.drivers.libvirt import domain
from services.oned.drivers.table import Drivers
from services.oned.drivers.vm_context import Reader, VmContext
from services.oned.model.history import HistoryRecord
from services.oned.model.vm import VM
from services.oned.store.jobs import Job

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((ROOT / "tests/unit/oned/drivers/libvirt/cases").glob("*.template"))
# libvirt0 has it; the command virt-xml-validate uses the same.
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
_DEFAULTS = ROOT / "share/etc/vmm_exec/vmm_exec_kvm.conf"


def deployment_text(
    template: str,
    vm_mad: str = "kvm",
    documents: Mapping[tuple[str, int], str] | None = None,
    *,
    defaults: Path = _DEFAULTS,
    attributes: str = "",
    datastores: str = "/ds",
) -> str:
    """The domain of VM 7, ``web``, on host 3 of cluster 100, in system datastore 104.

    vm_mad: kvm or qemu. documents: of host (``("host_pool", 3)``) and cluster (``("cluster_pool", 100)``).
    defaults, attributes: DEFAULT of the VM_MAD section, and what else stands in it. Raises PlanError.
    """
    settings = Template.parse(
        f'DATASTORE_LOCATION = "{datastores}"\n'
        f'VM_MAD = [ NAME = "{vm_mad}", EXECUTABLE = "one_vmm_exec", ARGUMENTS = "kvm", TYPE = "{vm_mad}",'
        f' DEFAULT = "{defaults}" {attributes} ]'
    )
    vm = VM(7, "web", 2, 1)
    vm.uname, vm.gname, vm.stime = "ann", "users", 1600000000
    vm.template = Template.parse(template)
    vm.history = HistoryRecord(7, 0, "node1", 3, 100, vm_mad, "ssh", 104)
    known = documents or {}
    reader = Reader(lambda table, oid: known.get((table, oid)))
    job = Job(1, "VM", 7, "vmm.DEPLOY", vm_mad, "node1", {}, 1, None, 0)
    context = VmContext.of(vm, Drivers(from_settings(settings)), job, reader)
    return domain.deployment_text(context, 1600000100)
