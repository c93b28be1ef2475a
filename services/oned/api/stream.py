"""Answers that are too large to be built in one piece: sent while the database is read, or soon after.

Up to SIZED_MAX the encoded pieces are gathered first: the database is free again, and the length is known,
before the first byte leaves. What is larger leaves while it is read, without a length. However many ask, a
few gather and a few send at a time, which bounds the memory of the process.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator

from services.oned.errors import OneError

SIZED_MAX = 20_000_000
# An answer keeps its thread until the client has taken it; the server has that many threads more.
STREAMS_MAX = 4
_GATHERERS_MAX = 2
_WAIT_S = 20.0
_STUCK_READER_MS = 60_000
_slots = threading.BoundedSemaphore(STREAMS_MAX)
_turns = threading.BoundedSemaphore(_GATHERERS_MAX)


class TooManyStreamsError(OneError):
    """As many large answers are being sent as the process has threads for."""


class Streamed:
    """The bytes of a large answer, to be iterated once and closed; ``length`` is None where it is unknown."""

    def __init__(self, ready: deque[bytes], rest: Generator[bytes, None, None] | None) -> None:
        self._ready = ready
        self._rest = rest
        self._holds_slot = True
        self.length = None if rest is not None else sum(map(len, ready))

    def __iter__(self) -> Iterator[bytes]:
        while self._ready:
            yield self._ready.popleft()
        if self._rest is not None:
            yield from self._rest

    def close(self) -> None:
        """Give up what was not taken; servers call this in any case."""
        self._ready.clear()
        if self._rest is not None:
            self._rest.close()
        if self._holds_slot:
            self._holds_slot = False
            _slots.release()


def start(chunks: Generator[bytes, None, None], port: int) -> Iterable[bytes]:
    """The answer that consists of these chunks: a list when it can be sent at once, or Streamed.

    port: where the server listens; a reader that takes nothing for a minute is disconnected.
    Raises TooManyStreamsError, and what reading the first chunks raises.
    """
    try:
        if not _turns.acquire(timeout=_WAIT_S):
            raise _too_many()
        try:
            answer = _started(chunks)
        finally:
            _turns.release()
    except BaseException:
        chunks.close()
        raise
    if isinstance(answer, Streamed):
        _limit_patience(port)
    return answer


def _started(chunks: Generator[bytes, None, None]) -> Iterable[bytes]:
    ready: deque[bytes] = deque()
    size = 0
    for chunk in chunks:
        ready.append(chunk)
        size += len(chunk)
        if size > SIZED_MAX:
            break
    else:
        # Without a thread to spare for a slow client, the server keeps the whole answer for it.
        return Streamed(ready, None) if _slots.acquire(blocking=False) else list(ready)
    if not _slots.acquire(timeout=_WAIT_S):
        raise _too_many()
    return Streamed(ready, chunks)


def _too_many() -> TooManyStreamsError:
    return TooManyStreamsError(
        "As many large answers as this process can are being sent already; ask for pages, or try again later."
    )


def _limit_patience(port: int) -> None:
    """Let the kernel end connections whose reader takes nothing; the server shows its sockets to nobody."""
    for name in os.listdir("/proc/self/fd"):
        # Nothing is duplicated and closed: closing a descriptor of a file would drop SQLite's locks on it.
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            found = socket.socket(fileno=int(name))
        except OSError:
            continue
        try:
            if found.getsockname()[1:2] == (port,):
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STUCK_READER_MS)
        except OSError:
            continue
        finally:
            found.detach()
