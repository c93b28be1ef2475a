"""Users and groups: both sides of each membership, and the rows of their quotas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.model.group import USERS_ID, Group
from services.oned.model.user import User
from services.oned.store import Tx, consistency, quotas

_LDAP = "ldap"
_QUOTA_ROWS = (("USER", "user", "user_quotas"), ("GROUP", "group", "group_quotas"))


def check(zone: Zone) -> Iterator[Finding]:
    """Every user is in its groups, every group lists its users, its administrators are among them."""
    groups = {group.oid: group for group in zone.all(Group)}
    for user in zone.all(User):
        yield from _groups_of(user, groups)
    for group in groups.values():
        members = sorted(user.oid for user in zone.all(User) if group.oid in user.groups)
        if sorted(group.users) != members:
            text = f"group {group.oid}: USERS are {sorted(group.users)}, the users say {members}"
            yield Finding(text, partial(_list_users, gid=group.oid, members=members))
        strangers = sorted(set(group.admins) - set(members))
        if strangers:
            text = f"group {group.oid}: ADMINS lists {strangers}, who are not members"
            yield Finding(text, partial(_dismiss, gid=group.oid, admins=strangers))
    yield from _same_ldap_names(zone)


def check_quota_rows(zone: Zone) -> Iterator[Finding]:
    """Every user and group has a quota document."""
    for kind, label, table in _QUOTA_ROWS:
        for oid in consistency.missing_dependents(zone.tx, table):
            yield Finding(f"{label} {oid}: has no quota document", partial(quotas.insert, kind=kind, oid=oid))


def _groups_of(user: User, groups: dict[int, Group]) -> Iterator[Finding]:
    if user.gid not in groups:
        text = f"user {user.oid}: its primary group {user.gid} does not exist"
        yield Finding(text, partial(_move, uid=user.oid))
    elif user.gid not in user.groups:
        text = f"user {user.oid}: GROUPS {user.groups} lack the primary group {user.gid}"
        yield Finding(text, partial(_join, uid=user.oid, gid=user.gid))
    for gid in user.groups:
        if gid not in groups and gid != user.gid:
            text = f"user {user.oid}: is in group {gid}, which does not exist"
            yield Finding(text, partial(_leave, uid=user.oid, gid=gid))


def _same_ldap_names(zone: Zone) -> Iterator[Finding]:
    # LDAP servers compare names without regard to case.
    named: dict[str, list[User]] = defaultdict(list)
    for user in zone.all(User):
        if user.auth_driver == _LDAP:
            named[user.name.lower()].append(user)
    for same in named.values():
        if len(same) > 1:
            listed = ", ".join(f"{user.oid} ({user.name})" for user in same)
            yield Finding(
                f"users {listed}: LDAP does not tell their names apart; rename or delete all but one"
            )


# -- repairs -----------------------------------------------------------------------------------------------
def _list_users(tx: Tx, gid: int, members: list[int]) -> None:
    group = Group.load(tx, gid)
    for uid in sorted(set(group.users) - set(members)):
        group.remove_user(tx, uid)
    group.users = members
    group.save(tx)


def _dismiss(tx: Tx, gid: int, admins: list[int]) -> None:
    group = Group.load(tx, gid)
    for uid in admins:
        if uid in group.admins:
            group.remove_admin(tx, uid)
    group.save(tx)


def _move(tx: Tx, uid: int) -> None:
    """Give a user without a primary group the one that new users get."""
    user, group = User.load(tx, uid), Group.find(tx, USERS_ID)
    if group is None:
        return
    user.leave(user.gid)
    user.gid, user.gname = group.oid, group.name
    user.join(group.oid)
    user.save(tx)


def _join(tx: Tx, uid: int, gid: int) -> None:
    user = User.load(tx, uid)
    user.join(gid)
    user.save(tx)


def _leave(tx: Tx, uid: int, gid: int) -> None:
    user = User.load(tx, uid)
    user.leave(gid)
    user.save(tx)
