"""Hooks: commands that are run after a state change (type state) or an API call (type api).

Source: hook XSD and reference of release 6.0; row contents of release 6.0.0.3.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from services.common import xmldoc
from services.common.template import Template
from services.oned.model.base import Lock, Permissions, PoolObject, number
from services.oned.store import Tx, hooklog


class HookType(IntEnum):
    """What sets a hook off; the number is the row's column, the lower-case name is in the document."""

    STATE = 1
    API = 2

    @classmethod
    def find(cls, word: str) -> HookType | None:
        """The type of that name in any case, or None."""
        return cls.__members__.get(word.upper())


class Hook(PoolObject):
    """A hook. oneadmin owns all of them."""

    KIND, LABEL, TABLE, ROOT = "HOOK", "hook", "hook_pool", "HOOK"

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.permissions = Permissions([1, 1, 0, 0, 0, 0, 0, 0, 0])
        self.type = HookType.STATE

    def to_xml(self) -> str:
        return (
            f"<HOOK><ID>{self.oid}</ID><NAME>{xmldoc.escape(self.name)}</NAME>"
            f"<TYPE>{self.type.name.lower()}</TYPE>{self._lock_xml()}{self.template.to_xml()}</HOOK>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> Hook:
        hook = cls(number(element, "ID", -1), element.findtext("NAME") or "")
        hook.lock = Lock.from_element(element.find("LOCK"))
        hook.type = HookType.find(element.findtext("TYPE") or "") or HookType.STATE
        hook.template = Template.from_element(element.find("TEMPLATE"))
        return hook

    def columns(self) -> dict[str, Any]:
        return {**super().columns(), "type": int(self.type)}

    def delete(self, tx: Tx) -> None:
        super().delete(tx)
        hooklog.delete(tx, self.oid)
