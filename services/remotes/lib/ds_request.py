"""What a datastore action is asked to do: the document and the id that the engine gives it.

The first argument is DS_DRIVER_ACTION_DATA in base64: IMAGE and DATASTORE as the core stores them.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from driver import DriverError, document

FILE_DATASTORE = 2
_CDROM = 1
_FIRST_FILE_TYPE = 3  # KERNEL, RAMDISK and CONTEXT: 3, 4, 5


def is_yes(text: str) -> bool:
    """Whether a template's text means yes."""
    return text.strip().upper() in ("YES", "TRUE", "1")


@dataclass(frozen=True)
class Request:
    """The document of an action and the id of its image (of its datastore for monitor)."""

    root: Element
    oid: int

    def text(self, path: str) -> str:
        """The text of an element below the root, '' when there is none."""
        return self.root.findtext(path) or ""

    def number(self, path: str) -> int:
        """The whole number in an element, 0 when there is none. Raises DriverError for other texts."""
        text = self.text(path).strip() or "0"
        if not text.isascii() or not text.isdigit():
            raise DriverError(f"{path} must be a whole number, found {text[:40]!r}")
        return int(text)

    def setting(self, name: str) -> str:
        """What the datastore's template says."""
        return self.text(f"DATASTORE/TEMPLATE/{name}")

    def image_setting(self, name: str) -> str:
        """What the image's template says."""
        return self.text(f"IMAGE/TEMPLATE/{name}")

    @property
    def base_path(self) -> str:
        """The datastore's folder. Raises DriverError unless it is an absolute path that can be told."""
        path = self.text("DATASTORE/BASE_PATH")
        parts = path.split("/")
        if not path.startswith("/") or ".." in parts or "." in parts or not path.strip("/"):
            raise DriverError(f"the datastore's BASE_PATH must be an absolute path, found {path!r}")
        if path.split() != [path]:
            # The core reads SOURCE and FORMAT as words.
            raise DriverError(f"the datastore's BASE_PATH must not contain blanks, found {path!r}")
        return os.path.normpath(path)

    @property
    def is_file(self) -> bool:
        """Whether the datastore or the image is one of files: kernels, ramdisks, context files."""
        kind = self.number("DATASTORE/TYPE")
        return kind == FILE_DATASTORE or self.number("IMAGE/TYPE") >= _FIRST_FILE_TYPE

    @property
    def is_cdrom(self) -> bool:
        """Whether the image is a CD."""
        return self.number("IMAGE/TYPE") == _CDROM

    @property
    def keeps_compressed(self) -> bool:
        """Whether sources are stored as they are; files are unless the datastore says NO."""
        said = self.setting("NO_DECOMPRESS").strip()
        return is_yes(said) if said else self.number("DATASTORE/TYPE") == FILE_DATASTORE


def parse(argv: Sequence[str]) -> Request:
    """The request in an action's arguments. Raises DriverError for broken ones."""
    if len(argv) < 2:
        raise DriverError(f"expected DS_DRIVER_ACTION_DATA and an id, found {len(argv)} arguments")
    try:
        data = base64.b64decode(argv[0], validate=False)
    except (binascii.Error, ValueError):
        raise DriverError("the first argument is not in base64") from None
    oid = argv[1].strip()
    if not oid.isascii() or not oid.lstrip("-").isdigit():
        raise DriverError(f"the id must be a number, found {oid[:40]!r}")
    return Request(document(data), int(oid))
