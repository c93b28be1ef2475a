"""The threads that ask the front-end for what a plan says: deployments first, messages when there is time."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable

from services.common.oca import Client, EndpointError, OneError
from services.scheduler import networks
from services.scheduler.books import Books
from services.scheduler.messages import attribute
from services.scheduler.plan import Dispatch

_log = logging.getLogger("SCHED")
_STOP, _DEPLOY, _MESSAGE = 0, 1, 2
_APPEND = 1
_NO_ENFORCE = False
_SAME_DATASTORE = -1
_DONE = {"deploy": "deployed on", "migrate": "moved to"}

Work = Callable[[Client], None]


class Calls:
    """A few threads, each with a connection of its own that it keeps."""

    def __init__(
        self, connect: Callable[[], Client], threads: int, books: Books, refused: Callable[[], None]
    ) -> None:
        """connect makes a client; refused is called after a deployment failed."""
        self._connect = connect
        self._books = books
        self._refused = refused
        self._number = itertools.count()
        self._queue: queue.PriorityQueue[tuple[int, int, Work]] = queue.PriorityQueue()
        self._threads = [
            threading.Thread(target=self._serve, name=f"call-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def deploy(self, dispatch: Dispatch, note: str) -> None:
        """Ask for a deployment; note is what the log says of it."""
        chosen = networks.template(dispatch.networks)
        args = (dispatch.vm_id, dispatch.host_id, _NO_ENFORCE, dispatch.ds_id, chosen)
        self._put(_DEPLOY, lambda client: self._place(client, dispatch, note, "deploy", args))

    def move(self, dispatch: Dispatch, note: str, *, is_live: bool, cold_migrate_mode: int) -> None:
        """Ask for a migration: live, or with the machine saved (0), powered off (1) or off hard (2)."""
        args = (dispatch.vm_id, dispatch.host_id, is_live, _NO_ENFORCE, _SAME_DATASTORE, cold_migrate_mode)
        self._put(_DEPLOY, lambda client: self._place(client, dispatch, note, "migrate", args))

    def message(self, vm_id: int, text: str) -> None:
        """Set a VM's SCHED_MESSAGE."""
        self._put(_MESSAGE, lambda client: self._message(client, vm_id, text))

    def stop(self, timeout_s: float) -> None:
        """Drop what has not begun, and wait for what has."""
        for _ in self._threads:
            self._put(_STOP, lambda client: None)
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _put(self, kind: int, work: Work) -> None:
        self._queue.put((kind, next(self._number), work))

    def _serve(self) -> None:
        with self._connect() as client:
            while True:
                kind, _, work = self._queue.get()
                if kind == _STOP:
                    return
                try:
                    work(client)
                except Exception:  # noqa: BLE001 - the edge of a thread that has to go on serving
                    _log.exception("a call to the front-end failed in a way nobody expected")

    def _place(
        self, client: Client, dispatch: Dispatch, note: str, action: str, args: tuple[object, ...]
    ) -> None:
        started = time.monotonic()
        refusal, done = "the call could not be made", _DONE[action]
        try:
            client.call(f"vm.{action}", *args)
            refusal = ""
        except (OneError, EndpointError) as error:
            refusal = str(error) or type(error).__name__
        finally:  # whatever happens, the VM must not stay "under way"
            if refusal:
                _log.warning("VM %d not %s %s: %s", dispatch.vm_id, done, note, refusal)
                self._books.refused(dispatch, refusal, time.monotonic())
                self._refused()
            else:
                self._books.done(dispatch)
                took_ms = 1000 * (time.monotonic() - started)
                _log.info("VM %d %s %s (%.0f ms)", dispatch.vm_id, done, note, took_ms)

    def _message(self, client: Client, vm_id: int, text: str) -> None:
        try:
            client.call("vm.update", vm_id, attribute(text, time.time()), _APPEND)
        except (OneError, EndpointError) as error:
            _log.warning("VM %d: its SCHED_MESSAGE cannot be set: %s", vm_id, error)
