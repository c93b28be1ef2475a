"""What libfs.sh asks for drivers written in shell.

inspect format PATH               raw, qcow2, …; nothing for what is no image
inspect vsize PATH                the size of the disk in bytes; nothing for what is no image
inspect size SOURCE [YES] [RATE]  the size in MB of a path or an address as an image (YES: kept compressed)
inspect restricted PATH           0 when SAFE_DIRS and RESTRICTED_DIRS of the environment allow it, else 1
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import ds_format
import ds_settings
import ds_size
from driver import DriverError
from ds_places import Places
from ds_request import is_yes
from ds_source import open_source, scheme


def main(argv: Sequence[str]) -> None:
    """Answer one question. Raises DriverError."""
    if len(argv) < 2 or argv[0] not in ("format", "vsize", "size", "restricted"):
        raise DriverError("expected: inspect format|vsize|size|restricted PATH")
    print(_answer(*argv[:4]))


def _answer(question: str, path: str, keeps_compressed: str = "", rate: str = "") -> str:
    if question == "restricted":
        places = Places.of(os.environ.get("SAFE_DIRS", ""), os.environ.get("RESTRICTED_DIRS", ""), os.environ)
        return "0" if places.allow(os.path.realpath(path)) else "1"
    if question == "size":
        return str(ds_format.size_mb(_size(path, is_yes(keeps_compressed), rate)))
    try:
        found = ds_format.of_file(path, path)
    except DriverError as error:
        sys.stderr.write(f"{error}\n")
        return ""
    return found.name if question == "format" else str(found.virtual_bytes or 0)


def _size(path: str, keeps_compressed: bool, rate: str) -> int:
    # Whoever calls has decided that it may be read.
    place = path if scheme(path) else os.path.abspath(path)
    source = open_source(
        place, Places(("/",), ()), rate_bytes_s=ds_settings.rate_bytes_s(rate), is_quick=True
    )
    try:
        return ds_size.of_source(source, keeps_compressed=keeps_compressed, is_file=False)
    finally:
        source.close()
