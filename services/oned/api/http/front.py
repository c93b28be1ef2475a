"""Answers requests below /api/v1: finds the route, makes the call, writes the answer."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import cached_property
from http import HTTPStatus
from typing import Any

from services.oned.api import stream
from services.oned.api.execute import Executor
from services.oned.api.http import bind, documents, openapi, page, problems
from services.oned.api.http.problems import Problem
from services.oned.api.http.request import JSON, XML, Request
from services.oned.api.http.routes import Route, table
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import METHODS, Method
from services.oned.api.stream import Streamed
from services.oned.errors import OneError

PREFIX = "/api/v1"
_log = logging.getLogger("ReM")
_METHOD_PATH = re.compile(r"/methods/([a-z0-9_.]{1,80})")
_NUMBER = re.compile(r"/[0-9]{1,19}(?=/|$)")
_COMMON_HEADERS = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Answer:
    """Status, headers and body; the body is bytes or what stream.start() gives."""

    def __init__(
        self, body: bytes | Iterable[bytes], kind: str = JSON, status: int = 200, **headers: str
    ) -> None:
        self.status = HTTPStatus(status)
        self.body: Iterable[bytes] = [body] if isinstance(body, bytes) else body
        self.headers = [("Content-Type", kind), *_COMMON_HEADERS]
        self.headers += [(name.replace("_", "-"), value) for name, value in headers.items()]

    def send(self, start_response: StartResponse, *, head_only: bool) -> Iterable[bytes]:
        """What a WSGI application returns."""
        body = self.body
        length = body.length if isinstance(body, Streamed) else sum(map(len, body))
        if length is not None:
            self.headers.append(("Content-Length", str(length)))
        if head_only:
            if isinstance(body, Streamed):
                body.close()
            body = [b""]
        start_response(f"{self.status.value} {self.status.phrase}", self.headers)
        return body


class Front:
    """The interface of one process; the registry must be complete when it is made."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._routes = table()

    @cached_property
    def _openapi(self) -> bytes:
        return documents.dumps(openapi.document(self._routes, PREFIX))

    @cached_property
    def _page(self) -> bytes:
        return page.html(self._routes, PREFIX).encode()

    def answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """The answer to a request below PREFIX, whatever the request is."""
        request = Request(environ, self._executor.conf.message_size_bytes)
        try:
            try:
                answer = self._answer(request)
            except OneError as error:
                raise problems.of(error) from None
        except Problem as problem:
            _log.info("%s %.200s: %s", request.verb, request.path, problem.detail)
            request.drop_body()
            answer = _refusal(problem)
        except Exception:  # noqa: BLE001 - the edge of the process: a bug must answer, and be seen
            _log.exception("%s %.200s: unexpected failure", request.verb, request.path)
            answer = _refusal(problems.of(OneError("Internal error, see the log of the front-end.")))
        return answer.send(start_response, head_only=request.verb == "HEAD")

    def _answer(self, request: Request) -> Answer:
        path = request.path.removeprefix(PREFIX)
        verb = "GET" if request.verb == "HEAD" else request.verb
        if path in ("", "/", "/openapi.json"):
            if verb != "GET":
                raise _not_allowed(request, ["GET"])
            if path == "/openapi.json":
                return Answer(self._openapi)
            return Answer(self._page, "text/html; charset=utf-8", Content_Security_Policy=_PAGE_POLICY)
        named = _METHOD_PATH.fullmatch(path)
        if named:
            return self._method(request, named[1])
        pattern = _NUMBER.sub("/{id}", path)
        verbs = self._routes.get(pattern)
        if verbs is None or pattern.count("{id}") > 1:
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no {path[:200]} here; {PREFIX}/ has the list.")
        if verb not in verbs:
            raise _not_allowed(request, sorted(verbs))
        number = _NUMBER.search(path)
        return self._route(request, verbs[verb], number[0][1:] if number else "")

    def _method(self, request: Request, name: str) -> Answer:
        row = METHODS.get(name)
        if row is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no method {name}; {PREFIX}/ has the list.")
        if request.verb != "POST":
            raise _not_allowed(request, ["POST"])
        request.refuse_other_sites()
        secret = request.session()
        wants_xml = request.wants_xml()
        value = self._executor.run(row, secret, bind.method_call(row, request))
        return self._result(row, value, wants_xml)

    def _route(self, request: Request, route: Route, number: str) -> Answer:
        request.refuse_other_sites()
        secret = request.session()
        wants_xml = request.wants_xml()
        query = request.query()
        if route.is_list:
            return self._list(route, query, secret, wants_xml)
        value = self._executor.run(route.row, secret, bind.call(route, request, query, number))
        if route.creates and isinstance(value, int):
            location = f"{PREFIX}{route.path}/{value}"
            return Answer(documents.dumps({"result": value}), status=201, Location=location)
        if route.row.writes:
            return self._result(route.row, value, wants_xml)
        return self._document(route.row, value, wants_xml)

    # -- answers -------------------------------------------------------------------------------------------
    def _list(self, route: Route, query: dict[str, str], secret: str, wants_xml: bool) -> Answer:
        asked = bind.listing(route, query, pages_in_handler=not wants_xml)
        value = self._executor.run(asked.row, secret, asked.values)
        if wants_xml:
            return self._xml(asked.row, value)
        if isinstance(value, PoolDocument):
            root, batches, tail = value.root, self._executor.rest(asked.row.name, value), value.tail
        else:
            root, batches, tail = _root(value), documents.texts(value), ""
        return Answer(
            self._start(
                documents.pool_chunks(
                    root, batches, tail, skip=asked.skip, size=asked.size, offset=asked.offset
                )
            )
        )

    def _document(self, row: Method, value: Any, wants_xml: bool) -> Answer:
        if not _is_document(value):
            return self._result(row, value, wants_xml)
        if wants_xml:
            return self._xml(row, value)
        if isinstance(value, PoolDocument):
            return Answer(self._start(self._pool_json(row, value)))
        return Answer(documents.dumps(documents.from_xml(value)))

    def _result(self, row: Method, value: Any, wants_xml: bool) -> Answer:
        if _is_document(value):
            if wants_xml:
                return self._xml(row, value)
            if isinstance(value, PoolDocument):
                return Answer(self._start(_around(b'{"result":', self._pool_json(row, value), b"}")))
            value = documents.from_xml(value)
        return Answer(documents.dumps({"result": value}))

    def _xml(self, row: Method, value: str | PoolDocument) -> Answer:
        if isinstance(value, str):
            return Answer(value.encode("utf-8", "replace"), f"{XML}; charset=utf-8")
        return Answer(self._start(self._pool_xml(row, value)), f"{XML}; charset=utf-8")

    def _pool_json(self, row: Method, document: PoolDocument) -> Generator[bytes, None, None]:
        batches = self._executor.rest(row.name, document)
        return documents.pool_chunks(document.root, batches, document.tail)

    def _pool_xml(self, row: Method, document: PoolDocument) -> Generator[bytes, None, None]:
        yield f"<{document.root}>".encode()
        for batch in self._executor.rest(row.name, document):
            yield "".join(batch).encode("utf-8", "replace")
        yield f"{document.tail}</{document.root}>".encode()

    def _start(self, chunks: Generator[bytes, None, None]) -> Iterable[bytes]:
        return stream.start(chunks, self._executor.conf.port)


# -- pieces of answers ---------------------------------------------------------------------------------------
def _is_document(value: Any) -> bool:
    return isinstance(value, PoolDocument) or (isinstance(value, str) and value.startswith("<"))


def _root(document: str) -> str:
    found = re.match(r"<(\w+)", document)
    return found[1] if found else ""


def _around(before: bytes, chunks: Iterator[bytes], behind: bytes) -> Generator[bytes, None, None]:
    yield before
    yield from chunks
    yield behind


def _refusal(problem: Problem) -> Answer:
    answer = Answer(documents.dumps(problem.document()), problems.CONTENT_TYPE, problem.status)
    answer.headers += problem.headers
    return answer


def _not_allowed(request: Request, verbs: list[str]) -> Problem:
    allowed = ", ".join([*verbs, *(["HEAD"] if "GET" in verbs else [])])
    return Problem(
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"{request.verb} is not for {request.path[:200]}; allowed: {allowed}.",
        headers=(("Allow", allowed),),
    )
