"""A load generator: processes with one kept connection each, counting calls for some seconds."""

from __future__ import annotations

import multiprocessing
import socket
import time
from dataclasses import dataclass

from services.common import xmlrpc


@dataclass(frozen=True)
class Rate:
    """What a run measured. Latencies in milliseconds."""

    connections: int
    calls: int
    calls_per_s: float
    p50_ms: float
    p95_ms: float
    failures: int

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 3) for name, value in vars(self).items()}


class Raw:
    """One connection that sends prepared requests and reads whole answers."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def call(self, body: bytes) -> bytes:
        """The body of the answer."""
        head = (
            f"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)
        data = self._rest
        while b"\r\n\r\n" not in data:
            data += self._more()
        headers, _, rest = data.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in headers.lower():
            return self._chunked(rest)
        length = next(
            int(line.split(b":")[1])
            for line in headers.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        chunks, have = [rest], len(rest)
        while have < length:
            chunk = self._more()
            chunks.append(chunk)
            have += len(chunk)
        whole = b"".join(chunks)
        self._rest = whole[length:]
        return whole[:length]

    def _chunked(self, rest: bytes) -> bytes:
        chunks = []
        while True:
            while b"\r\n" not in rest:
                rest += self._more()
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            pieces, have = [rest], len(rest)
            while have < length + 2:
                pieces.append(self._more())
                have += len(pieces[-1])
            whole = b"".join(pieces)
            chunks.append(whole[:length])
            rest = whole[length + 2 :]
            if not length:
                self._rest = rest
                return b"".join(chunks)

    def _more(self) -> bytes:
        chunk = self._socket.recv(1 << 18)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        return chunk


def _worker(
    port: int, bodies: list[bytes], seconds: float, out: multiprocessing.Queue[tuple[list[float], int]]
) -> None:
    raw = Raw(port)
    taken: list[float] = []
    failures = 0
    until = time.perf_counter() + seconds
    turn = 0
    while True:
        start = time.perf_counter()
        if start >= until:
            break
        answer = raw.call(bodies[turn % len(bodies)])
        taken.append(time.perf_counter() - start)
        failures += b"<boolean>1</boolean>" not in answer[:200]
        turn += 1
    out.put((taken, failures))


def run(port: int, connections: int, seconds: float, method: str, args_list: list[list[object]]) -> Rate:
    """Calls of one method from that many connections at once, arguments taken in turn."""
    bodies = [xmlrpc.dumps_request(method, args) for args in args_list]
    out: multiprocessing.Queue[tuple[list[float], int]] = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=_worker, args=(port, bodies[i:] + bodies[:i], seconds, out))
        for i in range(connections)
    ]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    results = [out.get() for _ in workers]
    for worker in workers:
        worker.join()
    elapsed = max(time.perf_counter() - start, seconds)
    taken = sorted(one for times, _ in results for one in times)
    return Rate(
        connections,
        len(taken),
        len(taken) / min(elapsed, seconds + 0.2),
        1000 * taken[len(taken) // 2],
        1000 * taken[int(len(taken) * 0.95)],
        sum(fails for _, fails in results),
    )
