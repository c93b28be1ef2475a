"""The queue of scheduled actions against the documents that it is derived from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.lifecycle import sched_actions
from services.oned.model.vm import VM
from services.oned.store import due


def check(zone: Zone) -> Iterator[Finding]:
    """Of every VM the queue holds the actions that its document still asks for, and nothing else."""
    queued = due.all_rows(zone.tx)
    for vm_id in sorted({*due.planning(zone.tx), *queued}):
        vm = VM.find(zone.tx, vm_id)
        planned = [tuple(action) for action in vm.planned()] if vm is not None else []
        if planned != queued.get(vm_id, []):
            text = (
                f"{VM.LABEL} {vm_id}: the queue of scheduled actions has {queued.get(vm_id, [])}, "
                f"its document asks for {planned} (place, time)"
            )
            yield Finding(text, partial(sched_actions.queue_again, vm_id=vm_id))
