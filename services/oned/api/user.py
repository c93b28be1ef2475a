"""User methods. A user and its groups record the membership on both sides; these calls keep them equal."""

from __future__ import annotations

from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.registry import Check, method
from services.oned.auth import password
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, ApiError, RequestError
from services.oned.model import acl
from services.oned.model.base import check_name
from services.oned.model.group import ONEADMIN_ID as ONEADMIN_GROUP
from services.oned.model.group import USERS_ID, Group
from services.oned.model.user import CORE, ONEADMIN_ID, User
from services.oned.store import pools, quotas


@method("one.user.allocate", "name:s password:s driver:s= groups:A=", Check(User, Right.CREATE))
def allocate(call: Call, name: str, secret: str, driver: str, gids: list[int]) -> int:
    """Create a user; the first group is the primary one, none means the caller's (oneadmins: users)."""
    caller = call.caller
    for gid in sorted(set(gids)):
        call.body(Group, gid)
        # Who may create users may do so in the own group; other groups must be the caller's to manage.
        if gid != caller.gid:
            call.authorize(Group, Right.MANAGE, gid)
    if not gids:
        gids = [USERS_ID if caller.gid == ONEADMIN_GROUP else caller.gid]
    _refuse_bad_password(secret)
    check_name(name, spaces=False)
    taken = pools.find(call.tx, User.TABLE, name)
    if taken is not None:
        raise RequestError(f"NAME is already taken by USER {taken}.")
    user = User(-1, name, gid=gids[0])
    user.auth_driver = driver or CORE
    user.password = _stored(user, secret)
    user.template.set("TOKEN_PASSWORD", password.generate())
    groups = [call.load(Group, gid) for gid in sorted(set(gids))]
    for group in groups:
        user.join(group.oid)
        if group.oid == user.gid:
            user.gname = group.name
    uid = user.insert(call.tx)
    for group in groups:
        group.add_user(uid)
        group.save(call.tx)
    return uid


@method("one.user.delete", "user_id:i", Check(User, Right.ADMIN, "user_id"))
def delete(call: Call, uid: int) -> int:
    """Delete a user; the objects that it owns stay."""
    user = call.load(User, uid)
    if uid == ONEADMIN_ID:
        raise ActionError("Cannot delete user. oneadmin cannot be deleted.", uid)
    user.delete(call.tx)
    for gid in sorted(user.groups):
        _leave(call, uid, gid)
    acl.delete_for_object(call.tx, User, uid)
    return uid


@method("one.user.info", "user_id:i decrypt:b=0", writes=False)
def info(call: Call, uid: int, decrypt: bool) -> str:
    """The user's document with its quotas and the default ones; -1 is the caller."""
    uid = call.caller.uid if uid == -1 else uid
    call.authorize(User, Right.USE, uid)
    own, defaults = quotas.own_and_defaults(call.tx, User.KIND, uid)
    return f"{call.body(User, uid).removesuffix('</USER>')}{own}{defaults}</USER>"


@method("one.userpool.info", "", writes=False)
def pool_info(call: Call) -> str:
    """The users that the caller may use, each with its quotas, and the default quotas."""
    listed = common.pool_info(call, User, column=quotas.pool_column(call.tx, User.KIND))
    return f"{listed.removesuffix('</USER_POOL>')}{quotas.defaults(call.tx, User.KIND)}</USER_POOL>"


@method("one.userquota.info", "", writes=False)
def default_quotas(call: Call) -> str:
    """The quotas of users that have none of their own."""
    return quotas.defaults(call.tx, User.KIND)


@method("one.user.update", "user_id:i template:s update_type:i=0", Check(User, Right.MANAGE, "user_id"))
def update(call: Call, uid: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) a user's attributes."""
    return common.update_template(call, User, uid, text, update_type)


# -- password, driver, state -------------------------------------------------------------------------------
@method("one.user.passwd", "user_id:i password:s", Check(User, Right.MANAGE, "user_id"))
def passwd(call: Call, uid: int, secret: str) -> int:
    """Set a user's password; login tokens end."""
    user = call.load(User, uid)
    if not call.caller.is_admin and not _driver_allows(call, user.auth_driver, "PASSWORD_CHANGE"):
        raise ActionError(f"Password for driver {user.auth_driver} cannot be changed.", uid)
    _change_password(user, secret)
    user.save(call.tx)
    return uid


@method("one.user.chauth", "user_id:i driver:s password:s=", Check(User, Right.ADMIN, "user_id"))
def chauth(call: Call, uid: int, driver: str, secret: str) -> int:
    """Set a user's authentication driver and, unless empty, the password."""
    user = call.load(User, uid)
    user.auth_driver = driver or CORE
    if secret:
        _change_password(user, secret)
    user.save(call.tx)
    return uid


@method("one.user.enable", "user_id:i enable:b", Check(User, Right.ADMIN, "user_id"))
def enable(call: Call, uid: int, enabled: bool) -> int:
    """Enable or disable a user; a disabled one is refused at its next call."""
    user = call.load(User, uid)
    if uid == ONEADMIN_ID:
        raise ActionError("Cannot enable/disable oneadmin user", uid)
    if user.enabled != enabled:
        user.enabled = enabled
        user.save(call.tx)
    return uid


def _refuse_bad_password(secret: str) -> None:
    problem = password.problem(secret)
    if problem:
        raise RequestError(f"{problem}.")


def _change_password(user: User, secret: str) -> None:
    problem = password.problem(secret)
    if problem:
        raise ActionError(problem, user.oid)
    user.set_password(_stored(user, secret))


def _stored(user: User, secret: str) -> str:
    """The form in which the user's driver keeps a password."""
    return password.digest(secret) if user.auth_driver == CORE else secret


def _driver_allows(call: Call, driver: str, setting: str) -> bool:
    """A YES/NO setting of a driver's AUTH_MAD_CONF; NO when the driver has none."""
    conf = call.conf.driver("AUTH_MAD_CONF", driver) or {}
    return conf.get(setting, "NO").strip().upper() == "YES"


# -- groups ------------------------------------------------------------------------------------------------
@method("one.user.chgrp", "user_id:i group_id:i")
def chgrp(call: Call, uid: int, gid: int) -> int:
    """Change a user's primary group; the old one is left, unless the new one was a secondary group."""
    if gid < 0:
        raise ApiError(f"Wrong group ID {gid}.")
    user = call.load(User, uid)
    if gid not in user.groups:
        _refuse_managed_groups(call, user)
    for needed in sorted({gid, user.gid}):  # locks the rows, in the order of their ids
        Group.find(call.tx, needed)
    group = call.load(Group, gid)
    if uid == ONEADMIN_ID:
        raise RequestError(f"user [0] {user.name} cannot be moved outside of the group [0] oneadmin", uid)
    call.authorize(User, Right.MANAGE, uid)
    call.authorize(Group, Right.USE, gid)
    old_gid = user.gid
    if old_gid == gid:
        return uid
    user.gid, user.gname = gid, group.name
    was_outside = user.join(gid)
    if was_outside:
        user.leave(old_gid)
    user.save(call.tx)
    group.add_user(uid)
    group.save(call.tx)
    if was_outside:
        _leave(call, uid, old_gid)
    return uid


@method("one.user.addgroup", "user_id:i group_id:i")
def add_group(call: Call, uid: int, gid: int) -> int:
    """Add a secondary group to a user."""
    user, group = _member_and_group(call, uid, gid)
    if not user.join(gid):
        raise ActionError("User is already in this group", uid)
    user.save(call.tx)
    group.add_user(uid)
    group.save(call.tx)
    return uid


@method("one.user.delgroup", "user_id:i group_id:i")
def del_group(call: Call, uid: int, gid: int) -> int:
    """Remove a secondary group from a user."""
    user, group = _member_and_group(call, uid, gid)
    if gid == user.gid:
        raise ActionError("Cannot remove user from the primary group", uid)
    if gid not in user.groups:
        raise ActionError("User is not part of this group", uid)
    user.leave(gid)
    user.save(call.tx)
    group.remove_user(call.tx, uid)
    group.save(call.tx)
    return uid


def _member_and_group(call: Call, uid: int, gid: int) -> tuple[User, Group]:
    user = call.load(User, uid)
    _refuse_managed_groups(call, user)
    group = call.load(Group, gid)
    call.authorize(User, Right.MANAGE, uid)
    call.authorize(Group, Right.MANAGE, gid)
    return user, group


def _refuse_managed_groups(call: Call, user: User) -> None:
    if _driver_allows(call, user.auth_driver, "DRIVER_MANAGED_GROUPS"):
        raise ActionError(f"Groups cannot be manually managed for auth driver {user.auth_driver}", user.oid)


def _leave(call: Call, uid: int, gid: int) -> None:
    """The group's side of a user that left it; a group that an old database lacks is passed over."""
    group = Group.find(call.tx, gid)
    if group is not None:
        group.remove_user(call.tx, uid)
        group.save(call.tx)
