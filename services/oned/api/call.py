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

    def authorize(self, model: type[PoolObject], right: Right, oid: int) -> None:
        """Raise AuthorizationError unless the caller has the right on the object."""
        access.require(self.tx, self.caller, model, right, oid, self.body(model, oid))

    def authorize_create(self, model: type[PoolObject]) -> None:
        """Raise AuthorizationError unless the caller may create objects of the kind."""
        access.require_create(self.tx, self.caller, model)
