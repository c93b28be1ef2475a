"""Documents: what services such as OneFlow keep, told apart by a type number.

Source: document XSD of release 6.0; documents of real databases.
"""

from __future__ import annotations

import re
from typing import Any

from services.common import xmldoc
from services.common.template import Template
from services.oned.errors import RequestError
from services.oned.model.base import NAME_LENGTH_MAX, PoolObject, number
from services.oned.store import Tx, pools

# New documents may have any name that XML can carry as it is; renaming is stricter, as for every kind.
_NAME_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f<&]")


class Document(PoolObject):
    """A document; ``type`` is a number that its service chooses (100: a service, 101: a service template)."""

    KIND, LABEL, TABLE, ROOT = "DOCUMENT", "document", "document_pool", "DOCUMENT"

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.type = 0

    def to_xml(self) -> str:
        return (
            f"<DOCUMENT>{self._owner_xml()}<TYPE>{self.type}</TYPE>{self.permissions.to_xml()}"
            f"{self._lock_xml()}{self.template.to_xml()}</DOCUMENT>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> Document:
        document = cls(number(element, "ID", -1), element.findtext("NAME") or "")
        document._read_owner(element)
        document.type = number(element, "TYPE")
        document.template = Template.from_element(element.find("TEMPLATE"))
        return document

    def columns(self) -> dict[str, Any]:
        return {**super().columns(), "type": self.type}

    def insert(self, tx: Tx) -> int:
        """Store a new document; its id. One without a name gets one from its id. Raises RequestError."""
        if len(self.name.encode()) > NAME_LENGTH_MAX:
            raise RequestError(f"NAME is too long, the limit is {NAME_LENGTH_MAX} bytes.")
        found = _NAME_FORBIDDEN.search(self.name)
        if found:
            raise RequestError(f"Invalid NAME, char {found.group()!r} is not allowed.")
        self.oid = pools.next_oid(tx, self.TABLE)
        self.name = self.name or f"document-{self.oid}"
        pools.insert(tx, self.TABLE, {"oid": self.oid, **self.columns()})
        return self.oid
