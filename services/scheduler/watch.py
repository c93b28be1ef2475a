"""Listening to the front-end's events, so that a cycle starts when something happens and not by the clock."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from services.common.oca import split_url

_log = logging.getLogger("SCHED")
WAIT_S = 25
_MARGIN_S = 10.0
_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 15.0

#: VM states that need a place (PENDING) or gave one back (STOPPED, DONE, UNDEPLOYED).
_VM_STATES = frozenset((1, 4, 6, 9))
_RESOURCES = frozenset(("HOST", "DATASTORE", "CLUSTER"))


def matters(event: Mapping[str, Any]) -> bool:
    """Whether an event can change a plan: a VM waits or left its host, or a resource changed."""
    if event.get("object") == "VM":
        payload = event.get("payload")
        return isinstance(payload, dict) and payload.get("state") in _VM_STATES
    return event.get("object") in _RESOURCES


class Watcher:
    """A thread that calls ``changed`` at events that matter, and whenever it may have missed some."""

    def __init__(
        self, endpoint: str, session: str, changed: Callable[[], None], wait_s: int = WAIT_S
    ) -> None:
        self._is_tls, self._host, self._port, _ = split_url(endpoint)
        self._head = {"Authorization": "Basic " + base64.b64encode(session.encode()).decode("ascii")}
        self._changed = changed
        self._wait_s = wait_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; a request that is under way is left to end with the process."""
        self._stopping.set()

    def _run(self) -> None:
        retry_s = _FIRST_RETRY_S
        is_lost = False
        while not self._stopping.is_set():
            connection = self._connection()
            try:
                last = self._ask(connection, -1, 0)["last"]
                if is_lost:
                    _log.info("event stream: connected again")
                is_lost, retry_s = False, _FIRST_RETRY_S
                self._changed()  # whatever happened before this moment is found in the pools only
                while not self._stopping.is_set():
                    answer = self._ask(connection, last, self._wait_s)
                    last = answer["last"]
                    if any(map(matters, answer["events"])):
                        self._changed()
            except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
                if not is_lost and not self._stopping.is_set():
                    _log.warning("event stream: %s; cycles start by the interval meanwhile", _words(error))
                is_lost = True
                self._stopping.wait(retry_s)
                retry_s = min(_LONGEST_RETRY_S, 2 * retry_s)
            finally:
                connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=self._wait_s + _MARGIN_S)

    def _ask(self, connection: http.client.HTTPConnection, after: int, wait_s: int) -> dict[str, Any]:
        connection.request("GET", f"/events?after={after}&wait_s={wait_s}&kind=STATE", headers=self._head)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise ValueError(f"/events answered HTTP {response.status}, expected 200")
        answer = json.loads(body)
        if not isinstance(answer, dict) or not isinstance(answer.get("events"), list):
            raise ValueError("/events answered something else than events")
        return answer


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
