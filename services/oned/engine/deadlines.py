"""Jobs whose result never came: each has a deadline, after which it counts as failed.

Every driver action has a hard time limit of its own, so a deadline passes only when the engine lost a job or
its process cannot be killed. Either way its object must not wait for ever.
"""

from __future__ import annotations

import logging
import time

from services.oned.drivers.execute import Result
from services.oned.engine import results
from services.oned.engine.cycle import DEADLINE_GRACE_S, LEASE
from services.oned.store import DatabaseError, Store, Tx, jobs, leases
from services.oned.store.jobs import Job
from services.oned.store.leases import LeaseLost

_LOOK_S = 15.0
_log = logging.getLogger("ENG")


class Deadlines:
    """Looks for jobs past their deadline. Runs in the engine's database thread."""

    def __init__(self, store: Store, token: int) -> None:
        self._store = store
        self._token = token
        self._look_at = 0.0

    def run(self, now_s: float) -> int:
        """Fail what is past its deadline; how many jobs. Raises LeaseLost, DatabaseError."""
        if now_s < self._look_at:
            return 0
        self._look_at = now_s + _LOOK_S
        now = int(time.time())
        if self._store.read_value(lambda tx: jobs.has_cancelled(tx, now - DEADLINE_GRACE_S)):
            self._store.run(lambda tx: self._forget(tx, now - DEADLINE_GRACE_S))
        return sum(self._end(job) for job in self._store.read_value(lambda tx: jobs.overdue(tx, now)))

    def _end(self, job: Job) -> bool:
        try:
            return self._store.run(lambda tx: self._fail(tx, job))
        except (DatabaseError, LeaseLost):
            raise
        except Exception:  # noqa: BLE001 - one object must not hold up the others; tried again later
            _log.exception("%s is past its deadline, but cannot be ended", job)
            self._store.run(lambda tx: self._extend(tx, job))
            return False

    def _fail(self, tx: Tx, job: Job) -> bool:
        leases.require(tx, LEASE, self._token)
        if not jobs.give_up(tx, job, int(time.time())):
            return False
        tx.after_commit(lambda: _log.error("%s: no result within its deadline", job))
        results.apply_given_up(tx, Result(job, False, "the driver gave no result within its time limit"))
        return True

    def _extend(self, tx: Tx, job: Job) -> None:
        leases.require(tx, LEASE, self._token)
        jobs.set_deadline(tx, job.id, DEADLINE_GRACE_S)

    def _forget(self, tx: Tx, before: int) -> None:
        leases.require(tx, LEASE, self._token)
        jobs.remove_cancelled(tx, before)
