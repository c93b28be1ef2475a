"""One API call while it runs: who calls, in which transaction, and the objects it has read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import services.oned.auth.access as access
from services.oned.auth.rights import Right
from services.oned.auth.session import Caller
from services.oned.config import OnedConf
from services.oned.errors import NotFoundError
from services.oned.model.base import PoolObject
from services.oned.store import Tx, pools

_P = TypeVar("_P", bound=PoolObject)
_ASKING_FIRST = frozenset(
    {
        "info",
        "lock",
        "unlock",
        "update",
        "enable",
        "status",
        "passwd",
        "chauth",
        "quota",
        "persistent",
        "chtype",
        "hold",
        "release",
        "add_ar",
        "update_ar",
        "rm_ar",
        "free_ar",
        "commit",
    }
)
_LOOKING_FIRST = frozenset({"one.template.info", "one.vntemplate.info"})


@dataclass(slots=True)
class Call:
    """What a handler works with. ``request_id`` goes into history records and locks."""

    tx: Tx
    caller: Caller
    conf: OnedConf
    method: str
    request_id: int = -1
    _bodies: dict[tuple[str, int], str] = field(default_factory=dict)

    def body(self, model: type[PoolObject], oid: int) -> str:
        """The document of an object, read once in a call (and locked when the call writes).

        Raises NotFoundError.
        """
        key = (model.TABLE, oid)
        text = self._bodies.get(key)
        if text is None:
            read = pools.locked_body if self.tx.writable else pools.body
            text = read(self.tx, model.TABLE, oid)
            if text is None:
                raise NotFoundError(f"Error getting {model.LABEL} [{oid}].", oid)
            self._bodies[key] = text
        return text

    def load(self, model: type[_P], oid: int) -> _P:
        """A fresh object of the document; load it once, change it, save it. Raises NotFoundError."""
        return model.from_xml(self.body(model, oid))

    def forget(self, model: type[PoolObject], oid: int) -> None:
        """Read the document anew at the next use, after something else changed it."""
        self._bodies.pop((model.TABLE, oid), None)

    def authorize(self, model: type[PoolObject], right: Right, oid: int, *, lockable: bool = True) -> None:
        """Raise AuthorizationError unless the caller has the right on the object.

        lockable: a lock on the object stands against it. Raises NotFoundError.
        """
        if oid < 0 and self._asks_first:
            access.require_kind(self.tx, self.caller, model, right)
        body = self.body(model, oid)
        access.require(self.tx, self.caller, model, right, oid, body, lockable=lockable)

    @property
    def _asks_first(self) -> bool:
        """Whether OpenNebula asks for the right before it looks for the object: ids below 0 show it."""
        return self.method.rpartition(".")[2] in _ASKING_FIRST and self.method not in _LOOKING_FIRST

    def authorize_create(self, model: type[PoolObject]) -> None:
        """Raise AuthorizationError unless the caller may create objects of the kind."""
        access.require_create(self.tx, self.caller, model)
