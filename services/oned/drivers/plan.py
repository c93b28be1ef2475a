"""From a job to its driver actions: the operation's builder is looked up and given the object.

Builders read documents and return steps; they start nothing and write nothing, so planning is part of the
transaction that claims the job.
"""

from __future__ import annotations

from services.common.config import ConfigError
from services.oned.drivers import ds_plan, im_plan, market_plan, tm_plan, vmm_hotplug, vmm_migrate, vmm_plan
from services.oned.drivers.step import PlanError, Step
from services.oned.drivers.table import Drivers, UnknownDriver
from services.oned.drivers.vm_context import Reader, VmContext
from services.oned.model.vm import VM
from services.oned.store import Tx, pools
from services.oned.store.jobs import Job

_VM_BUILDERS = {
    **tm_plan.BUILDERS,
    **vmm_plan.BUILDERS,
    **vmm_hotplug.BUILDERS,
    **vmm_migrate.BUILDERS,
}
# Transfer drivers that are the product's own, whatever the list of oned.conf says.
_ALWAYS_THERE = ("dummy", "transit")


def steps(tx: Tx, job: Job, drivers: Drivers) -> list[Step]:
    """The driver actions of a job, in order; none when there is nothing to do. Raises PlanError."""
    if job.operation.startswith("im."):
        return im_plan.steps(job, drivers)
    if job.operation.startswith("ds."):
        return ds_plan.steps(tx, job, drivers)
    if job.operation.startswith("market."):
        return market_plan.steps(tx, job, drivers)
    if job.operation == "secgroup.UPDATE":
        return []  # the work is in the result: documents, and jobs of the VMs concerned
    return _vm(tx, job, drivers)


def operations() -> list[str]:
    """Every operation on VMs that there is a plan for."""
    return sorted(_VM_BUILDERS)


def _vm(tx: Tx, job: Job, drivers: Drivers) -> list[Step]:
    builder = _VM_BUILDERS.get(job.operation)
    if builder is None:
        raise PlanError(f"there is no operation {job.operation}")
    body = pools.body(tx, VM.TABLE, job.oid)  # without a lock: nothing is changed
    if body is None:
        raise PlanError(f"vm {job.oid} does not exist")
    try:
        context = VmContext.of(VM.from_xml(body), drivers, job, Reader.of(tx, job.oid))
        if job.operation.startswith("tm.") and context.is_in_cloud:
            return []
        made = builder(context)
    except (UnknownDriver, ConfigError) as error:
        raise PlanError(f"vm {job.oid}: {error}") from None
    if job.operation.startswith("tm."):
        _require_listed(made, drivers)
    return made


def _require_listed(steps: list[Step], drivers: Drivers) -> None:
    """Raise PlanError for a transfer driver that oned.conf does not list (-d of TM_MAD)."""
    listed = drivers.tm_options.types
    for step in steps:
        if listed and step.driver not in (*listed, *_ALWAYS_THERE):
            raise PlanError(f"Transfer Driver '{step.driver}' not available")
