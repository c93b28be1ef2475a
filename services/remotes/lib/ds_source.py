"""Opening what PATH names: a file of the front-end, a web address, or data in the address itself."""

from __future__ import annotations

import base64
import binascii
import os
import re
from urllib.parse import unquote, unquote_to_bytes

from driver import DriverError
from ds_decompress import Source
from ds_places import Places

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ELSEWHERE = {
    "docker": "sources of container registries are not available",
    "dockerfile": "sources of container registries are not available",
    "lxd": "sources of LXD image servers are not available",
    "s3": "sources in S3 are not available",
    "rbd": "sources in Ceph are not available",
    "vcenter": "vCenter sources are not available",
    "ssh": "only marketplaces read images of other machines over ssh",
}


class FileSource:
    """An open file."""

    def __init__(self, descriptor: int, label: str) -> None:
        self.label = label
        self._descriptor = descriptor
        self.size_bytes: int | None = os.fstat(descriptor).st_size

    def read(self, size: int) -> bytes:
        """See Source."""
        try:
            return os.read(self._descriptor, size)
        except OSError as error:
            raise DriverError(f"{self.label} cannot be read: {error.strerror}") from None

    def close(self) -> None:
        """See Source."""
        os.close(self._descriptor)


class DataSource:
    """Bytes in memory."""

    def __init__(self, data: bytes, label: str) -> None:
        self.label = label
        self.size_bytes: int | None = len(data)
        self._data, self._at = data, 0

    def read(self, size: int) -> bytes:
        """See Source."""
        part = self._data[self._at : self._at + size]
        self._at += len(part)
        return part

    def close(self) -> None:
        """See Source."""


def scheme(path: str) -> str:
    """The scheme of an address in small letters, '' for a path of a file."""
    found = _SCHEME.match(path)
    return found[1].lower() if found else ""


def open_source(path: str, places: Places, *, rate_bytes_s: float = 0.0, is_quick: bool = False) -> Source:
    """The source that PATH names. Raises DriverError.

    rate_bytes_s: how fast a web address is read at most, 0 without limit. is_quick: a caller waits, so a
    server that does not answer is given up soon.
    """
    kind = scheme(path)
    if kind in ("http", "https"):
        from ds_http import HttpSource  # a local file needs none of it

        return HttpSource(path, rate_bytes_s=rate_bytes_s, is_quick=is_quick)
    if kind == "data":
        return DataSource(_data(path), "the data in PATH")
    if kind == "file":
        path = _file_path(path)
    elif kind:
        raise DriverError(
            f"PATH {_short(path)}: "
            + _ELSEWHERE.get(kind, f"expected an absolute path or an http(s) URL, found scheme {kind!r}")
        )
    return FileSource(places.open(path), repr(path))


def _file_path(url: str) -> str:
    """The path in file:///path; of no other machine."""
    rest = url[5:]
    if rest.startswith("//"):
        host, _, path = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise DriverError(
                f"PATH {_short(url)}: a file URL must be of this machine, found host {host[:80]!r}"
            )
        rest = "/" + path
    if "?" in rest or "#" in rest:
        raise DriverError(f"PATH {_short(url)}: a file URL has no query and no fragment")
    return unquote(rest, errors="surrogateescape")


def _data(url: str) -> bytes:
    """The bytes of a data URL (RFC 2397)."""
    header, comma, text = url[5:].partition(",")
    if not comma:
        raise DriverError("PATH: a data URL must be data:[type][;base64],DATA")
    raw = unquote_to_bytes(text)
    if not header.lower().endswith(";base64"):
        return raw
    try:
        return base64.b64decode(b"".join(raw.split()), validate=True)
    except binascii.Error:
        raise DriverError("PATH: the data of the data URL is not in base64") from None


def _short(path: str) -> str:
    return repr(path if len(path) <= 200 else path[:200] + "…")
