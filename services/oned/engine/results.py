"""What the end of a job changes: the event that is fired, by the kind of its object."""

from __future__ import annotations

from collections.abc import Callable

from services.common.template import Template, TemplateError
from services.oned.drivers.execute import Result
from services.oned.drivers.im_plan import START, STOP
from services.oned.engine import datastore_results, image_results, market_results
from services.oned.lifecycle import fire, secgroup_update
from services.oned.monitor import start_answer
from services.oned.monitor.host import apply_host_report
from services.oned.monitor.vm import apply_poll
from services.oned.store import Tx, jobs


def _vm(tx: Tx, result: Result) -> None:
    if result.job.operation == secgroup_update.VM_OPERATION:
        secgroup_update.job_finished(tx, result.job, result.ok, result.message)
        return
    if result.job.operation == "vmm.POLL":
        if result.ok:
            apply_poll(tx, result.job.oid, result.output)
        return
    fire.job_finished(tx, result.job, result.ok, result.message, result.output)


def _host(tx: Tx, result: Result) -> None:
    if result.job.operation == STOP:
        return  # the agent is gone, or its node is
    if result.job.operation == START:
        start_answer.apply(tx, result.job.oid, result.ok, result.output, result.message)
        return
    values, ok, message = Template(), result.ok, result.message
    if ok:
        try:
            values = Template.parse(result.output)
        except TemplateError as error:
            ok, message = False, f"the monitoring driver's report cannot be read: {error}"
    apply_host_report(tx, result.job.oid, ok, values, message, asked_s=result.job.created)


def _secgroup(tx: Tx, result: Result) -> None:
    secgroup_update.go_on(tx, result.job.oid)


_HANDLERS: dict[str, Callable[[Tx, Result], None]] = {
    "VM": _vm,
    "HOST": _host,
    "IMAGE": image_results.apply,
    "DATASTORE": datastore_results.apply,
    "MARKETPLACE": market_results.apply_market,
    "MARKETPLACEAPP": market_results.apply_app,
    secgroup_update.KIND: _secgroup,
}


def apply(tx: Tx, token: int, result: Result) -> bool:
    """Remove the job and apply its result; False when it was dropped: cancelled, taken over or stopped."""
    if not jobs.finish(tx, result.job, token) or result.is_stopped:
        return False
    _HANDLERS[result.job.kind](tx, result)
    return True


def apply_given_up(tx: Tx, result: Result) -> None:
    """Apply a result that stands for one that never came; the job's row is settled by its deadline."""
    _HANDLERS[result.job.kind](tx, result)
