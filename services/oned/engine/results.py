"""What the end of a job changes: the event that is fired, by the kind of its object."""

from __future__ import annotations

from collections.abc import Callable

from services.common.template import Template, TemplateError
from services.oned.drivers.execute import Result
from services.oned.lifecycle import fire
from services.oned.monitor.host import apply_host_report
from services.oned.store import Tx, jobs


def _vm(tx: Tx, result: Result) -> None:
    fire.job_finished(tx, result.job, result.ok, result.message, result.output)


def _host(tx: Tx, result: Result) -> None:
    values, ok, message = Template(), result.ok, result.message
    if ok:
        try:
            values = Template.parse(result.output)
        except TemplateError as error:
            ok, message = False, f"the monitoring driver's report cannot be read: {error}"
    apply_host_report(tx, result.job.oid, ok, values, message)


_HANDLERS: dict[str, Callable[[Tx, Result], None]] = {"VM": _vm, "HOST": _host}


def apply(tx: Tx, token: int, result: Result) -> bool:
    """Remove the job and apply its result; False when it was dropped: cancelled, taken over or stopped."""
    if not jobs.finish(tx, result.job, token) or result.is_stopped:
        return False
    _HANDLERS[result.job.kind](tx, result)
    return True
