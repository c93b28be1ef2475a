"""Methods for the limits of users, groups, and the default ones."""

from __future__ import annotations

from contextlib import suppress

from services.common.template import Template, TemplateError
from services.oned.api.call import Call
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, AuthorizationError
from services.oned.model.group import ONEADMIN_ID as ONEADMIN_GROUP
from services.oned.model.group import Group
from services.oned.model.quota_document import QuotaDocument
from services.oned.model.user import ONEADMIN_ID, User
from services.oned.store import quotas


@method("one.user.quota", "user_id:i quotas:s", Check(User, Right.ADMIN, "user_id"))
def set_user_limits(call: Call, uid: int, text: str) -> int:
    """Set quota limits of a user: -1 takes the default limit, -2 is no limit."""
    if uid == ONEADMIN_ID:
        raise ActionError("Cannot set quotas for oneadmin user", uid)
    document = _locked(call, User.KIND, uid)
    document.set_limits(_parsed(text))
    quotas.save(call.tx, User.KIND, uid, document.inner_xml())
    return uid


@method("one.group.quota", "group_id:i quotas:s")
def set_group_limits(call: Call, gid: int, text: str) -> int:
    """Set quota limits of a group: -1 takes the default limit, -2 is no limit."""
    if gid == ONEADMIN_GROUP:
        raise ActionError("Cannot set quotas for oneadmin group", gid)
    call.authorize(Group, Right.ADMIN, gid)
    document, wanted = _locked(call, Group.KIND, gid), _parsed(text)
    # OpenNebula reports success for a wrong limit of a group, after setting those before it.
    with suppress(ActionError):
        document.set_limits(wanted)
    quotas.save(call.tx, Group.KIND, gid, document.inner_xml())
    return gid


@method("one.userquota.info", "", writes=False)
def user_defaults(call: Call) -> str:
    """The quotas of users that have none of their own."""
    return quotas.defaults(call.tx, User.KIND)


@method("one.groupquota.info", "", writes=False)
def group_defaults(call: Call) -> str:
    """The quotas of groups that have none of their own."""
    return quotas.defaults(call.tx, Group.KIND)


@method("one.userquota.update", "quotas:s")
def set_user_defaults(call: Call, text: str) -> str:
    """Set default limits of users (-2: no limit); the new default quotas."""
    return _set_defaults(call, User.KIND, text)


@method("one.groupquota.update", "quotas:s")
def set_group_defaults(call: Call, text: str) -> str:
    """Set default limits of groups (-2: no limit); the new default quotas."""
    return _set_defaults(call, Group.KIND, text)


def _set_defaults(call: Call, kind: str, text: str) -> str:
    if call.caller.gid != ONEADMIN_GROUP:
        raise AuthorizationError("The default quotas can only be updated by users in the oneadmin group")
    wanted = _parsed(text)
    document = QuotaDocument.parse(quotas.locked_defaults(call.tx, kind), is_default=True)
    document.set_limits(wanted)
    return quotas.save_defaults(call.tx, kind, document.inner_xml())


def _locked(call: Call, kind: str, oid: int) -> QuotaDocument:
    text = quotas.locked(call.tx, kind, oid)
    assert text is not None, "the call has read the user or group"
    return QuotaDocument.parse(text)


def _parsed(text: str) -> Template:
    try:
        return Template.parse(text)
    except TemplateError as error:
        raise ActionError(str(error)) from None
