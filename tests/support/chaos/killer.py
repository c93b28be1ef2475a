"""kill -9 of programs, workers and the database at random; and Supervisor's part, which starts them again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.support.frontend import PROGRAMS, Frontend
from tests.support.mariadb import MariaDb

_TICK_S = 0.1
_CALLS_BETWEEN = 25  # acknowledged calls: on a slow machine a storm must not be nothing but restarts
_API, _ENGINE, _SCHEDULER = "opennebula", "opennebula-engine", "opennebula-scheduler"
_WEIGHTS = {"worker": 3, _API: 1, _ENGINE: 4, _SCHEDULER: 2, "database": 2, "everything": 1}


class Killer(threading.Thread):
    """``kills`` counts what was killed, ``restarts`` what was started again for whatever reason.

    progress: how many calls were acknowledged so far.
    """

    def __init__(
        self,
        frontend: Frontend,
        server: MariaDb | None,
        seed: int,
        every_s: float,
        progress: Callable[[], int],
    ) -> None:
        super().__init__(name="killer")
        self.kills: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self.error: BaseException | None = None
        self._frontend, self._server = frontend, server
        self._rng = Random(f"{seed}/killer")
        self._every_s = every_s
        self._progress = progress
        self._stopping = threading.Event()
        self._weights = {name: weight for name, weight in _WEIGHTS.items() if server or name != "database"}

    def run(self) -> None:
        """Kill until stopped; then everything runs."""
        try:
            at_s, at_calls = time.monotonic() + self._pause_s(), _CALLS_BETWEEN
            while not self._stopping.wait(_TICK_S):
                if time.monotonic() >= at_s and self._progress() >= at_calls:
                    self._kill(self._rng.choices([*self._weights], [*self._weights.values()])[0])
                    at_s = time.monotonic() + self._pause_s()
                    at_calls = self._progress() + _CALLS_BETWEEN
                self.supervise()
            self.supervise()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that stops the killer
            self.error = error

    def stop(self) -> None:
        """End; every program runs, or is about to."""
        self._stopping.set()
        self.join()
        if self.error is not None:
            raise self.error

    def supervise(self) -> None:
        """Start what has ended, as Supervisor does."""
        for name in PROGRAMS:
            if self._frontend.processes[name].poll() is not None:
                self._frontend.spawn(name)
                self.restarts[name] += 1

    def _pause_s(self) -> float:
        return self._rng.uniform(0.3, 1.7) * self._every_s

    def _kill(self, victim: str) -> None:
        place = self._rng.random()  # drawn in any case, so that the next choices do not depend on what runs
        self.kills[victim] += 1
        if victim == "worker":
            self._kill_worker(place)
        elif victim == "database":
            self._kill_database()
        elif victim == "everything":
            for name in PROGRAMS:
                self._frontend.kill(name)
            self._kill_database()
        else:
            self._frontend.kill(victim)

    def _kill_worker(self, place: float) -> None:
        main = self._frontend.processes[_API].pid
        try:
            workers = Path(f"/proc/{main}/task/{main}/children").read_text().split()
            if workers:
                os.kill(int(workers[int(place * len(workers))]), signal.SIGKILL)
        except (OSError, ProcessLookupError):
            return  # it ends at this moment by itself

    def _kill_database(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.start()
