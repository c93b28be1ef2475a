"""Telling a VM's log what it waits for when its work takes long: once for each piece of work."""

from __future__ import annotations

import logging
import time
from functools import partial

from services.oned.lifecycle import vm_log, waiting
from services.oned.model.vm import VM
from services.oned.store import DatabaseError, Store, Tx, work

_LOOK_S = 30.0
_LONG_S = 60
_AT_ONCE = 100
_log = logging.getLogger("ENG")


class Slow:
    """What was told is kept in memory: after a restart it is told once more. Changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._look_at = 0.0
        self._told: set[int] = set()

    def run(self, now_s: float) -> int:
        """Tell what is new; how many VMs. Raises DatabaseError. now_s: of a monotonic clock."""
        if now_s < self._look_at:
            return 0
        self._look_at = now_s + _LOOK_S
        before = int(time.time()) - _LONG_S
        found = self._store.read_value(lambda tx: work.older_than(tx, VM.KIND, before, _AT_ONCE))
        self._told &= found.keys()
        new = {job_id: vm_id for job_id, vm_id in found.items() if job_id not in self._told}
        self._told |= new.keys()
        for vm_id in set(new.values()):
            try:
                vm_log.append(vm_id, self._store.read_value(partial(_lines, vm_id=vm_id)))
            except DatabaseError:
                raise
            except Exception:  # noqa: BLE001 - a broken document must not hold up the engine
                _log.exception("vm %d: cannot say what it waits for", vm_id)
        return len(new)


def _lines(tx: Tx, vm_id: int) -> list[vm_log.Line]:
    vm = VM.find(tx, vm_id)
    found = waiting.explain(tx, vm) if vm is not None else None
    if found is None:
        return []
    since = time.strftime("%H:%M:%S", time.localtime(found.since_s))
    text = f"Waits for {found.waits_for}, since {since}. Next step: {found.next_step}"
    return [vm_log.Line("I", vm_log.LCM, text)]
