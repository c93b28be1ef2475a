"""A web server for tests of downloads: it serves bytes, and fails in the ways that real ones do."""

from __future__ import annotations

import ssl
import threading
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Page:
    """What an address answers.

    cut_after: the connection ends after so many bytes, for the first ``cuts`` requests. ranges: whether parts
    can be asked for. length: whether it tells its size. failures: so many first requests get ``status``.
    """

    data: bytes = b""
    status: int = 200
    location: str = ""
    cut_after: int | None = None
    cuts: int = 0
    ranges: bool = True
    length: bool = True
    failures: int = 0
    etag: str = '"1"'
    gate: threading.Event | None = None  # what comes after the first half waits for it
    requests: list[dict[str, str]] = field(default_factory=list)


class Web:
    """Serves ``pages`` (by path) on a port of 127.0.0.1 while it is a context; with a certificate by TLS."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.pages: dict[str, Page] = {}
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                owner.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str) -> str:
        """The address of a page."""
        return f"{self._scheme}://127.0.0.1:{self.port}{path}"

    def put(self, path: str, page: Page) -> str:
        """Serve a page; its address."""
        self.pages[path] = page
        return self.url(path)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request; proxies are asked by whole addresses."""
        page = self.pages.get(urllib.parse.urlsplit(request.path).path)
        if page is None:
            request.send_error(404)
            return
        page.requests.append({"PATH": request.path, **dict(request.headers.items())})
        status, data = page.status, page.data
        if page.failures:
            page.failures -= 1
        elif status >= 500:
            status = 200
        start = self._start(request, page)
        request.send_response(206 if start and status == 200 else status)
        if page.location:
            request.send_header("Location", page.location)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.send_header("ETag", page.etag)
        if page.length:
            request.send_header("Content-Length", str(len(data) - start))
        else:
            request.send_header("Connection", "close")
        request.end_headers()
        request.close_connection = True
        end = len(data)
        if page.cuts and page.cut_after is not None:
            page.cuts -= 1
            end = min(end, start + page.cut_after)
        self._send(request, data, start, end, page.gate)

    def _start(self, request: BaseHTTPRequestHandler, page: Page) -> int:
        asked = request.headers.get("Range", "")
        same = request.headers.get("If-Range", page.etag) == page.etag
        return int(asked[6:].rstrip("-")) if asked and page.ranges and same else 0

    def _send(
        self, request: BaseHTTPRequestHandler, data: bytes, start: int, end: int, gate: threading.Event | None
    ) -> None:
        half = end if gate is None else (start + end) // 2
        try:
            request.wfile.write(data[start:half])
            request.wfile.flush()
            if gate is not None:
                gate.wait(60)
                request.wfile.write(data[half:end])
        except OSError:
            pass  # the client has seen enough
