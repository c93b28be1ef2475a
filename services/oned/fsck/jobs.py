"""Driver work against the objects that wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from services.oned.fsck.documents import MODELS
from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.lifecycle.transitions import STABLE, WAITS_FOR_IMAGE
from services.oned.model.vm import VM
from services.oned.store import consistency

_NO_WORK = STABLE | WAITS_FOR_IMAGE
_MODELS = {model.KIND: model for model in MODELS}


def check(zone: Zone) -> Iterator[Finding]:
    """Every VM that is under way has driver work, and no object that does not exist has."""
    working = zone.working(VM.KIND)
    for vm in zone.vms:
        if vm.condition not in _NO_WORK and not vm.condition.endswith("_FAILURE") and vm.oid not in working:
            # Only a person can know how far the work had come.
            text = f"virtual machine {vm.oid}: is in {vm.condition}, but no driver works on it"
            yield Finding(f"{text} (onevm recover {vm.oid} ends that)")
    for kind in consistency.kinds_with_work(zone.tx):
        model = _MODELS.get(kind)
        if model is None:
            continue
        alive = {found.oid for found in zone.all(model)}
        ended = " or has ended" if model is VM else ""
        for oid in sorted(zone.working(kind) - alive):
            fix = partial(consistency.remove_work, kind=kind, oid=oid)
            yield Finding(f"job for {model.LABEL} {oid}, which does not exist{ended}", fix)
