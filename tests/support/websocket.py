"""A websocket client, as much as a test of a proxy needs: binary messages over a plain connection."""

from __future__ import annotations

import base64
import os
import socket


class Websocket:
    """One connection; ``status`` is the first line of the answer. Raises OSError when nothing answers."""

    def __init__(self, port: int, path: str, timeout_s: float = 30) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._left = b""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            f"GET {path} HTTP/1.1", f"Host: localhost:{port}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: binary",
            "", "",
        )  # fmt: skip
        self._socket.sendall("\r\n".join(lines).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._some()
        head, _, self._frames = head.partition(b"\r\n\r\n")
        self.status = head.split(b"\r\n")[0].decode()

    def close(self) -> None:
        """End the connection without a farewell."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        """One short binary message."""
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        assert len(data) < 126
        self._socket.sendall(bytes([0x82, 0x80 | len(data)]) + mask + masked)

    def receive(self, size: int) -> bytes:
        """So many bytes of the stream that the messages carry. Raises EOFError at its end."""
        while len(self._left) < size:
            self._left += self._message()
        found, self._left = self._left[:size], self._left[size:]
        return found

    def _message(self) -> bytes:
        first, length = self._raw(2)
        if first & 0x0F == 8:
            raise EOFError("the other side has closed the websocket")
        if length == 126:
            length = int.from_bytes(self._raw(2), "big")
        elif length == 127:
            length = int.from_bytes(self._raw(8), "big")
        payload = self._raw(length)
        return payload if first & 0x0F in (0, 1, 2) else b""

    def _raw(self, size: int) -> bytes:
        while len(self._frames) < size:
            self._frames += self._some()
        found, self._frames = self._frames[:size], self._frames[size:]
        return found

    def _some(self) -> bytes:
        found = self._socket.recv(65536)
        if not found:
            raise EOFError("the other side has ended the connection")
        return found
