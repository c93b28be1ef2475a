"""What the interface reads of an HTTP request, each part checked when it is asked for."""

from __future__ import annotations

import base64
import binascii
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from services.oned.api.http import values
from services.oned.api.http.problems import Problem, bad_request
from services.oned.errors import AuthenticationError

JSON, XML = "application/json", "application/xml"
_JSON_TYPES = (JSON, "application/problem+json")
_XML_TYPES = (XML, "text/xml")
_TEXT_TYPES = ("text/plain", *_XML_TYPES)
_WEIGHT = re.compile(r"[01](\.[0-9]{0,3})?")
_DRAIN_MAX = 64 * 1024 * 1024
_CHUNK = 1024 * 1024


class Request:
    """One request of a WSGI server."""

    def __init__(self, environ: dict[str, Any], body_max_bytes: int) -> None:
        self._environ = environ
        self._body_max_bytes = body_max_bytes
        self._is_read = False
        self.verb = str(environ.get("REQUEST_METHOD", "GET"))
        self.path = str(environ.get("PATH_INFO", ""))

    def session(self) -> str:
        """The session string: of ``Basic``, or as it is behind ``Bearer``. Raises AuthenticationError."""
        scheme, _, value = self._header("AUTHORIZATION").partition(" ")
        try:
            if scheme.lower() == "basic":
                return base64.b64decode(value.strip(), validate=True).decode()
            if scheme.lower() == "bearer":
                return value.strip().encode("latin-1").decode()
        except (binascii.Error, UnicodeError):
            pass
        raise AuthenticationError

    def refuse_other_sites(self) -> None:
        """Raise Problem for a request that a page of another site makes a browser send."""
        origin = self._header("ORIGIN")
        other = bool(origin) and urlsplit(origin).netloc.lower() != self._header("HOST").lower()
        if other or self._header("SEC_FETCH_SITE") in ("cross-site", "same-site"):
            raise Problem(HTTPStatus.FORBIDDEN, "Requests from pages of other sites are not accepted.")

    def query(self) -> dict[str, str]:
        """The fields of the query string. Raises Problem."""
        return values.parse_query(str(self._environ.get("QUERY_STRING", "")))

    def wants_xml(self) -> bool:
        """Whether the client prefers documents as XML. Raises Problem when it takes neither form."""
        accepted = dict(_accepted(part) for part in self._header("ACCEPT").split(","))
        if not any(accepted):
            return False
        json_weight = max(_weight(accepted, kind) for kind in _JSON_TYPES)
        xml_weight = max(_weight(accepted, kind) for kind in _XML_TYPES)
        if max(json_weight, xml_weight) <= 0:
            raise Problem(HTTPStatus.NOT_ACCEPTABLE, f"Answers are {JSON}, or {XML} for documents.")
        # Browsers name XML only as something to fall back on.
        return xml_weight > json_weight and "text/html" not in accepted

    def body(self) -> bytes:
        """The whole body. Raises Problem when it is over the size limit."""
        announced = self._announced()
        if announced > self._body_max_bytes:
            raise self._too_large(announced)
        self._is_read = True
        source = self._environ["wsgi.input"]
        data: bytes = source.read(announced if announced >= 0 else self._body_max_bytes + 1)
        if len(data) > self._body_max_bytes:
            raise self._too_large(len(data))
        return data

    def drop_body(self) -> None:
        """Read what was not asked for, so that the client reads the answer instead of a broken pipe."""
        left = 0 if self._is_read else min(self._announced(), _DRAIN_MAX)
        self._is_read = True
        while left > 0:
            chunk = self._environ["wsgi.input"].read(min(left, _CHUNK))
            if not chunk:
                return
            left -= len(chunk)

    def _announced(self) -> int:
        length = str(self._environ.get("CONTENT_LENGTH") or "")
        return int(length) if length.isascii() and length.isdigit() else -1

    def content(self) -> tuple[str, Any]:
        """What the body holds: ("json", value), ("text", template) or ("none", None). Raises Problem."""
        data = self.body()
        if not data:
            return "none", None
        kind, _, options = str(self._environ.get("CONTENT_TYPE", "")).partition(";")
        kind = kind.strip().lower()
        charset = options.lower().replace('"', "").partition("charset=")[2].split(";")[0].strip()
        if kind not in (JSON, *_TEXT_TYPES) or charset not in ("", "utf-8", "us-ascii"):
            raise Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"The body must be {JSON}, or a template as text/plain or {XML}, in UTF-8; "
                f"found {str(self._environ.get('CONTENT_TYPE', ''))[:80] or 'no Content-Type'}.",
            )
        if kind == JSON:
            return "json", values.parse_json(data)
        try:
            return "text", data.decode()
        except UnicodeDecodeError as error:
            raise bad_request(f"The body is not UTF-8 at byte {error.start}.") from None

    def _too_large(self, size_bytes: int) -> Problem:
        return Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The body has {size_bytes} bytes or more, MESSAGE_SIZE allows {self._body_max_bytes}.",
        )

    def _header(self, name: str) -> str:
        return str(self._environ.get(f"HTTP_{name}", ""))


def _accepted(part: str) -> tuple[str, float]:
    """One range of an Accept header and its weight."""
    kind, *options = (text.strip().lower() for text in part.split(";"))
    weight = next((text[2:] for text in options if text.startswith("q=")), "1")
    return kind, float(weight) if _WEIGHT.fullmatch(weight) else 0.0


def _weight(accepted: dict[str, float], kind: str) -> float:
    """What the most exact range that a type falls into gives it."""
    for covering in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if covering in accepted:
            return accepted[covering]
    return 0.0
