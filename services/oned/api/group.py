"""Group methods."""

from __future__ import annotations

from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, NotFoundError, RequestError
from services.oned.model import acl, vdc
from services.oned.model.group import Group
from services.oned.model.user import User
from services.oned.model.vdc import Vdc
from services.oned.store import pools, quotas


@method("one.group.allocate", "name:s", Check(Group, Right.CREATE))
def allocate(call: Call, name: str) -> int:
    """Create a group; it joins the default VDC, whose resources it may use."""
    common.require_free_name(call, Group, name)
    gid = Group(-1, name).insert(call.tx)
    default = Vdc.find(call.tx, vdc.DEFAULT_ID)
    if default is not None:
        default.add_group(call.tx, gid, call.conf.settings)
        default.save(call.tx)
    return gid


@method("one.group.delete", "group_id:i", Check(Group, Right.ADMIN, "group_id"))
def delete(call: Call, gid: int) -> int:
    """Delete a group without users; it leaves its VDCs, and its rules end."""
    group = call.load(Group, gid)
    common.refuse_system_object(group, "Groups")
    if group.users:
        raise ActionError(f"Cannot delete group. Group {gid} is not empty.", gid)
    group.delete(call.tx)
    for vdc_id in pools.ids(call.tx, Vdc.TABLE):
        member_of = Vdc.find(call.tx, vdc_id)
        if member_of is not None and gid in member_of.groups:
            member_of.remove_group(call.tx, gid, call.conf.settings)
            member_of.save(call.tx)
    acl.delete_for_object(call.tx, Group, gid)
    return gid


@method("one.group.info", "group_id:i decrypt:b=0", writes=False)
def info(call: Call, gid: int, decrypt: bool) -> str:
    """The group's document with its quotas and the default ones; -1 is the caller's primary group."""
    gid = call.caller.gid if gid == -1 else gid
    call.authorize(Group, Right.USE, gid)
    own, defaults = quotas.own_and_defaults(call.tx, Group.KIND, gid)
    return f"{call.body(Group, gid).removesuffix('</GROUP>')}{own}{defaults}</GROUP>"


@method("one.grouppool.info", "", writes=False)
def pool_info(call: Call) -> PoolDocument:
    """The groups that the caller may use, each with its quotas, and the default quotas."""
    defaults = quotas.defaults(call.tx, Group.KIND)
    return common.pool_info(call, Group, column=quotas.pool_column(call.tx, Group.KIND), tail=defaults)


@method("one.group.update", "group_id:i template:s update_type:i=0", Check(Group, Right.MANAGE, "group_id"))
def update(call: Call, gid: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) a group's attributes."""
    return common.update_template(call, Group, gid, text, update_type)


@method("one.group.addadmin", "group_id:i user_id:i")
def add_admin(call: Call, gid: int, uid: int) -> int:
    """Make a member of a group its administrator."""
    group = _group_to_edit(call, gid, uid)
    if uid not in group.users:
        raise RequestError(f"Cannot edit group. User {uid} is not part of Group {gid}.", gid)
    if uid in group.admins:
        raise RequestError(f"Cannot edit group. User {uid} is already an administrator of Group {gid}.", gid)
    group.add_admin(call.tx, uid)
    group.save(call.tx)
    return gid


@method("one.group.deladmin", "group_id:i user_id:i")
def del_admin(call: Call, gid: int, uid: int) -> int:
    """Take the administrator's role in a group from a user."""
    group = _group_to_edit(call, gid, uid)
    if uid not in group.admins:
        raise RequestError(f"Cannot edit group. User {uid} is not an administrator of Group {gid}.", gid)
    group.remove_admin(call.tx, uid)
    group.save(call.tx)
    return gid


def _group_to_edit(call: Call, gid: int, uid: int) -> Group:
    # Rows are read, and so locked, in the order that every call keeps: users, then groups.
    try:
        call.body(User, uid)
    except NotFoundError:
        call.body(Group, gid)  # of two that are not there, the group is named
        raise
    call.authorize(Group, Right.ADMIN, gid)
    call.authorize(User, Right.ADMIN, uid)
    return call.load(Group, gid)
