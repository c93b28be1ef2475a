"""One turn of the engine in the database: results in, new work out, in as few transactions as can be.

Everything here runs in the engine's one database thread. Each transaction checks the fencing token first.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial

from services.oned.drivers import plan
from services.oned.drivers.execute import Result
from services.oned.drivers.step import PlanError, Step
from services.oned.drivers.table import Drivers
from services.oned.engine import results as ends
from services.oned.lifecycle import site
from services.oned.store import DatabaseError, Store, Tx, jobs, leases
from services.oned.store.job_limits import Limits
from services.oned.store.jobs import Job
from services.oned.store.leases import LeaseLost

LEASE = "engine"
LEASE_TTL_S = 10.0
DEADLINE_GRACE_S = 300  # for starting and ending processes, and for a busy database
_ATTEMPTS_MAX = 20  # work that ends its engine each time must not be begun for ever
_ROUNDS = 4  # jobs without any step are finished at once and may have successors
_log = logging.getLogger("ENG")


@dataclass(slots=True)
class Turn:
    """What a turn brought: jobs to start with their plans, jobs to kill, results to give again later."""

    started: list[tuple[Job, list[Step]]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    refused: list[Result] = field(default_factory=list)
    applied: int = 0

    def add(self, other: Turn) -> None:
        """Take over what another turn brought."""
        self.started += other.started
        self.cancelled = other.cancelled or self.cancelled
        self.refused += other.refused
        self.applied += other.applied


class Cycle:
    """The database side of an engine that holds the lease under ``token``."""

    def __init__(self, store: Store, drivers: Drivers, token: int, total_limit: int) -> None:
        self._store = store
        self._drivers = drivers
        self._token = token
        site.use(drivers.conf)
        self._limits = Limits(total_limit, drivers.lane_limit, drivers.host_limit)

    def turn(self, results: list[Result], *, renew: bool, held: frozenset[int] | None = None) -> Turn:
        """Apply results, renew the lease, claim and plan what there is room for.

        held: after a failure, every job that this engine knows to be its own; others that are claimed in its
        name were claimed by a commit whose answer was lost, and are queued again.
        Raises LeaseLost, after which nothing may be written any more, and DatabaseError, after which the same
        results have to be given again.
        """
        if held is not None:
            self._store.run(lambda tx: self._requeue_lost(tx, held))
        if not results and not renew and not self._store.read_value(jobs.is_due):
            return Turn()
        ordered = sorted(results, key=lambda result: (result.job.kind, result.job.oid))
        try:
            return self._store.run(lambda tx: self._batch(tx, ordered, renew))
        except (DatabaseError, LeaseLost):
            raise
        except Exception:  # noqa: BLE001 - one object must not hold up the others; it is singled out below
            _log.exception("a batch of %d results could not be applied, taking them one by one", len(results))
        return self._one_by_one(ordered, renew)

    def _requeue_lost(self, tx: Tx, held: frozenset[int]) -> None:
        self._fence(tx)
        lost = jobs.requeue_lost(tx, self._token, held)
        if lost:
            tx.after_commit(lambda: _log.warning("%d claimed jobs were never started, queued again", lost))

    def _batch(self, tx: Tx, results: list[Result], renew: bool) -> Turn:
        turn = Turn()
        self._fence(tx, renew)
        for result in results:
            turn.applied += ends.apply(tx, self._token, result)
        for _ in range(_ROUNDS):
            if not self._claim(tx, turn):
                break
        turn.cancelled = jobs.cancelled(tx, self._token)
        return turn

    def _fence(self, tx: Tx, renew: bool = False) -> None:
        """Raise LeaseLost unless the lease is still ours; hold it anew with ``renew``."""
        if renew:
            leases.renew(tx, LEASE, self._token, LEASE_TTL_S)
        leases.require(tx, LEASE, self._token)

    def _claim(self, tx: Tx, turn: Turn) -> bool:
        """Claim and plan; True when jobs ended at once, so that it is worth looking again."""
        ended = False
        for job in jobs.claim(tx, self._token, self._limits.total, self._limits):
            try:
                steps = self._steps(tx, job)
            except PlanError as error:
                ended |= ends.apply(tx, self._token, Result(job, False, str(error)))
                continue
            if steps:
                jobs.set_deadline(tx, job.id, _longest_s(steps))
                turn.started.append((job, steps))
            else:
                ended |= ends.apply(tx, self._token, Result(job, True))
        return ended

    def _steps(self, tx: Tx, job: Job) -> list[Step]:
        """The plan of a job. Raises PlanError, also for one that has ended too many engines."""
        if job.attempt > _ATTEMPTS_MAX:
            raise PlanError(
                f"{job.operation} was interrupted {job.attempt - 1} times, and is not begun again"
            )
        return plan.steps(tx, job, self._drivers)

    def _one_by_one(self, results: list[Result], renew: bool) -> Turn:
        turn = Turn()
        for result in results:
            try:
                turn.applied += self._store.run(partial(self._single, result))
            except (DatabaseError, LeaseLost):
                raise
            except Exception as error:  # noqa: BLE001 - kept and tried again; the others go on
                _log.exception("the result of %s could not be applied: %s", result.job, error)
                turn.refused.append(result)
        claimed = self._store.run(lambda tx: self._claim_alone(tx, renew))
        for job in claimed:
            turn.add(self._plan_alone(job))
        return turn

    def _single(self, result: Result, tx: Tx) -> bool:
        self._fence(tx)
        return ends.apply(tx, self._token, result)

    def _claim_alone(self, tx: Tx, renew: bool) -> list[Job]:
        self._fence(tx, renew)
        return jobs.claim(tx, self._token, self._limits.total, self._limits)

    def _plan_alone(self, job: Job) -> Turn:
        """Plan a claimed job; whatever goes wrong is the job's failure, so that its object is not stuck."""
        try:
            steps = self._store.read_value(lambda tx: self._steps(tx, job))
        except PlanError as error:
            return Turn(refused=[Result(job, False, str(error))])
        except Exception as error:  # noqa: BLE001 - see above
            _log.exception("%s cannot be planned", job)
            return Turn(refused=[Result(job, False, f"internal error: {type(error).__name__}: {error}")])
        if steps:
            self._store.run(lambda tx: jobs.set_deadline(tx, job.id, _longest_s(steps)))
            return Turn(started=[(job, steps)])
        return Turn(refused=[Result(job, True)])


def _longest_s(steps: list[Step]) -> int:
    """How long a plan may take at most, with what undoes its steps."""
    return DEADLINE_GRACE_S + sum(step.longest_s for step in steps)
