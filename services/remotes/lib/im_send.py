"""Messages to the monitoring daemon: ``TYPE STATUS HOST_ID EPOCH PAYLOAD`` by UDP or TCP.

The payload is encrypted when there is a key (RSA, PKCS#1 1.5, in blocks), then compressed, then base64.
Source: monitoring messages of release 6.0; RFC 8017, sections 7.2.1 and A.1.1.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import time
import zlib

from driver import DriverError

# What a datagram can carry is 65,507 bytes; larger messages go by TCP, or in parts.
DATAGRAM_MAX_BYTES = 60_000
_TIMEOUT_S = 10.0
_PADDING_BYTES = 11
_SPKI_RSA = bytes.fromhex("2a864886f70d010101")


class PublicKey:
    """An RSA public key of a PEM text, in either of its usual forms."""

    def __init__(self, pem: str) -> None:
        found = re.search(r"-+BEGIN (RSA )?PUBLIC KEY-+([^-]+)-+END (RSA )?PUBLIC KEY-+", pem)
        try:
            if found is None:
                raise ValueError
            data = base64.b64decode("".join(found[2].split()), validate=True)
            if not found[1]:
                data = _inside_spki(data)
            self.modulus, self.exponent = _numbers(data)
        except (ValueError, IndexError):
            raise DriverError("NETWORK/PUBKEY is no RSA public key in PEM format") from None
        self.size_bytes = (self.modulus.bit_length() + 7) // 8

    def encrypt(self, data: bytes) -> bytes:
        """The data in blocks, each as long as the key."""
        step = self.size_bytes - _PADDING_BYTES
        return b"".join(self._block(data[start : start + step]) for start in range(0, len(data), step))

    def _block(self, data: bytes) -> bytes:
        length = self.size_bytes - 3 - len(data)
        padding = b""
        while len(padding) < length:
            padding += os.urandom(length - len(padding)).replace(b"\0", b"")
        number = int.from_bytes(b"\0\2" + padding + b"\0" + data, "big")
        return pow(number, self.exponent, self.modulus).to_bytes(self.size_bytes, "big")


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of a DER element of this tag, and what follows it."""
    if data[0] != tag:
        raise ValueError("tag")
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("length")
    return data[start : start + length], data[start + length :]


def _numbers(data: bytes) -> tuple[int, int]:
    inside, _ = _element(data, 0x30)
    modulus, rest = _element(inside, 0x02)
    exponent, _ = _element(rest, 0x02)
    numbers = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if numbers[0].bit_length() < 512 or numbers[1] < 3:
        raise ValueError("key")
    return numbers


def _inside_spki(data: bytes) -> bytes:
    inside, _ = _element(data, 0x30)
    algorithm, rest = _element(inside, 0x30)
    if _element(algorithm, 0x06)[0] != _SPKI_RSA:
        raise ValueError("algorithm")
    return _element(rest, 0x03)[0][1:]


class Sender:
    """The way to one monitoring daemon. Raises OSError when a message cannot be sent."""

    def __init__(self, address: str, port: int, host_id: int, public_key: str = "") -> None:
        self.address = address
        self.port = port
        self.host_id = host_id
        self.key = PublicKey(public_key) if public_key else None

    def message(self, kind: str, is_ok: bool, payload: str) -> bytes:
        """A message as it goes over the wire."""
        data = payload.encode()
        if self.key is not None:
            data = self.key.encrypt(data)
        text = base64.b64encode(zlib.compress(data, 9)).decode()
        status = "SUCCESS" if is_ok else "FAILURE"
        return f"{kind} {status} {self.host_id} {int(time.time())} {text}".encode()

    def datagrams(self, kind: str, is_ok: bool, payload: str) -> None:
        """Send by UDP: lists of machines in as many parts as needed, other long messages by TCP."""
        data = self.message(kind, is_ok, payload)
        if len(data) <= DATAGRAM_MAX_BYTES:
            self._datagram(data)
            return
        rows = payload.splitlines(keepends=True)
        if kind == "MONITOR_VM" and len(rows) > 1 and all(row.startswith("VM") for row in rows):
            half = len(rows) // 2
            for part in (rows[:half], rows[half:]):
                self.datagrams(kind, is_ok, "".join(part))
        else:
            self._stream(data)

    def stream(self, kind: str, is_ok: bool, payload: str) -> None:
        """Send by TCP, over a connection of its own."""
        self._stream(self.message(kind, is_ok, payload))

    def _datagram(self, data: bytes) -> None:
        family, address = self._resolve(socket.SOCK_DGRAM)
        with socket.socket(family, socket.SOCK_DGRAM) as connection:
            connection.sendto(data, address)

    def _stream(self, data: bytes) -> None:
        with socket.create_connection((self.address, self.port), timeout=_TIMEOUT_S) as connection:
            connection.sendall(data)

    def _resolve(self, kind: socket.SocketKind) -> tuple[socket.AddressFamily, tuple[object, ...]]:
        family, _, _, _, address = socket.getaddrinfo(self.address, self.port, type=kind)[0]
        return family, address
