"""Making a VM from a VM template: further attributes on top of it, and on whose behalf.

Source: one.template.instantiate of release 6.0.0.3; VM template guide.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.common.template import Template
from services.oned.auth.rights import Right
from services.oned.errors import AllocateError, AuthorizationError
from services.oned.lifecycle import create_rights, topology, use_rights, user_inputs
from services.oned.lifecycle.create import create_vm, parse, refused_as
from services.oned.lifecycle.numbers import whole
from services.oned.model import restricted
from services.oned.model.group import Group
from services.oned.model.user import User
from services.oned.model.vmtemplate import VMTemplate

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_ORIGIN = ("NAME", "TEMPLATE_NAME", "TEMPLATE_ID")


def instantiate(
    call: Call, template_id: int, name: str, hold: bool, text: str, more: Template | None = None
) -> int:
    """Create a VM from a template; its id.

    text: attributes of the caller's, which replace the template's; more: such of the front-end's own.
    AS_UID and AS_GID in the result make the VM another user's or group's, which needs MANAGE on them.
    Raises NotFoundError, TemplateError, AuthorizationError for rights, restricted attributes and quotas,
    AllocateError for everything else that cannot be.
    """
    source = use_rights.read(call, VMTemplate, template_id)
    given = parse(text)
    template = merged(call, source, given)
    if more is not None:
        template.merge(more)
    call = _as_other(call, template)
    for origin in _ORIGIN:
        template.remove(origin)
    template.set("TEMPLATE_NAME", source.name)
    template.set("TEMPLATE_ID", str(template_id))
    if name:
        template.set("NAME", name)
    topology.settle(template)
    use_rights.require_use(call, VMTemplate, template_id)
    if text:
        call.authorize_create(VMTemplate)
    create_rights.require(call, template)
    with refused_as(AllocateError):
        user_inputs.check(template, given)
        return create_vm(call, template, hold)


def merged(call: Call, source: VMTemplate, extra: Template) -> Template:
    """A copy of a template with the attributes of a call on top.

    Raises AuthorizationError when a user changes a restricted attribute.
    """
    template = source.template.copy()
    if not len(extra):
        return template
    if not call.caller.is_admin:
        names = restricted.names(call.conf.settings, "VM_RESTRICTED_ATTR")
        changed = restricted.first_changed(extra, template, names)
        if changed:
            raise AuthorizationError(f"User Template includes a restricted attribute {changed}", source.oid)
    template.merge(extra)
    return template


def _as_other(call: Call, template: Template) -> Call:
    """The call in the name of user AS_UID and group AS_GID. Raises NotFoundError, AuthorizationError."""
    uid, gid = _taken(template, "AS_UID"), _taken(template, "AS_GID")
    user = None if uid is None else use_rights.read(call, User, uid)
    group = None if gid is None else use_rights.read(call, Group, gid)
    caller = call.caller
    if not caller.is_oneadmin:
        if user is not None and user.oid > 0:
            use_rights.require_use(call, User, user.oid, right=Right.MANAGE)
        if group is not None and group.oid > 0:
            use_rights.require_use(call, Group, group.oid, right=Right.MANAGE)
    if user is not None and user.oid > 0:
        caller = replace(caller, uid=user.oid, name=user.name)
    if group is not None and group.oid > 0:
        caller = replace(caller, gid=group.oid, gname=group.name, groups=frozenset([group.oid]))
    return call if caller is call.caller else replace(call, caller=caller)


def _taken(template: Template, name: str) -> int | None:
    number = whole(template.get(name))
    if number is not None:
        template.remove(name)
    return number
