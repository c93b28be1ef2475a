"""Writing a source to a file: decompressed, sparse, counted, with its checksums compared."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from driver import DriverError
from ds_decompress import Decompressed, Rewound, Source, compression, read_head
from ds_format import HEAD_BYTES, MB

_CHUNK_BYTES = MB
_BLOCK_BYTES = 64 * 1024
_ZEROS = bytes(_BLOCK_BYTES)
_PROGRESS_EVERY_S = 10.0
CHECKSUMS = {"MD5": 32, "SHA1": 40, "SHA256": 64, "SHA512": 128}


class Metered:
    """A source whose bytes are counted and summed as they come, before anything is decompressed."""

    def __init__(self, source: Source, checksums: Mapping[str, str], action: str = "") -> None:
        self.label, self.size_bytes = source.label, source.size_bytes
        self._source, self._action = source, action
        self._wanted = {name: _checked(name, text) for name, text in checksums.items() if text.strip()}
        self._sums: dict[str, Any] = {
            name: hashlib.new(name.lower(), usedforsecurity=False) for name in self._wanted
        }
        self.count = 0
        self._said_at = time.monotonic()

    def read(self, size: int) -> bytes:
        """See Source."""
        part = self._source.read(size)
        self.count += len(part)
        for found in self._sums.values():
            found.update(part)
        if self._action and time.monotonic() - self._said_at >= _PROGRESS_EVERY_S:
            self._said_at = time.monotonic()
            total = f" of {self.size_bytes // MB}" if self.size_bytes else ""
            say(f"{self._action}: {self.label}: {self.count // MB}{total} MB")
        return part

    def verify(self) -> None:
        """Compare the checksums of what was read. Raises DriverError."""
        for name, wanted in self._wanted.items():
            found = self._sums[name].hexdigest()
            if found != wanted:
                raise DriverError(
                    f"Hash does not match: {self.label} has {name} {found}, the image's template {wanted}"
                )

    def close(self) -> None:
        """See Source."""
        self._source.close()


def _checked(name: str, text: str) -> str:
    value = text.strip().lower()
    if len(value) != CHECKSUMS[name] or any(digit not in "0123456789abcdef" for digit in value):
        raise DriverError(f"{name} must be {CHECKSUMS[name]} hexadecimal digits, found {text[:140]!r}")
    return value


def say(text: str) -> None:
    """A line for the log of the front-end."""
    sys.stderr.write(f"INFO: {text!s}\n".replace("\r", " "))
    sys.stderr.flush()


def content(source: Source, *, keeps_compressed: bool) -> tuple[Source, bytes]:
    """What an image is made of a source, decompressed unless it is kept; with its first HEAD_BYTES."""
    head = read_head(source, HEAD_BYTES)
    if not head:
        raise DriverError(f"{source.label} is empty")
    found: Source = Rewound(head, source)
    name = "" if keeps_compressed else compression(head)
    if name:
        found = Decompressed(found, name)
        head = read_head(found, HEAD_BYTES)
        if not head:
            raise DriverError(f"{source.label} holds nothing once it is decompressed")
        if compression(head):
            raise DriverError(f"{source.label} is compressed twice; expected once at most")
        found = Rewound(head, found)
    return found, head


@dataclass(frozen=True)
class Bounds:
    """What a file may have: bytes in all, and bytes that take room (others are zeros); None for no bound.

    reason: of the size's bound, for the error.
    """

    size_bytes: int | None = None
    reason: str = ""
    room_bytes: int | None = None

    def check(self, label: str, size_bytes: int, written_bytes: int) -> None:
        """Raise DriverError for more."""
        if self.size_bytes is not None and size_bytes > self.size_bytes:
            raise DriverError(f"{label} is too large: {self.reason}")
        if self.room_bytes is not None and written_bytes > self.room_bytes:
            raise DriverError(f"{label} is too large: there were {self.room_bytes // MB} MB left for it")


def write(source: Source, path: str, bounds: Bounds | None = None) -> None:
    """Write a source to a new file, without room for zeros. Raises DriverError, also beyond the bounds."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o640)
        try:
            _pour(source, descriptor, bounds or Bounds())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DriverError(f"{path} cannot be written: {error.strerror}") from None


def _pour(source: Source, descriptor: int, bounds: Bounds) -> None:
    size = written = 0
    while True:
        chunk = source.read(_CHUNK_BYTES)
        if not chunk:
            break
        bounds.check(source.label, size + len(chunk), written)
        view = memoryview(chunk)
        for start in range(0, len(view), _BLOCK_BYTES):
            block = view[start : start + _BLOCK_BYTES]
            if block != _ZEROS[: len(block)]:
                _write_all(descriptor, block, size + start)
                written += len(block)
        size += len(chunk)
    os.ftruncate(descriptor, size)


def _write_all(descriptor: int, block: memoryview, offset: int) -> None:
    while block:
        done = os.pwrite(descriptor, block, offset)
        block, offset = block[done:], offset + done
