"""Refusals as ``application/problem+json``, with the codes of the XML-RPC interface beside HTTP's."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from services.oned.api.stream import TooManyStreamsError
from services.oned.errors import Code, OneError
from services.oned.store.db import DatabaseError

CONTENT_TYPE = "application/problem+json"
# Status of a refusal by its code; of() knows better for some classes.
STATUS: dict[Code, HTTPStatus] = {
    Code.AUTHENTICATION: HTTPStatus.UNAUTHORIZED,
    Code.AUTHORIZATION: HTTPStatus.FORBIDDEN,
    Code.NO_EXISTS: HTTPStatus.NOT_FOUND,
    Code.ACTION: HTTPStatus.CONFLICT,
    Code.XML_RPC_API: HTTPStatus.BAD_REQUEST,
    Code.INTERNAL: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.ALLOCATE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.LOCKED: HTTPStatus.LOCKED,
    Code.REPLICATION: HTTPStatus.CONFLICT,
}


class Problem(Exception):
    """A refusal that HTTP has a status for; ``code`` and ``object_id`` as in the XML-RPC interface."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        code: Code = Code.XML_RPC_API,
        object_id: int = -1,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code
        self.object_id = object_id
        self.headers = headers

    def document(self) -> dict[str, Any]:
        """The problem document (RFC 9457) with ``code``, ``code_name`` and ``object_id`` (null: none)."""
        return {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "code": int(self.code),
            "code_name": self.code.name,
            "object_id": None if self.object_id == -1 else self.object_id,
        }


def bad_request(detail: str) -> Problem:
    """A request that does not fit the interface."""
    return Problem(HTTPStatus.BAD_REQUEST, detail)


def of(error: OneError) -> Problem:
    """The problem that a refused call amounts to."""
    status = STATUS[Code(error.code)]
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, (DatabaseError, TooManyStreamsError)):
        status, headers = HTTPStatus.SERVICE_UNAVAILABLE, (("Retry-After", "1"),)
    elif type(error) is OneError:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    elif error.code == Code.AUTHENTICATION:
        headers = (("WWW-Authenticate", 'Basic realm="api", charset="UTF-8"'),)
    return Problem(status, error.message, Code(error.code), error.object_id, headers)
