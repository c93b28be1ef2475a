"""Reading gzip, bzip2 and xz as a stream: little memory for any source, and cut-off ones are found."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Protocol

from driver import DriverError

_CHUNK_BYTES = 1024 * 1024
_XZ_MEMORY_BYTES = 256 * 1024 * 1024  # xz -9 needs 65 MiB


class Source(Protocol):
    """Something to read an image from. label: its name in messages. size_bytes: None when not known."""

    label: str
    size_bytes: int | None

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, b'' at the end. Raises DriverError."""

    def close(self) -> None:
        """Give up what reading needed."""


class Rewound:
    """A source of which the first bytes were read already to see what it is."""

    def __init__(self, head: bytes, rest: Source) -> None:
        self.label, self.size_bytes = rest.label, rest.size_bytes
        self._head, self._rest = head, rest

    def read(self, size: int) -> bytes:
        """See Source."""
        if self._head:
            part, self._head = self._head[:size], self._head[size:]
            return part
        return self._rest.read(size)

    def close(self) -> None:
        """See Source."""
        self._rest.close()


def read_head(source: Source, size: int) -> bytes:
    """The first ``size`` bytes of a source, fewer when it is shorter."""
    head = b""
    while len(head) < size:
        part = source.read(size - len(head))
        if not part:
            break
        head += part
    return head


def compression(head: bytes) -> str:
    """gzip, bzip2, xz, or '' for what is not compressed."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head[:3] == b"BZh" and head[3:4].isdigit() and head[4:10] == b"1AY&SY":
        return "bzip2"
    return "xz" if head.startswith(b"\xfd7zXZ\0") else ""


class _Gzip:
    """zlib with the interface of the other two."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _decompressor(name: str) -> _Gzip | bz2.BZ2Decompressor | lzma.LZMADecompressor:
    if name == "gzip":
        return _Gzip()
    if name == "bzip2":
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)


class Decompressed:
    """What a compressed source holds; several streams behind each other count as one."""

    def __init__(self, source: Source, name: str) -> None:
        self.label = source.label
        self.size_bytes: int | None = None
        self._source, self._name = source, name
        self._stream = _decompressor(name)
        self._waiting = b""  # of the source, not given to the stream yet

    def read(self, size: int) -> bytes:
        """See Source. Raises DriverError for broken and cut-off ones."""
        while True:
            if self._stream.eof and not self._next_stream():
                return b""
            data = b""
            if self._stream.needs_input:
                data = self._waiting or self._source.read(_CHUNK_BYTES)
                self._waiting = b""
                if not data:
                    raise DriverError(f"{self.label} is cut off: its {self._name} data has no end")
            try:
                out = self._stream.decompress(data, size)
            except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
                raise DriverError(f"{self.label} is broken {self._name} data: {error}") from None
            if out:
                return out

    def _next_stream(self) -> bool:
        """Whether another stream follows; zeros between streams and other data at the end are passed over."""
        rest = self._stream.unused_data.lstrip(b"\0")
        while not rest or (len(rest) < 10 and not compression(rest)):
            more = self._source.read(_CHUNK_BYTES)
            if not more:
                break
            rest = (rest + more).lstrip(b"\0")
        if compression(rest) != self._name:
            # To the end all the same: the checksum is of the whole source.
            while self._source.read(_CHUNK_BYTES):
                pass
            return False
        self._stream, self._waiting = _decompressor(self._name), rest
        return True

    def close(self) -> None:
        """See Source."""
        self._source.close()
