"""The engine: claims jobs, runs their driver actions, fires the results. One holds the lease, others wait.

The event loop (main thread) starts processes and never waits for the database; one thread does all database
work. Results that are ready together are committed together. When the lease is lost, the actions are
killed and the program ends: Supervisor starts it anew, and it waits for its turn.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from services.common.wake import Wake
from services.oned.config import OnedConf
from services.oned.drivers.execute import Result, execute
from services.oned.drivers.run import Runner
from services.oned.drivers.step import Step
from services.oned.drivers.table import Drivers
from services.oned.engine.cycle import LEASE, LEASE_TTL_S, Cycle, Turn
from services.oned.engine.holder import holder_text, is_dead
from services.oned.engine.timers import Timers
from services.oned.store import DatabaseError, Store, Tx, jobs, leases
from services.oned.store.jobs import Job
from services.oned.store.leases import LeaseLost

_log = logging.getLogger("ENG")
_T = TypeVar("_T")

_POLL_S = 1.0
_RENEW_S = 2.0
_TELL_S = 1.0  # how often the guard is told that all is well
_RETRY_S = 1.0
_LATEST_RETRY_S = 60.0
_LOCAL_SERVERS = {"localhost", "127.0.0.1", "::1"}


@dataclass(slots=True)
class Request:
    """What a turn is asked to do. ``held``: every job of ours, given when some may have been lost."""

    results: list[Result] = field(default_factory=list)
    asked_s: float = 0.0
    renew: bool = False
    held: frozenset[int] | None = None
    is_retry: bool = False


class Engine:
    """One engine process. ``run`` returns when ``stop`` was called."""

    def __init__(self, store: Store, conf: OnedConf, total_limit: int = 64) -> None:
        self._store = store
        self._conf = conf
        self._drivers = Drivers(conf)
        self._total_limit = total_limit
        self._runner = Runner()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        self._stopping = False
        self._woken = asyncio.Event()
        self._running: dict[int, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: set[int] = set()  # jobs that are running here or whose result is not applied yet
        self._ready: list[Result] = []
        self._has_news = False
        self._refusals: dict[int, int] = {}
        self._valid_until_s = 0.0
        self._told_at_s = -_TELL_S
        self._renew_at_s = 0.0
        # Where another machine could take the lease unseen, holding on without the database is not safe.
        db = conf.db
        self._is_alone = db.backend == "sqlite" or bool(db.socket) or db.server in _LOCAL_SERVERS

    def stop(self) -> None:
        """End soon: actions are killed, their jobs stay for the next engine."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Wait for the lease, then work until stopped. Raises LeaseLost."""
        wake = Wake("engine")
        loop = asyncio.get_running_loop()
        loop.add_reader(wake.fileno(), self._on_wake, wake)
        token: int | None = None
        try:
            token = await self._gain_lease()
            if token is not None:
                await self._work(token)
        finally:
            loop.remove_reader(wake.fileno())
            wake.close()
            await self._kill_all()
            if token is not None and self._stopping:
                await self._release(token)
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _on_wake(self, wake: Wake) -> None:
        wake.drain()
        self._news()

    async def _in_thread(self, fn: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, fn)

    async def _pause(self, seconds: float) -> None:
        """Until something happens, at most ``seconds``."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()

    # -- lease ---------------------------------------------------------------------------------------
    async def _gain_lease(self) -> int | None:
        """The token, once this process holds the lease; None when it was told to stop before."""
        holder = holder_text()
        is_first = True
        while not self._stopping:
            asked_s = time.monotonic()
            try:
                gained = await self._in_thread(lambda: self._store.run(lambda tx: _take_lease(tx, holder)))
            except DatabaseError as error:
                _log.error("cannot ask for the lease: %s", error)
                gained = None
            if gained is not None:
                token, requeued = gained
                _log.info("engine started with token %d, %d jobs taken over", token, requeued)
                self._well(asked_s)
                return token
            if is_first:
                _log.info("another engine holds the lease, standing by")
                is_first = False
            await self._pause(_RETRY_S)
        return None

    def _well(self, since_s: float) -> None:
        """The lease was certainly held at ``since_s``: actions may go on until it could run out."""
        self._valid_until_s = since_s + LEASE_TTL_S
        if since_s >= self._told_at_s + _TELL_S:
            self._told_at_s = since_s
            self._runner.heartbeat(max(0.1, self._valid_until_s - time.monotonic()))

    async def _release(self, token: int) -> None:
        try:
            await self._in_thread(lambda: self._store.run(lambda tx: leases.release(tx, LEASE, token)))
        except DatabaseError as error:
            _log.warning("the lease was not released: %s", error)

    # -- work ----------------------------------------------------------------------------------------
    async def _work(self, token: int) -> None:
        cycle = Cycle(self._store, self._drivers, token, self._total_limit)
        timers = Timers(self._store, self._conf, token)
        working: asyncio.Future[Turn] | None = None
        request = Request()
        look_at_s = 0.0
        while not self._stopping:
            now_s = time.monotonic()
            if now_s > self._valid_until_s:
                raise LeaseLost("the engine was held up for longer than its lease lasts")
            if self._is_alone:
                self._well(now_s)
            if working is not None and working.done():
                look_at_s = min(look_at_s, self._take(working, request))
                working = None
            # What becomes ready during a turn is committed together by the next one.
            if working is None and (now_s >= look_at_s or (self._has_news and not request.is_retry)):
                request = self._next_request(request, now_s)
                look_at_s = now_s + _POLL_S
                working = asyncio.ensure_future(self._in_thread(partial(_turn, cycle, timers, request)))
                working.add_done_callback(lambda _: self._woken.set())
            await self._pause(_POLL_S if working is not None else look_at_s - time.monotonic())

    def _next_request(self, last: Request, now_s: float) -> Request:
        results, self._ready, self._has_news = self._ready, [], False
        # After a failure it is not known what was committed: jobs may be claimed that nobody has started.
        held = frozenset(self._held) if last.is_retry else None
        return Request(results, now_s, renew=now_s >= self._renew_at_s, held=held)

    def _take(self, working: asyncio.Future[Turn], request: Request) -> float:
        """Start, kill and note what a turn has brought; when to look again at the latest."""
        try:
            turn = working.result()
        except DatabaseError as error:
            _log.error("%s", error)
            self._ready = request.results + self._ready
            request.is_retry = True
            return time.monotonic() + _RETRY_S
        request.is_retry = False
        self._held.difference_update(result.job.id for result in request.results)
        if request.renew:
            self._renew_at_s = request.asked_s + _RENEW_S
            if not self._is_alone:
                self._well(request.asked_s)
        for job, steps in turn.started:
            self._start(job, steps)
        for job_id in turn.cancelled:
            if job_id in self._running:
                self._running[job_id].set()
        for result in turn.refused:
            self._retry_later(result)
        return self._renew_at_s

    def _start(self, job: Job, steps: list[Step]) -> None:
        stop = asyncio.Event()
        self._running[job.id] = stop
        self._held.add(job.id)
        task = asyncio.create_task(self._run_job(job, steps, stop))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_job(self, job: Job, steps: list[Step], stop: asyncio.Event) -> None:
        try:
            result = await execute(self._runner, job, steps, stop)
        except Exception as error:  # noqa: BLE001 - the edge of a job: its object must not be stuck
            _log.exception("%s", job)
            result = Result(job, False, f"internal error: {type(error).__name__}: {error}")
        del self._running[job.id]
        self._give(result)

    def _give(self, result: Result) -> None:
        self._ready.append(result)
        self._news()

    def _news(self) -> None:
        self._has_news = True
        self._woken.set()

    def _retry_later(self, result: Result) -> None:
        """Give a result again that could not be applied, each time after a longer wait."""
        tries = self._refusals[result.job.id] = self._refusals.get(result.job.id, 0) + 1
        self._held.add(result.job.id)
        delay_s = min(_LATEST_RETRY_S, _RETRY_S * 2 ** min(tries - 1, 10))
        asyncio.get_running_loop().call_later(delay_s, self._give, result)

    async def _kill_all(self) -> None:
        self._runner.kill_all()
        for stop in self._running.values():
            stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_RETRY_S)
        self._runner.close()


def _take_lease(tx: Tx, holder: str) -> tuple[int, int] | None:
    token = leases.acquire(tx, LEASE, holder, LEASE_TTL_S, is_dead)
    return None if token is None else (token, jobs.requeue_stale(tx, token))


def _turn(cycle: Cycle, timers: Timers, request: Request) -> Turn:
    timers.run(request.asked_s)
    return cycle.turn(request.results, renew=request.renew, held=request.held)
