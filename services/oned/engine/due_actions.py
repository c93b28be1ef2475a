"""Running scheduled actions when they are due.

An action and the note of it in the VM's document are one transaction, so it is run exactly once, whenever
this process ends; what became due while no engine ran is run once by the next one. An action that is refused
leaves its reason in the document and is tried again: when the VM comes to rest in another state, or after a
while that grows.
"""

from __future__ import annotations

import logging
import time
from functools import partial

from services.common.template import Vector
from services.oned.api import scheduled
from services.oned.auth import outside
from services.oned.config import OnedConf
from services.oned.engine.cycle import LEASE
from services.oned.errors import OneError
from services.oned.lifecycle import sched_actions
from services.oned.model import sched_action
from services.oned.model.vm import VM
from services.oned.store import DatabaseError, Store, Tx, due, leases
from services.oned.store.due import Due
from services.oned.store.leases import LeaseLost

_LOOK_S = 1.0
_AT_ONCE = 20  # results of drivers must not wait long for a crowd of actions
_BUSY_S = 0.5
_RETRY_S, _LATEST_RETRY_S = 30, 600
_log = logging.getLogger("VM")


class DueActions:
    """The queue of scheduled actions of one engine. Runs in its database thread."""

    def __init__(self, store: Store, conf: OnedConf, token: int) -> None:
        self._store = store
        self._conf = conf
        self._token = token
        self._look_at = 0.0
        self._is_new = True

    def run(self, now_s: float) -> int:
        """Run what is due; how many actions were run or refused. Raises LeaseLost, DatabaseError.

        now_s: of a monotonic clock, for how often to look.
        """
        if now_s < self._look_at:
            return 0
        self._look_at = now_s + _LOOK_S
        if self._is_new:
            self._queue_again()
            self._is_new = False
        ends_at = time.monotonic() + _BUSY_S
        handled = 0
        for row in self._store.read_value(lambda tx: due.ready(tx, int(time.time()), _AT_ONCE)):
            self._one(row)
            handled += 1
            if time.monotonic() > ends_at:
                break
        if handled:
            self._look_at = 0.0  # there may be more
        return handled

    # -- one action ----------------------------------------------------------------------------------
    def _one(self, row: Due) -> None:
        try:
            outside.complete(self._store, lambda: self._store.run(lambda tx: self._perform(tx, row)))
            return
        except (DatabaseError, LeaseLost):
            raise
        except OneError as error:
            message = error.message
        except Exception as error:  # noqa: BLE001 - one VM must not hold up the others
            _log.exception("scheduled action %d of vm %d", row.seq, row.vm_id)
            message = f"internal error: {type(error).__name__}: {error}"
        try:
            self._store.run(lambda tx: self._refuse(tx, row, message))
        except (DatabaseError, LeaseLost):
            raise
        except Exception:  # noqa: BLE001 - see above; at least it is not tried again at once
            _log.exception("scheduled action %d of vm %d: its message cannot be kept", row.seq, row.vm_id)
            self._store.run(lambda tx: self._postpone(tx, row))

    def _perform(self, tx: Tx, row: Due) -> None:
        action = self._take(tx, row)
        if action is None:
            return
        scheduled.run(tx, self._conf, row.vm_id, action)
        vm = VM.load(tx, row.vm_id)
        now = int(time.time())
        sched_action.set_done(vm.user_template.vectors(sched_action.ATTRIBUTE)[row.seq], vm.stime, now)
        vm.save(tx)
        tx.after_commit(partial(_tell, row, action, "Success."))

    def _refuse(self, tx: Tx, row: Due, message: str) -> None:
        action = self._take(tx, row)
        if action is None:
            return
        vm = VM.load(tx, row.vm_id)
        now = int(time.time())
        sched_action.set_failed(vm.user_template.vectors(sched_action.ATTRIBUTE)[row.seq], message, now)
        vm.save(tx)
        due.postpone(tx, row, now + _wait_s(row.tries))
        tx.after_commit(partial(_tell, row, action, f"Failure. {message}"))

    def _postpone(self, tx: Tx, row: Due) -> None:
        leases.require(tx, LEASE, self._token)
        due.postpone(tx, row, int(time.time()) + _wait_s(row.tries))

    def _take(self, tx: Tx, row: Due) -> Vector | None:
        """The action of a row, its VM locked; None when the row is no longer what the document says."""
        leases.require(tx, LEASE, self._token)
        vm = VM.find(tx, row.vm_id)
        found = due.find(tx, row.vm_id, row.seq)
        if found is None or found.due_at != row.due_at:
            return None
        planned = vm.planned() if vm is not None else []
        if vm is None or (row.seq, row.due_at) not in planned:
            due.replace(tx, row.vm_id, planned)
            return None
        return vm.user_template.vectors(sched_action.ATTRIBUTE)[row.seq]

    # -- the queue itself ----------------------------------------------------------------------------
    def _queue_again(self) -> None:
        """Let the queue hold what the documents say: of a database that comes from OpenNebula it is empty."""

        def read(tx: Tx) -> set[int]:
            return set(due.planning(tx)) | set(due.all_rows(tx))

        for vm_id in sorted(self._store.read_value(read)):
            try:
                if not self._store.read_value(partial(sched_actions.is_queued, vm_id=vm_id)):
                    self._store.run(partial(self._queue_one, vm_id))
            except (DatabaseError, LeaseLost):
                raise
            except Exception:  # noqa: BLE001 - a broken document must not hold up the others
                _log.exception("vm %d: its scheduled actions cannot be queued", vm_id)

    def _queue_one(self, vm_id: int, tx: Tx) -> None:
        leases.require(tx, LEASE, self._token)
        sched_actions.queue_again(tx, vm_id)


def _wait_s(tries: int) -> int:
    return int(min(_LATEST_RETRY_S, _RETRY_S * 2 ** min(tries, 10)))


def _tell(row: Due, action: Vector, outcome: str) -> None:
    _log.info("Executing action '%s' for VM %d : %s", action.get("ACTION", ""), row.vm_id, outcome)
