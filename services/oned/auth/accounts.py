"""Creating users, and keeping their groups as a driver says. User and group both record the membership.

Rows are read, and so locked, in the order that every call keeps: the user, then groups by their ids.
Source: user creation and driver managed groups of release 6.0.0.3.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from services.common.template import is_yes
from services.oned.auth import password
from services.oned.config import OnedConf
from services.oned.errors import RequestError
from services.oned.model.base import check_name
from services.oned.model.group import Group
from services.oned.model.user import CORE, User
from services.oned.store import Tx, pools

_log = logging.getLogger("AuM")
NO_TOKENS, ANY_TOKEN_TIME = 0, -1


def driver_allows(conf: OnedConf, driver: str, setting: str) -> bool:
    """A YES/NO setting of a driver's AUTH_MAD_CONF; NO when the driver has none."""
    return is_yes((conf.driver("AUTH_MAD_CONF", driver) or {}).get(setting, "NO"))


def max_token_time_s(conf: OnedConf, driver: str) -> int:
    """How long login tokens of a driver's users may last: -1 without an end, 0 not at all."""
    text = (conf.driver("AUTH_MAD_CONF", driver) or {}).get("MAX_TOKEN_TIME", "")
    try:
        return int(text)
    except ValueError:
        return ANY_TOKEN_TIME


def check_new(tx: Tx, name: str, secret: str) -> None:
    """Raise RequestError when no user of that name and password can be made."""
    problem = password.problem(secret)
    if problem:
        raise RequestError(f"{problem}.")
    check_name(name, spaces=False)
    taken = pools.find(tx, User.TABLE, name)
    if taken is not None:
        raise RequestError(f"NAME is already taken by USER {taken}.")


def create(
    tx: Tx, name: str, stored: str, driver: str, gids: list[int], admin_of: Collection[int] = ()
) -> User:
    """A new user, stored; ``gids[0]`` is the primary group.

    stored: the password as the driver keeps it, see check_new(). Raises RequestError for missing groups.
    """
    groups = [Group.find(tx, gid) for gid in sorted(set(gids))]
    found = [group for group in groups if group is not None]
    if not found or len(found) < len(groups):
        raise RequestError(f"One or more of the groups {','.join(map(str, sorted(set(gids))))} do not exist.")
    user = User(-1, name, gid=gids[0])
    user.auth_driver = driver or CORE
    user.password = stored
    user.template.set("TOKEN_PASSWORD", password.generate())
    for group in found:
        user.join(group.oid)
        if group.oid == user.gid:
            user.gname = group.name
    user.insert(tx)
    for group in found:
        group.add_user(user.oid)
        if group.oid in admin_of:
            group.add_admin(tx, user.oid)
        group.save(tx)
    return user


def set_groups(tx: Tx, user: User, gids: list[int], admin_of: Collection[int] | None) -> None:
    """Make a user's groups those that a driver names; the first one replaces a primary one that is gone.

    admin_of: the groups that the user administers, None leaves that as it is. Raises RequestError.
    """
    wanted, before = set(gids), set(user.groups)
    groups = {gid: Group.find(tx, gid) for gid in sorted(wanted | before)}
    missing = sorted(gid for gid in wanted if groups[gid] is None)
    if missing:
        raise RequestError(f"One or more group IDs do not exist: {','.join(map(str, missing))}")
    if user.gid not in wanted:
        primary = groups[gids[0]]
        assert primary is not None
        user.gid, user.gname = primary.oid, primary.name
    user.groups = sorted(wanted)
    user.save(tx)
    for gid, group in groups.items():
        if group is None:  # an old database may lack one that the user is to leave
            continue
        if gid not in wanted:
            group.remove_user(tx, user.oid)
        else:
            group.add_user(user.oid)
            if admin_of is not None and (gid in admin_of) != (user.oid in group.admins):
                change = group.add_admin if gid in admin_of else group.remove_admin
                change(tx, user.oid)
        group.save(tx)
    _log.info("User %d: driver %s sets groups %s.", user.oid, user.auth_driver, sorted(wanted))
