"""Acting as somebody else: ``AS_UID`` and ``AS_GID`` in the template that is to be instantiated.

What is made belongs to that user and group from the start. Source: template instantiation of release 6.0.0.3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.common.template import Template
from services.oned.auth.rights import Right
from services.oned.model.group import Group
from services.oned.model.user import User

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call


def take_over(call: Call, template: Template) -> None:
    """Make the template's AS_UID and AS_GID the call's user and group, for what follows; both are taken out.

    Numbers up to 0 change nothing: nobody acts as oneadmin. The caller needs MANAGE on both; its groups stay
    unless AS_GID gives one. Raises NotFoundError, AuthorizationError.
    """
    uid, gid = _number(template, "AS_UID"), _number(template, "AS_GID")
    user = call.load(User, uid) if uid != -1 else None
    group = call.load(Group, gid) if gid != -1 else None
    if not call.caller.is_oneadmin:
        if user is not None and uid > 0:
            call.authorize(User, Right.MANAGE, uid)
        if group is not None and gid > 0:
            call.authorize(Group, Right.MANAGE, gid)
    if user is not None and uid > 0:
        call.caller = replace(call.caller, uid=uid, name=user.name)
    if group is not None and gid > 0:
        call.caller = replace(call.caller, gid=gid, gname=group.name, groups=frozenset([gid]))


def _number(template: Template, name: str) -> int:
    """The attribute's number, taken out of the template; -1, and left there, when it is none."""
    try:
        number = int(template.get(name) or "")
    except ValueError:
        return -1
    template.remove(name)
    return number
