"""User methods. A user and its groups record the membership on both sides; these calls keep them equal."""

from __future__ import annotations

import time

from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth import accounts, outside, password
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, ApiError, NotFoundError, RequestError
from services.oned.model import acl
from services.oned.model.group import USERS_ID, Group
from services.oned.model.user import CORE, ONEADMIN_ID, TOKENS_MAX, LoginToken, User
from services.oned.store import Tx, pools, quotas


@method("one.user.allocate", "name:s password:s driver:s= groups:A=")
def allocate(call: Call, name: str, secret: str, driver: str, gids: list[int]) -> int:
    """Create a user; the first group is the primary one, none means the caller's (oneadmins: users)."""
    caller = call.caller
    for gid in sorted(set(gids)):
        call.body(Group, gid)
    call.authorize_create(User)
    for gid in sorted(set(gids)):
        # Who may create users may do so in the own group; other groups must be the caller's to manage.
        if gid != caller.gid:
            call.authorize(Group, Right.MANAGE, gid)
    if not gids:
        gids = [USERS_ID if caller.is_in_oneadmin_group else caller.gid]
    accounts.check_new(call.tx, name, secret)
    return accounts.create(call.tx, name, _stored(driver or CORE, secret), driver, gids).oid


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
    return f"{common.info(call, User, uid, decrypt).removesuffix('</USER>')}{own}{defaults}</USER>"


@method("one.userpool.info", "", writes=False)
def pool_info(call: Call) -> PoolDocument:
    """The users that the caller may use, each with its quotas, and the default quotas."""
    defaults = quotas.defaults(call.tx, User.KIND)
    return common.pool_info(call, User, column=quotas.pool_column(call.tx, User.KIND), tail=defaults)


@method("one.user.update", "user_id:i template:s update_type:i=0", Check(User, Right.MANAGE, "user_id"))
def update(call: Call, uid: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) a user's attributes."""
    return common.update_template(call, User, uid, text, update_type)


# -- password, driver, state -------------------------------------------------------------------------------
@method("one.user.passwd", "user_id:i password:s", Check(User, Right.MANAGE, "user_id"))
def passwd(call: Call, uid: int, secret: str) -> int:
    """Set a user's password; login tokens end."""
    user = call.load(User, uid)
    may_change = accounts.driver_allows(call.conf, user.auth_driver, "PASSWORD_CHANGE")
    if not may_change and not call.caller.is_admin:
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
    """Enable or disable a user; a disabled one is refused at its next call, and its login tokens end."""
    user = call.load(User, uid)
    if uid == ONEADMIN_ID:
        raise ActionError("Cannot enable/disable oneadmin user", uid)
    if user.enabled != enabled or (user.tokens and not enabled):
        user.enabled = enabled
        user.tokens = user.tokens if enabled else []
        user.save(call.tx)
    return uid


def _change_password(user: User, secret: str) -> None:
    problem = password.problem(secret)
    if problem:
        raise ActionError(problem, user.oid)
    user.set_password(_stored(user.auth_driver, secret))


def _stored(driver: str, secret: str) -> str:
    """The form in which a driver keeps a password; core's slow one is made outside of the transaction."""
    if driver != CORE:
        return secret
    return outside.value(("hash", password.fingerprint(secret)), lambda _: password.hashed(secret))


# -- login tokens ------------------------------------------------------------------------------------------
@method("one.user.login", "name:s token:s valid_period:i egid:i=-1")
def login(call: Call, name: str, token: str, valid_s: int, egid: int) -> str:
    """Make a login token of a user, for some seconds (-1: for ever), for one group or all (-1).

    An empty text makes a random one. With 0 seconds the token is deleted, or every token when none is named.
    Answers the token.
    """
    uid = pools.find(call.tx, User.TABLE, name)
    if uid is None:
        raise NotFoundError("Error getting user Pool.")
    call.authorize(User, Right.MANAGE, uid)
    user = call.load(User, uid)
    longest_s = accounts.max_token_time_s(call.conf, user.auth_driver)
    if longest_s == accounts.NO_TOKENS:
        if user.tokens:  # they end although the call fails, so this is a change of its own
            outside.value(("tokens", uid), lambda store: store.run(lambda tx: _end_tokens(tx, uid)))
        raise ActionError(f"Login tokens are disabled for driver {user.auth_driver}", uid)
    if longest_s > 0 and (valid_s > longest_s or valid_s == -1):
        valid_s = longest_s
    if valid_s == 0:
        if not token:
            user.tokens = []
        elif not user.drop_token(token):
            raise ApiError(f"Could not find that token of user {uid}.", uid)
    elif valid_s > 0 or valid_s == -1:
        token = _add_token(call, user, token, valid_s, egid)
    else:
        raise ApiError(f"Wrong valid period for token: {valid_s}, expected -1, 0 or seconds.", uid)
    user.save(call.tx)
    return token


def _add_token(call: Call, user: User, token: str, valid_s: int, egid: int) -> str:
    caller = call.caller
    is_member = egid in user.groups and egid in caller.groups
    if egid != -1 and not caller.is_admin and not is_member:
        raise ApiError(f"EGID {egid} is not in the group list of user {user.oid}.", user.oid)
    # As OpenNebula: whoever has other groups than the user, oneadmin too, must name a group.
    if egid == -1 and set(user.groups) != caller.groups:
        raise ApiError("Cannot create a full token with a specific group token", user.oid)
    now = int(time.time())
    made = LoginToken(token or password.generate(), -1 if valid_s == -1 else now + valid_s, egid)
    if not user.add_token(made, now):
        raise ApiError(f"Max number of tokens limit ({TOKENS_MAX}) reached.", user.oid)
    return made.token


def _end_tokens(tx: Tx, uid: int) -> None:
    user = User.find(tx, uid)
    if user is not None:
        user.tokens = []
        user.save(tx)


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
    if accounts.driver_allows(call.conf, user.auth_driver, "DRIVER_MANAGED_GROUPS"):
        raise ActionError(f"Groups cannot be manually managed for auth driver {user.auth_driver}", user.oid)


def _leave(call: Call, uid: int, gid: int) -> None:
    """The group's side of a user that left it; a group that an old database lacks is passed over."""
    group = Group.find(call.tx, gid)
    if group is not None:
        group.remove_user(call.tx, uid)
        group.save(call.tx)
