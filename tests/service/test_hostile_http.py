"""Hostile requests to real workers: each is answered or its connection ended, and no worker dies of it."""

from __future__ import annotations

import json
import re
import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import xmlrpc
from tests.support import hostile
from tests.support.frontend import Frontend

LIMIT = 8 * 1024 * 1024
SECONDS_MAX = 10.0


def workers(frontend: Frontend) -> list[str]:
    main = frontend.processes["opennebula"].pid
    return sorted(Path(f"/proc/{main}/task/{main}/children").read_text().split())


@pytest.fixture(autouse=True)
def unharmed(frontend: Frontend) -> Iterator[None]:
    """The same workers answer after the test as before it."""
    before = workers(frontend)
    yield
    assert workers(frontend) == before
    for _ in range(4):
        assert frontend.client().call("system.version")
    assert "Traceback" not in frontend.tail("opennebula", 100_000)


def send(frontend: Frontend, data: bytes, *, close: bool = False) -> bytes:
    """What comes back for raw bytes until the server has said what it has to say."""
    with socket.create_connection(("127.0.0.1", frontend.port), timeout=SECONDS_MAX) as connection:
        started = time.monotonic()
        try:
            connection.sendall(data)
            if close:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while time.monotonic() - started < SECONDS_MAX:
                head, _, body = answer.partition(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head.lower())
                if length and b"\r\n\r\n" in answer and len(body) >= int(length[1]):
                    return answer
                chunk = connection.recv(1 << 16)
                if not chunk:
                    return answer
                answer += chunk
        except TimeoutError:
            pass
        except OSError:  # ended, which is an answer too
            return b""
    raise AssertionError("the server neither answered nor ended the connection")


def post(path: str, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers])
    return f"{head}\r\n\r\n".encode() + body


@pytest.mark.parametrize("kind", hostile.REQUESTS)
def test_what_is_not_xml_rpc(frontend: Frontend, kind: str) -> None:
    answer = send(frontend, post("/RPC2", hostile.REQUESTS[kind]))
    value = xmlrpc.loads_response(answer.partition(b"\r\n\r\n")[2])
    assert (value[0], value[2]) == (False, 0x1000)


def test_a_request_over_the_limit(frontend: Frontend) -> None:
    answer = send(frontend, post("/RPC2", b"x" * (LIMIT + 1)))
    assert xmlrpc.loads_response(answer.partition(b"\r\n\r\n")[2])[2] == 0x1000


def test_a_request_over_the_limit_without_a_length(frontend: Frontend) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = send(frontend, head + chunk * (LIMIT // 0x10000 + 2) + b"0\r\n\r\n")
    assert not answer or b"MESSAGE_SIZE" in answer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 1000,
        b"GET\r\n\r\n",
        b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999999\r\n\r\n",
        b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nhello",
        b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nshort",
        b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/v1/%00%ff%2e%2e/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n",
        b"GET /api/v1/vms HTTP/1.1\r\nHost: x\r\nAuthorization: " + b"Basic " * 1000 + b"\r\n\r\n",
        b"BREW /api/v1/vms HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
    ],
    ids=range(15),
)
def test_broken_http(frontend: Frontend, data: bytes) -> None:
    answer = send(frontend, data, close=True)
    assert not answer.startswith(b"HTTP/1.1 5"), answer[:200]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 2_000_000,
        b'{"a":' * 1_000_000,
        b'"' + b"\\u0000" * 100_000 + b'"',
        b"1" * 1_000_000,
        b'{"template": {' + b",".join(b'"A%d": 1' % n for n in range(100_000)) + b"}}",
        json.dumps({"template": "A=[" * 100_000}).encode(),
        json.dumps({"template": "<T>" * 100_000}).encode(),
        b"\xff" * 1000,
    ],
    ids=range(8),
)
def test_json_bombs(frontend: Frontend, body: bytes) -> None:
    credentials = "Authorization: Basic " + b64encode(frontend.session.encode()).decode()
    answer = send(frontend, post("/api/v1/vms", body, credentials, "Content-Type: application/json"))
    assert answer.startswith(b"HTTP/1.1 4"), answer[:300]
    assert b"application/problem+json" in answer
