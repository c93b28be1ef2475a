"""Rights on what a VM uses: images, networks, security groups, VM groups. Their rows are not locked."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from services.oned.auth import access
from services.oned.auth.rights import Right
from services.oned.auth.session import Caller
from services.oned.errors import NotFoundError
from services.oned.model.base import PoolObject
from services.oned.model.user import User
from services.oned.store import pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_P = TypeVar("_P", bound=PoolObject)
_LOCK = re.compile(r"<LOCK>.*?</LOCK>", re.DOTALL)


def read(call: Call, model: type[_P], oid: int) -> _P:
    """An object, to look at only: its row is not locked. Raises NotFoundError."""
    body = pools.body(call.tx, model.TABLE, oid)
    if body is None:
        raise NotFoundError(f"Error getting {model.LABEL} [{oid}].", oid)
    return model.from_xml(body)


def require_use(
    call: Call,
    model: type[PoolObject],
    oid: int,
    *,
    right: Right = Right.USE,
    despite_lock: bool = False,
) -> None:
    """Raise AuthorizationError unless the caller may use an object; one that does not exist is passed over.

    right: ask for another one. despite_lock: a lock on the object does not stand against it.
    """
    body = pools.body(call.tx, model.TABLE, oid)
    if body is None:
        return
    if despite_lock:
        body = _LOCK.sub("", body, count=1)
    access.require(call.tx, call.caller, model, right, oid, body)


def on_behalf(call: Call, uid: int) -> Call:
    """The call as if a VM's owner made it; the call itself when the caller is, or the owner is gone."""
    if uid == call.caller.uid:
        return call
    body = pools.body(call.tx, User.TABLE, uid)
    if body is None:
        return call
    owner = User.from_xml(body)
    caller = Caller(
        uid=uid,
        gid=owner.gid,
        name=owner.name,
        gname=owner.gname,
        groups=frozenset([*owner.groups, owner.gid]),
        umask=call.caller.umask,
        template=owner.template,
        zone_id=call.caller.zone_id,
    )
    return replace(call, caller=caller)
