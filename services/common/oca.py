"""A client of the XML-RPC interface, small enough to start a command in milliseconds.

HTTP/1.1 over a plain socket: the standard ``http.client`` costs 20 ms to import, most of a command's start.
One Client serves one thread; the connection is kept open between calls. Nothing is ever sent twice: a kept
connection is tested before it is used, and a call that fails half-way raises.

Environment: ONE_CERT_DIR (more trusted certificates), ONE_DISABLE_SSL_VERIFY (any value: tests only).
Source: XML-RPC specification, RFC 9112, OpenNebula's system interface page (reply forms).
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Iterator
from typing import Any
from xml.parsers import expat

from services.common import xmlrpc

CONNECT_TIMEOUT_S = 10.0
_CHUNK = 1 << 18
_HEAD_LIMIT = 1 << 16


class OneError(Exception):
    """The front-end refused the call; nothing more is known than ``code``, ``message`` and ``object_id``.

    code: OpenNebula's error code (0x0100 authentication, 0x0200 authorization, 0x0400 no such object ...).
    object_id: the object that caused the refusal, -1 when the front-end named none.
    """

    def __init__(self, code: int, message: str, object_id: int = -1) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.object_id = object_id


class EndpointError(Exception):
    """The front-end could not be asked, or did not answer in its own language; the text says why."""


class Client:
    """Calls to one endpoint in the name of one session (``user:secret``)."""

    def __init__(
        self, endpoint: str, session: str, timeout_s: float | None = None, cacert: str | None = None
    ) -> None:
        """cacert: a file with the certificates that an https endpoint must be vouched for by."""
        self.endpoint = endpoint
        self._cacert = cacert
        self._session = session
        self._timeout_s = timeout_s
        self._is_tls, self._host, self._port, self._path = split_url(endpoint)
        self._socket: Any = None
        self._rest = b""

    def __repr__(self) -> str:  # the session must not reach a log through a traceback
        return f"Client({self.endpoint!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def to(self, endpoint: str, timeout_s: float | None = None) -> Client:
        """A client of another endpoint in the name of the same session."""
        return Client(endpoint, self._session, timeout_s, self._cacert)

    def close(self) -> None:
        """Close the kept connection, if any."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._rest = b""

    def call(self, method: str, *args: Any) -> Any:
        """The value that ``one.<method>`` returns for these arguments (the session is added).

        Raises OneError when the front-end refuses and EndpointError when it cannot be asked.
        """
        reply = b"".join(self._exchange(self._request(method, args)))
        try:
            values = xmlrpc.loads_response(reply)
        except xmlrpc.Fault as fault:
            raise OneError(fault.code, fault.text) from None
        except xmlrpc.XmlRpcError as error:
            raise EndpointError(f"{self.endpoint} did not answer in XML-RPC: {error}") from None
        return _value_of(values)

    def stream(self, method: str, args: tuple[Any, ...], sink: Callable[[str], object]) -> None:
        """Hand the text that a call returns to ``sink`` piece by piece, as it arrives.

        For answers that should not be held in memory. Raises as call(), and what sink raises; when the
        front-end refuses, sink is not called.
        """
        reader = _StreamReader(sink)
        try:
            for chunk in self._exchange(self._request(method, args)):
                reader.parser.Parse(chunk, False)
            reader.parser.Parse(b"", True)
        except (expat.ExpatError, xmlrpc.XmlRpcError) as error:
            self.close()
            raise EndpointError(f"{self.endpoint} did not answer in XML-RPC: {error}") from None
        except BaseException:
            self.close()  # the rest of this answer must not be taken for the next one
            raise
        reader.finish()

    def _request(self, method: str, args: tuple[Any, ...]) -> bytes:
        body = xmlrpc.dumps_request("one." + method, [self._session, *args])
        host = f"[{self._host}]" if ":" in self._host else self._host
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: {host}:{self._port}\r\nUser-Agent: onebox\r\n"
            f"Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii", "replace") + body

    # -- connection ----------------------------------------------------------------------------------
    def _exchange(self, request: bytes) -> Iterator[bytes]:
        """The pieces of the answer's body."""
        finished = False
        try:
            self._connect()
            self._socket.sendall(request)
            status, headers = self._read_head()
            if status != 200:
                raise EndpointError(f"{self.endpoint} answered HTTP {status}, expected 200{_hint(status)}")
            yield from self._read_body(headers)
            finished = headers.get("connection", "").lower() != "close"
        except TimeoutError:
            raise EndpointError(f"{self.endpoint} did not answer within {self._timeout_s:g} s") from None
        except OSError as error:
            raise EndpointError(f"Connection to {self.endpoint} broke: {_reason(error)}") from None
        finally:
            if not finished:
                self.close()

    def _connect(self) -> None:
        if self._socket is not None:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            if not poll.poll(0):
                return
            self.close()  # readable while idle: the other side closed it
        try:
            plain = socket.create_connection((self._host, self._port), CONNECT_TIMEOUT_S)
        except OSError as error:
            raise EndpointError(
                f"Cannot connect to {self.endpoint}: {_reason(error)}. Is the front-end running there? "
                "(ONE_XMLRPC or --endpoint names another one)"
            ) from None
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._socket = _tls(plain, self._host, self._cacert) if self._is_tls else plain
        except OSError as error:  # ssl.SSLError is one
            plain.close()
            raise EndpointError(
                f"TLS with {self.endpoint} failed: {_tls_reason(error, self._cacert)}"
            ) from None
        self._socket.settimeout(self._timeout_s)

    def _receive(self) -> bytes:
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        data = self._socket.recv(_CHUNK)
        if not data:
            raise EndpointError(f"{self.endpoint} closed the connection before the answer was complete")
        return bytes(data)

    def _read_until(self, mark: bytes) -> bytes:
        data = b""
        while mark not in data:
            if len(data) > _HEAD_LIMIT:
                raise EndpointError(f"{self.endpoint} does not speak HTTP: no end of header")
            data += self._receive()
        found, self._rest = data.split(mark, 1)
        return found

    def _read_head(self) -> tuple[int, dict[str, str]]:
        lines = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise EndpointError(f"{self.endpoint} does not speak HTTP: {lines[0][:60]!r}")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(rest[:3]), headers

    def _read_body(self, headers: dict[str, str]) -> Iterator[bytes]:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while True:
                size = int(self._read_until(b"\r\n").split(b";")[0] or b"0", 16)
                if size == 0:
                    while self._read_until(b"\r\n"):
                        pass  # trailers
                    return
                yield from self._read_exactly(size)
                self._read_until(b"\r\n")
        elif "content-length" in headers:
            yield from self._read_exactly(int(headers["content-length"]))
        else:
            headers["connection"] = "close"
            if self._rest:
                yield self._receive()
            while data := self._socket.recv(_CHUNK):
                yield bytes(data)

    def _read_exactly(self, count: int) -> Iterator[bytes]:
        while count > 0:
            data = self._receive()
            if len(data) > count:
                data, self._rest = data[:count], data[count:]
            count -= len(data)
            yield data


class _StreamReader:
    """Walks [true, text, code] and passes the text on; collects [false, text, code, id]."""

    def __init__(self, sink: Callable[[str], object]) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.buffer_size = _CHUNK
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.parser.StartDoctypeDeclHandler = _refuse_doctype
        self._sink = sink
        self._values: list[Any] = []
        self._text: list[str] = []
        self._is_passing = False

    def _start(self, tag: str, _attributes: dict[str, str]) -> None:
        self._text.clear()
        self._is_passing = tag == "string" and self._values == [True]
        if tag == "fault":
            raise xmlrpc.XmlRpcError("a fault was reported")

    def _data(self, text: str) -> None:
        if self._is_passing:
            self._sink(text)
        else:
            self._text.append(text)

    def _end(self, tag: str) -> None:
        if tag == "boolean":
            self._values.append("".join(self._text).strip() == "1")
        elif tag == "string":
            self._values.append("".join(self._text))
        elif tag in ("i4", "int", "i8"):
            self._values.append(int("".join(self._text)))
        self._is_passing = False

    def finish(self) -> None:
        """Raise what the answer says."""
        _value_of(self._values)


def split_url(url: str) -> tuple[bool, str, int, str]:
    """Whether TLS is used, host, port and path of an endpoint. Raises EndpointError."""
    scheme, mark, rest = url.strip().partition("://")
    if not mark or scheme not in ("http", "https"):
        raise EndpointError(f"Endpoint {url!r} is not a URL: expected http://HOST:PORT/RPC2")
    where, _, path = rest.partition("/")
    where = where.rpartition("@")[2]
    host, _, port = where.rpartition(":") if where.rpartition(":")[2].isdigit() else (where, "", "")
    if not host:
        raise EndpointError(f"Endpoint {url!r} names no host: expected http://HOST:PORT/RPC2")
    is_tls = scheme == "https"
    return is_tls, host.strip("[]"), int(port) if port else (443 if is_tls else 80), "/" + path


def _value_of(values: list[Any]) -> Any:
    if len(values) < 2 or not isinstance(values[0], bool):
        raise EndpointError("The answer is not one of OpenNebula's: expected [success, value, code]")
    if values[0]:
        return values[1]
    code = values[2] if len(values) > 2 else 0
    object_id = values[3] if len(values) > 3 and isinstance(values[3], int) else -1
    raise OneError(int(code), str(values[1]), object_id)


def _tls(plain: socket.socket, host: str, cacert: str | None) -> Any:
    import ssl  # here: it costs 15 ms and most endpoints do not use it

    context = ssl.create_default_context(cafile=cacert)
    if os.environ.get("ONE_CERT_DIR"):
        context.load_verify_locations(capath=os.environ["ONE_CERT_DIR"])
    if os.environ.get("ONE_DISABLE_SSL_VERIFY"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=host)


def _tls_reason(error: OSError, cacert: str | None) -> str:
    """What went wrong, and what helps against a certificate that nobody here vouches for."""
    if isinstance(error, FileNotFoundError):
        return f"there is no certificate file {cacert}"
    if getattr(error, "verify_message", ""):
        return (
            f"its certificate is not trusted ({error.verify_message}). "  # type: ignore[attr-defined]
            "Name the authority's certificate with --cacert, or its folder in ONE_CERT_DIR."
        )
    if getattr(error, "reason", "") in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return "nothing there speaks TLS; the endpoint may begin with http:// instead"
    return _reason(error)


def _refuse_doctype(*_args: Any) -> None:
    raise xmlrpc.XmlRpcError("document types and entities are not accepted")


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def _hint(status: int) -> str:
    return {
        404: " (the path is usually /RPC2)",
        503: " (the front-end is starting or under maintenance)",
    }.get(status, "")
