"""What a datastore driver's report changes."""

from __future__ import annotations

import logging

from services.common.template import Template, TemplateError, TemplateValueError
from services.oned.drivers.execute import Result
from services.oned.model.datastore import Datastore
from services.oned.store import Tx

_log = logging.getLogger("ImM")


def apply(tx: Tx, result: Result) -> None:
    """Take the sizes of a report over; the old ones stay when the driver failed or cannot be understood."""
    oid = result.job.oid
    if not result.ok:
        _log.error("Error monitoring datastore %d: %s", oid, result.message)
        return
    try:
        report = Template.parse(result.output)
        sizes = {name: int(report.get_float(name, 0) or 0) for name in ("TOTAL_MB", "FREE_MB", "USED_MB")}
    except (TemplateError, TemplateValueError) as error:
        _log.error("Error parsing datastore information of datastore %d: %s", oid, error)
        return
    store = Datastore.find(tx, oid)
    if store is None:
        return
    store.total_mb, store.free_mb, store.used_mb = sizes["TOTAL_MB"], sizes["FREE_MB"], sizes["USED_MB"]
    store.save(tx)
