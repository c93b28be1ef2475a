"""How large an image will be, and that it does not become larger than it was announced.

The core counts quotas and room with the size that stat gave; a source may say something else later, so cp
holds it to that. Images of marketplaces come with the size that the marketplace tells, which may be inexact.
"""

from __future__ import annotations

import time

import ds_copy
from driver import DriverError
from ds_decompress import Source
from ds_format import MB, Format, of_head
from ds_request import Request

# The engine gives stat a minute, and somebody waits for it.
_COUNT_S = 45.0
_CHUNK_BYTES = MB


def of_source(source: Source, *, keeps_compressed: bool, is_file: bool) -> int:
    """The size in bytes that a source has as an image. Raises DriverError when it cannot be told."""
    body, head = ds_copy.content(source, keeps_compressed=keeps_compressed)
    if not is_file:
        found = of_head(head, source.label)
        if found.virtual_bytes is not None:
            return found.virtual_bytes
        if found.name != "raw":
            raise DriverError(f"{source.label} does not tell its size: convert it to qcow2 first")
    if body.size_bytes is not None:
        return body.size_bytes
    return _counted(body)


def _counted(body: Source) -> int:
    """The size of what tells none: compressed raw images, and servers that send no length."""
    ends_at = time.monotonic() + _COUNT_S
    size = 0
    while True:
        part = body.read(_CHUNK_BYTES)
        if not part:
            return size
        size += len(part)
        if time.monotonic() > ends_at:
            raise DriverError(
                f"{body.label}: its size was not known after {_COUNT_S:g} s; "
                "expected an image that tells its size (qcow2, or raw and not compressed)"
            )


def _announced_mb(request: Request) -> int | None:
    """What the image may have; None when nobody has looked."""
    size_mb = request.number("IMAGE/SIZE")
    is_of_market = bool(request.image_setting("FROM_APP").strip())
    return size_mb if size_mb and not is_of_market else None


def limit(request: Request, name: str) -> tuple[int | None, str]:
    """The bytes that the file of an image of that format may have, and why; None for no limit."""
    size_mb = _announced_mb(request)
    if size_mb is None:
        return None, ""
    reason = f"the image was registered with {size_mb} MB"
    if name == "raw":
        return size_mb * MB, reason
    return (size_mb + size_mb // 10 + 64) * MB, reason  # tables, and room that the disk gave up again


def require_announced(request: Request, found: Format, label: str) -> None:
    """Raise DriverError when the disk in an image is larger than announced."""
    size_mb = _announced_mb(request)
    if size_mb is not None and found.virtual_bytes is not None and found.virtual_bytes > size_mb * MB:
        raise DriverError(
            f"{label} is too large: the image was registered with {size_mb} MB, its disk has "
            f"{-(-found.virtual_bytes // MB)} MB"
        )
