"""The sockets that agents send to: UDP, and TCP with one message per connection, on the same port."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
from collections.abc import Callable

from services.oned.monitor.messages import DATAGRAM_MAX_BYTES, STREAM_MAX_BYTES

_BUFFER_BYTES = 8 * 1024 * 1024
_DATAGRAMS_AT_ONCE = 200
_CONNECTIONS_MAX = 256
_READ_S = 10.0
_SO_RXQ_OVFL = 40
_COUNTER = struct.Struct("=I")

Take = Callable[[bytes, str], object]
Complain = Callable[[str, str], object]


class Listener:
    """Both sockets; ``take`` gets each message and its sender's address, ``complain`` what was not read."""

    def __init__(self, take: Take, complain: Complain) -> None:
        self._take = take
        self._complain = complain
        self._udp: socket.socket | None = None
        self._tcp: asyncio.Server | None = None
        self._connections = 0
        self.lost = 0  # datagrams that the system had no room for

    async def open(self, address: str, port: int) -> None:
        """Start to listen. Raises OSError."""
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            udp.setblocking(False)
            _widen(udp)
            udp.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
            udp.bind((address, port))
            self._tcp = await asyncio.start_server(
                self._connected, address, port, family=family, limit=STREAM_MAX_BYTES + 1, backlog=1024
            )
        except OSError:
            udp.close()
            raise
        self._udp = udp
        asyncio.get_running_loop().add_reader(udp.fileno(), self._readable)

    def close(self) -> None:
        """Stop to listen."""
        if self._udp is not None:
            asyncio.get_running_loop().remove_reader(self._udp.fileno())
            self._udp.close()
            self._udp = None
        if self._tcp is not None:
            self._tcp.close()
            self._tcp = None

    def _readable(self) -> None:
        assert self._udp is not None
        for _ in range(_DATAGRAMS_AT_ONCE):
            try:
                data, extra, flags, sender = self._udp.recvmsg(DATAGRAM_MAX_BYTES, 64)
            except BlockingIOError:
                return
            except OSError as error:
                self._complain(f"not received: {error.strerror}", "nobody")
                return
            for level, kind, value in extra:
                if level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL:
                    self.lost = _COUNTER.unpack(value[: _COUNTER.size])[0]
            if flags & socket.MSG_TRUNC:
                self._complain("too long for a datagram", str(sender[0]))
            else:
                self._take(data, str(sender[0]))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender = str((writer.get_extra_info("peername") or ("nobody",))[0])
        try:
            if self._connections >= _CONNECTIONS_MAX:
                self._complain("too many connections", sender)
                return
            self._connections += 1
            try:
                async with asyncio.timeout(_READ_S):
                    data = await _to_end(reader)
            finally:
                self._connections -= 1
            if len(data) > STREAM_MAX_BYTES:
                self._complain(f"longer than {STREAM_MAX_BYTES} bytes", sender)
            elif data:
                self._take(data, sender)
        except TimeoutError:
            self._complain("a connection was not closed in time", sender)
        except OSError as error:
            self._complain(f"not received: {error.strerror}", sender)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _to_end(reader: asyncio.StreamReader) -> bytes:
    """What a connection carries until its end; one byte more than allowed is enough to know."""
    parts: list[bytes] = []
    size = 0
    while size <= STREAM_MAX_BYTES:
        part = await reader.read(65_536)
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _widen(udp: socket.socket) -> None:
    """Room for what comes while the program is busy: as much as the system lets us have."""
    with contextlib.suppress(OSError):
        # Beyond the limit of the system; only with the right to administer the network.
        udp.setsockopt(socket.SOL_SOCKET, 33, _BUFFER_BYTES)  # SO_RCVBUFFORCE
        return
    with contextlib.suppress(OSError):
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
