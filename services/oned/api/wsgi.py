"""The HTTP face: XML-RPC at /RPC2 and /, JSON at /api/v1, readiness at /ready, the events at /events."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from services.common.wake import Wake
from services.oned.api.dispatch import Dispatcher
from services.oned.api.execute import Executor
from services.oned.api.http.front import PREFIX, Front
from services.oned.api.stream import Streamed
from services.oned.auth import session
from services.oned.config import OnedConf
from services.oned.errors import AuthenticationError, OneError
from services.oned.store import DatabaseError, Store, events

_log = logging.getLogger("ReM")
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
_WAIT_MAX_S = 30.0
# A watcher occupies a thread while it waits; the others stay free for calls.
_WATCHERS_MAX = 4


class Application:
    """The WSGI application of one API worker."""

    def __init__(self, store: Store, conf: OnedConf) -> None:
        self._store = store
        self._conf = conf
        executor = Executor(store, conf)
        self._dispatcher = Dispatcher(executor)
        self._front = Front(executor)
        self._changed = threading.Condition()
        self._watchers = threading.BoundedSemaphore(min(_WATCHERS_MAX, max(1, conf.api_threads // 2)))
        threading.Thread(target=self._listen, name="wake", daemon=True).start()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        verb = environ.get("REQUEST_METHOD", "GET")
        if verb == "POST" and path in ("/RPC2", "/", ""):
            return self._rpc(environ, start_response)
        if path == PREFIX or path.startswith(f"{PREFIX}/"):
            return self._front.answer(environ, start_response)
        if verb in ("GET", "HEAD") and path == "/ready":
            return self._ready(start_response)
        if verb == "GET" and path == "/events":
            try:
                return self._events(environ, start_response)
            except DatabaseError as error:
                return _unavailable(start_response, error.message)
        if path in ("/RPC2", "/", "", "/ready", "/events"):
            return _reply(
                start_response, "405 Method Not Allowed", "text/plain", f"{verb} is not for {path}\n".encode()
            )
        where = f"XML-RPC is served at /RPC2, JSON at {PREFIX}/\n"
        return _reply(start_response, "404 Not Found", "text/plain", where.encode())

    def _rpc(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        answer = self._answer(environ)
        head = [("Content-Type", "text/xml; charset=utf-8")]
        length = answer.length if isinstance(answer, Streamed) else sum(map(len, answer))
        if length is not None:
            head.append(("Content-Length", str(length)))
        start_response("200 OK", head)
        return answer

    def _answer(self, environ: dict[str, Any]) -> Iterable[bytes]:
        limit = self._conf.message_size_bytes
        length = environ.get("CONTENT_LENGTH") or ""
        announced = int(length) if length.isdigit() else -1
        if announced > limit:
            _drain(environ, announced)
            return [self._dispatcher.too_large(announced)]
        body = environ["wsgi.input"].read(announced if announced >= 0 else limit + 1)
        if len(body) > limit:
            return [self._dispatcher.too_large(len(body))]
        return self._dispatcher.reply(body)

    def _ready(self, start_response: StartResponse) -> Iterable[bytes]:
        try:
            self._store.read_value(lambda tx: tx.one("SELECT COUNT(*) FROM zone_pool"))
        except OneError as error:
            return _unavailable(start_response, error.message)
        return _reply(start_response, "200 OK", "text/plain", b"ok\n")

    # -- events --------------------------------------------------------------------------------------
    def _listen(self) -> None:
        """Pass wake-ups of other processes on to the watchers of this one."""
        wake = Wake("api")
        while True:
            wake.wait(60.0)
            with self._changed:
                self._changed.notify_all()

    def _events(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            caller = session.caller(self._store, _basic(environ), self._conf)
        except AuthenticationError as error:
            head = [("WWW-Authenticate", 'Basic realm="events"')]
            return _reply(
                start_response, "401 Unauthorized", "text/plain", f"{error.message}\n".encode(), head
            )
        if not caller.is_admin:
            return _reply(start_response, "403 Forbidden", "text/plain", b"for the oneadmin group only\n")
        query = {key: values[-1] for key, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        try:
            after, wait_s = int(query.get("after", "-1")), float(query.get("wait_s", "0"))
        except ValueError:
            return _reply(
                start_response, "400 Bad Request", "text/plain", b"after and wait_s must be numbers\n"
            )
        if not self._watchers.acquire(blocking=False):
            return _unavailable(start_response, "too many watchers")
        try:
            answer = self._wait(
                after, query.get("kind"), time.monotonic() + min(max(wait_s, 0.0), _WAIT_MAX_S)
            )
        finally:
            self._watchers.release()
        return _reply(start_response, "200 OK", "application/json", json.dumps(answer).encode())

    def _wait(self, after: int, kind: str | None, until: float) -> dict[str, Any]:
        if after < 0:
            return {"last": self._store.read_value(events.last_id), "events": []}
        while True:
            with self._changed:
                seen = self._store.read_value(partial(events.after, last_id=after))
                after = seen[-1].id if seen else after
                found = [event for event in seen if kind is None or event.kind in kind.split(",")]
                left_s = until - time.monotonic()
                if found or left_s <= 0:
                    break
                # Polled too: a wake-up from another machine does not reach this socket.
                self._changed.wait(min(left_s, 1.0))
        listed = [
            {
                "id": e.id,
                "time": e.time,
                "kind": e.kind,
                "object": e.object,
                "oid": e.oid,
                "payload": e.payload,
            }
            for e in found
        ]
        return {"last": after, "events": listed}


def _reply(
    start_response: StartResponse,
    status: str,
    kind: str,
    body: bytes,
    head: list[tuple[str, str]] | None = None,
) -> list[bytes]:
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *(head or [])])
    return [body]


def _unavailable(start_response: StartResponse, reason: str) -> list[bytes]:
    head = [("Retry-After", "1")]
    return _reply(start_response, "503 Service Unavailable", "text/plain", f"{reason}\n".encode(), head)


def _drain(environ: dict[str, Any], announced: int) -> None:
    """Read and drop what the client sends, so that it reads our answer instead of a broken pipe."""
    left = min(announced, 64 * 1024 * 1024)
    while left > 0:
        chunk = environ["wsgi.input"].read(min(left, 1024 * 1024))
        if not chunk:
            return
        left -= len(chunk)


def _basic(environ: dict[str, Any]) -> str:
    """The ``user:password`` of HTTP basic authentication. Raises AuthenticationError."""
    scheme, _, value = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if scheme.lower() != "basic":
        raise AuthenticationError()
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise AuthenticationError() from None
