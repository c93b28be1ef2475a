"""From a job to its driver actions: the operation's builder is looked up and given the object.

Builders read documents and return steps; they start nothing and write nothing, so planning is part of the
transaction that claims the job.
"""

from __future__ import annotations

from collections.abc import Callable

from services.common.config import ConfigError
from services.oned.drivers import tm_plan, vmm_plan
from services.oned.drivers.step import PlanError, Step
from services.oned.drivers.table import POLLED_IM_DRIVERS, Drivers, UnknownDriver
from services.oned.drivers.vm_context import VmContext
from services.oned.model.vm import VM
from services.oned.store import Tx, pools
from services.oned.store.jobs import Job

_VM_BUILDERS: dict[str, Callable[[VmContext], list[Step]]] = {
    "tm.PROLOG": tm_plan.prolog,
    "tm.PROLOG_RESUME": tm_plan.prolog_resume,
    "tm.EPILOG": tm_plan.epilog,
    "tm.EPILOG_STOP": tm_plan.epilog_stop,
    "tm.EPILOG_DELETE": tm_plan.epilog_delete,
    "vmm.DEPLOY": vmm_plan.deploy,
    "vmm.SHUTDOWN": vmm_plan.shutdown,
    "vmm.CANCEL": vmm_plan.cancel,
    "vmm.REBOOT": vmm_plan.reboot,
    "vmm.RESET": vmm_plan.reset,
    "vmm.SAVE": vmm_plan.save,
    "vmm.RESTORE": vmm_plan.restore,
    "vmm.CLEANUP": vmm_plan.cleanup,
}


def steps(tx: Tx, job: Job, drivers: Drivers) -> list[Step]:
    """The driver actions of a job, in order; none when there is nothing to do. Raises PlanError."""
    if job.operation == "im.MONITOR":
        return _monitor(job, drivers)
    builder = _VM_BUILDERS.get(job.operation)
    if builder is None:
        raise PlanError(f"there is no operation {job.operation}")
    body = pools.body(tx, VM.TABLE, job.oid)  # without a lock: nothing is changed
    if body is None:
        raise PlanError(f"vm {job.oid} does not exist")
    try:
        return builder(VmContext.of(VM.from_xml(body), drivers, is_local=bool(job.spec.get("local"))))
    except (UnknownDriver, ConfigError) as error:
        raise PlanError(f"vm {job.oid}: {error}") from None


def _monitor(job: Job, drivers: Drivers) -> list[Step]:
    if job.driver not in POLLED_IM_DRIVERS:
        raise PlanError(f"host {job.oid}: the engine does not ask monitoring driver {job.driver!r}")
    return [
        Step(
            "im",
            job.driver,
            "monitor",
            (job.driver, str(job.oid), job.host),
            drivers.timeout_s("im", "monitor"),
            gives_output=True,
        )
    ]
