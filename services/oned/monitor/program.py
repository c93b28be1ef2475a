"""The monitor program: receives what agents report and applies it. One holds the lease, others wait.

The event loop (main thread) receives and queues; one thread reads the messages and does all database work,
some messages in one transaction. When the lease is lost the program ends: Supervisor starts it anew.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from services.oned.engine.holder import holder_text, is_dead
from services.oned.monitor.batch import Batch, Memory, Outcome, Report, read
from services.oned.monitor.clock import Clock
from services.oned.monitor.conf import MonitorConf
from services.oned.monitor.intake import Complaints, Intake
from services.oned.monitor.lease import LEASE, LEASE_TTL_S
from services.oned.monitor.listen import Listener
from services.oned.monitor.messages import Message, MessageError, Reader
from services.oned.store import DatabaseError, Store, Tx, leases
from services.oned.store.leases import LeaseLost

_log = logging.getLogger("MON")
_T = TypeVar("_T")

_RENEW_S = 2.0
_RETRY_S = 1.0
_GATHER_S = 0.3  # what comes meanwhile is applied together
_LOOK_S = 5.0  # how often the list of hosts is read
_LOOK_SOON_S = 1.0  # when a message names one that is not known
_AT_ONCE = 100  # messages in one transaction


class Program:
    """One monitor process. ``run`` returns when ``stop`` was called."""

    def __init__(self, store: Store, conf: MonitorConf) -> None:
        self._store = store
        self._conf = conf
        self._reader = Reader.of_file(conf.prikey)
        self._complaints = Complaints()
        self._intake = Intake(self._complaints)
        self._listener = Listener(self._take, self._complaints.add)
        self._memory = Memory()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        self._woken = asyncio.Event()
        self._stopping = False
        self._received = 0

    def stop(self) -> None:
        """End soon; what has been received and not applied is lost, and sent again by the agents in time."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Wait for the lease, then receive until stopped. Raises LeaseLost; OSError for a taken port."""
        token: int | None = None
        try:
            token = await self._gain_lease()
            if token is not None:
                await self._work(token)
        finally:
            self._listener.close()
            if token is not None and self._stopping:
                await self._release(token)
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, fn: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, fn)

    async def _pause(self, seconds: float) -> None:
        """Until a message comes or the program is to stop, at most ``seconds``."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()

    # -- lease ---------------------------------------------------------------------------------------------
    async def _gain_lease(self) -> int | None:
        """The token, once this process holds the lease; None when it was told to stop before."""
        holder = holder_text()
        is_first = True

        def acquire(tx: Tx) -> int | None:
            return leases.acquire(tx, LEASE, holder, LEASE_TTL_S, is_dead)

        while not self._stopping:
            try:
                token = await self._in_thread(lambda: self._store.run(acquire))
            except DatabaseError as error:
                _log.error("cannot ask for the lease: %s", error)
                token = None
            if token is not None:
                return token
            if is_first:
                _log.info("another monitor program holds the lease, standing by")
                is_first = False
            await self._pause(_RETRY_S)
        return None

    async def _release(self, token: int) -> None:
        try:
            await self._in_thread(lambda: self._store.run(lambda tx: leases.release(tx, LEASE, token)))
        except DatabaseError as error:
            _log.warning("the lease was not released: %s", error)

    # -- work ----------------------------------------------------------------------------------------------
    def _take(self, data: bytes, sender: str) -> None:
        self._received += 1
        if self._intake.offer(data, sender):
            self._woken.set()

    async def _work(self, token: int) -> None:
        turns = Turns(self._store, self._conf, token, self._intake, self._reader, self._memory, self._summary)
        await self._retried(turns.look)
        await self._listener.open(self._conf.address, self._conf.port)
        _log.info(
            "started with token %d, listening on %s port %d", token, self._conf.address, self._conf.port
        )
        while not self._stopping:
            more = await self._retried(turns.turn)
            if more:
                continue
            await self._pause(1.0)
            if len(self._intake):
                await asyncio.sleep(_GATHER_S)

    async def _retried(self, fn: Callable[[], bool]) -> bool:
        """What ``fn`` says; it is asked again while the database fails and until the program stops."""
        while not self._stopping:
            try:
                return await self._in_thread(fn)
            except DatabaseError as error:
                _log.error("%s", error)
                await asyncio.sleep(_RETRY_S)
        return False

    def _summary(self) -> str:
        dropped = sum(self._complaints.total.values())
        return (
            f"{self._received} messages received, {dropped} dropped, {self._listener.lost} lost by the system"
        )


class Turns:
    """The database side: messages in, and what is due. Everything here runs in the database thread."""

    def __init__(
        self,
        store: Store,
        conf: MonitorConf,
        token: int,
        intake: Intake,
        reader: Reader,
        memory: Memory,
        summary: Callable[[], str],
    ) -> None:
        self._store = store
        self._conf = conf
        self._token = token
        self._intake = intake
        self._reader = reader
        self._memory = memory
        self._summary = summary
        self._clock = Clock(store, conf, token)
        self._waiting: list[Report] = []
        self._renew_at_s = self._look_at_s = self._time_at_s = 0.0

    def look(self) -> bool:
        """Read which hosts there are. Raises DatabaseError."""
        now_s = time.monotonic()
        self._look_at_s = now_s + _LOOK_S
        self._intake.know(self._clock.look(now_s))
        return True

    def turn(self) -> bool:
        """Apply what has come, and do what is due; True when more messages wait.

        Raises LeaseLost, and DatabaseError, after which the same messages are applied by the next turn.
        """
        now_s = time.monotonic()
        if now_s >= self._look_at_s or (
            self._intake.has_strangers and now_s >= self._look_at_s - _LOOK_S + _LOOK_SOON_S
        ):
            self.look()
        if not self._waiting:
            self._waiting = [report for m in self._intake.take(_AT_ONCE) if (report := self._report(m))]
        if self._waiting or now_s >= self._renew_at_s:
            self._clock.heard(self._apply(self._waiting).heard, now_s)
            self._waiting = []
            self._renew_at_s = now_s + _RENEW_S
        if now_s >= self._time_at_s:
            self._time_at_s = now_s + self._conf.timer_s
            self._clock.run(now_s, self._summary())
        return len(self._intake) > 0

    def _report(self, message: Message) -> Report | None:
        try:
            text = self._reader.text(message.payload)
        except MessageError as error:
            self._intake.refuse(message, str(error))
            return None
        if not self._intake.accept(message):
            return None
        return read(message.kind, message.is_success, message.host_id, text, message.received_s)

    def _apply(self, reports: list[Report]) -> Outcome:
        try:
            return self._store.run(lambda tx: self._batch(tx, reports))
        except (DatabaseError, LeaseLost):
            raise
        except Exception:  # noqa: BLE001 - one host must not hold up the others; it is singled out below
            _log.exception("%d messages could not be applied at once, taking them one by one", len(reports))
        outcome = Outcome()
        for report in reports:
            outcome.heard |= self._apply_alone(report)
        return outcome

    def _apply_alone(self, report: Report) -> set[int]:
        try:
            return self._store.run(lambda tx: self._batch(tx, [report])).heard
        except (DatabaseError, LeaseLost):
            raise
        except Exception:  # noqa: BLE001 - see above; the agent will say it again
            _log.exception("host %d: %s could not be applied", report.host_id, report.kind)
            return set()

    def _batch(self, tx: Tx, reports: list[Report]) -> Outcome:
        leases.renew(tx, LEASE, self._token, LEASE_TTL_S)
        leases.require(tx, LEASE, self._token)
        return Batch(tx, self._conf, self._memory).apply(reports)
