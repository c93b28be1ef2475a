"""Requests to the HTTP interface of a zone in this process, as a WSGI server makes them."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from services.oned.api.http.front import PREFIX, Front
from tests.support.core import Core
from tests.support.zone import PASSWORD


@dataclass
class Reply:
    """An answer; ``headers`` by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


class Http:
    """Makes requests; every answer is checked to be what WSGI and the interface promise."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.front = Front(core.zone.executor)

    def __call__(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        user: str | None = "oneadmin",
        kind: str | None = None,
        **headers: str,
    ) -> Reply:
        """The answer; ``body``: a value that is sent as JSON, or bytes. ``kind``: its Content-Type."""
        route, _, query = path.partition("?")
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": verb,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(PREFIX + route, "latin-1"),
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(data)),
            "HTTP_HOST": "test",
            "wsgi.input": io.BytesIO(data),
        }
        setup_testing_defaults(environ)
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        if body is not None:
            environ["CONTENT_TYPE"] = "application/json" if kind is None else kind
        if user is not None:
            secret = PASSWORD if user == "oneadmin" else f"pw-{user}"
            environ["HTTP_AUTHORIZATION"] = "Basic " + b64encode(f"{user}:{secret}".encode()).decode()
        return self.send(environ)

    def send(self, environ: dict[str, Any]) -> Reply:
        """The answer to a whole WSGI request."""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            started.append((status, headers))
            return lambda _data: None

        parts = validator(self.front.answer)(environ, start_response)
        body = b"".join(parts)
        parts.close()  # type: ignore[attr-defined]
        status, headers = started[0]
        reply = Reply(int(status[:3]), {name.lower(): value for name, value in headers}, body)
        if environ["REQUEST_METHOD"] != "HEAD" and "content-length" in reply.headers:
            assert int(reply.headers["content-length"]) == len(body)
        if reply.status >= 400:
            problem = reply.json
            assert reply.headers["content-type"] == "application/problem+json"
            assert problem["status"] == reply.status
            assert problem["detail"]
            assert problem["code"] > 0
        return reply
