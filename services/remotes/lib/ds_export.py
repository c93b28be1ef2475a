"""What a marketplace needs to take an image: where it is, its checksum, its size and its format.

Source: datastore driver contract of release 6.0.
"""

from __future__ import annotations

import hashlib
import os
from xml.sax.saxutils import escape

import ds_format
import ds_store
from driver import DriverError
from ds_request import Request


def export(request: Request) -> str:
    """IMPORT_INFO of an image."""
    store = ds_store.Store(request.base_path)
    path = store.own(request.text("IMAGE/SOURCE"))
    if not os.path.isfile(path):
        raise DriverError(f"{path} is not there")
    name = request.text("IMAGE/FORMAT").strip().lower()
    # A guest can write what it likes to a raw disk, so its first bytes do not tell.
    if name not in ("raw", "qcow2"):
        name = ds_format.of_file(path, path).name
    found = {
        "IMPORT_SOURCE": path,
        "MD5": _md5(path),
        "SIZE": str(request.number("IMAGE/SIZE")),
        "FORMAT": name,
        "DISPOSE": "NO",
    }
    inner = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in found.items())
    return f"<IMPORT_INFO>{inner}</IMPORT_INFO>"


def _md5(path: str) -> str:
    found = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while part := file.read(ds_format.MB):
            found.update(part)
    return found.hexdigest()
