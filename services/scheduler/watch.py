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

_KINDS = "STATE,CHANGE"
#: VM states that need a place (PENDING) or gave one back (STOPPED, DONE, UNDEPLOYED).
_VM_STATES = frozenset((1, 4, 6, 9))
#: States of an ACTIVE VM on its way to another host, whose old host it gives back afterwards:
#: MIGRATE, SAVE_MIGRATE, PROLOG_MIGRATE, BOOT_MIGRATE, PROLOG_MIGRATE_POWEROFF, _SUSPEND and _UNKNOWN.
_ON_THE_WAY = frozenset((4, 7, 8, 35, 43, 45, 60))
#: States of a VM whose deployment has failed: BOOT_FAILURE and PROLOG_FAILURE.
_FAILURES = frozenset((36, 39))
_RESOURCES = frozenset(("HOST", "DATASTORE", "CLUSTER"))


class Reader:
    """Judges events one after the other; remembers the VMs that are on their way to another host.

    failed: called with a VM's and a host's id when the VM could not be started on that host.
    """

    def __init__(self, failed: Callable[[int, int], None]) -> None:
        self._failed = failed
        self._moving: set[int] = set()

    def matters(self, event: Mapping[str, Any]) -> bool:
        """Whether an event can change a plan: a VM waits or left a host, or what it depends on changed."""
        if event.get("kind") == "CHANGE":
            return True
        if event.get("object") != "VM":
            return event.get("object") in _RESOURCES
        payload, vm_id = event.get("payload"), event.get("oid")
        if not isinstance(payload, dict) or not isinstance(vm_id, int):
            return False
        lcm_state, host_id = payload.get("lcm_state"), payload.get("host")
        if lcm_state in _FAILURES and isinstance(host_id, int):
            self._failed(vm_id, host_id)
        if lcm_state in _ON_THE_WAY:
            self._moving.add(vm_id)
            return False
        has_moved = vm_id in self._moving
        self._moving.discard(vm_id)
        return has_moved or payload.get("state") in _VM_STATES


class Watcher:
    """A thread that calls ``changed`` at events that matter, and whenever it may have missed some."""

    def __init__(
        self,
        endpoint: str,
        session: str,
        changed: Callable[[], None],
        failed: Callable[[int, int], None] = lambda vm_id, host_id: None,
        wait_s: int = WAIT_S,
    ) -> None:
        self._is_tls, self._host, self._port, _ = split_url(endpoint)
        self._head = {"Authorization": "Basic " + base64.b64encode(session.encode()).decode("ascii")}
        self._changed = changed
        self._reader = Reader(failed)
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
                    verdicts = [self._reader.matters(event) for event in answer["events"]]  # each is heard
                    if any(verdicts):
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
        connection.request("GET", f"/events?after={after}&wait_s={wait_s}&kind={_KINDS}", headers=self._head)
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
