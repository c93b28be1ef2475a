"""Whether a caller may do something: locks first, then permission bits, then permission rules.

Administrators pass without their request being looked at, but a lock holds for them too. Reads ignore locks.
Source: authorization of release 6.0.0.3; the recorded refusals.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from services.common import xmldoc
from services.common.log import DDEBUG
from services.oned.auth import acl
from services.oned.auth.acl import Reach, Target
from services.oned.auth.rights import Right
from services.oned.auth.session import Caller
from services.oned.errors import ApiError, AuthorizationError
from services.oned.model.acl import Rule, kinds
from services.oned.model.base import Permissions, PoolObject, number
from services.oned.store import Tx, acls
from services.oned.store.pools import Where

_log = logging.getLogger("AuM")
MINE_AND_GROUPS, EVERYTHING, MINE, PRIMARY_GROUP = -1, -2, -3, -4

_BITS = tuple(f"{who}_{right}" for who in ("OWNER", "GROUP", "OTHER") for right in "UMA")
# Most documents begin like this. Names cannot hold markup, so nothing that a user writes can imitate it.
_HEAD = re.compile(
    r"<\w+><ID>\d+</ID><UID>(-?\d+)</UID><GID>(-?\d+)</GID><UNAME>[^<]*</UNAME><GNAME>[^<]*</GNAME>"
    r"<NAME>[^<]*</NAME><PERMISSIONS>" + "".join(f"<{bit}>([01])</{bit}>" for bit in _BITS) + "</PERMISSIONS>"
)
_PARENT_NETWORK = re.compile(r"<PARENT_NETWORK_ID(?:/>|>(\d+)<)")
_USER_GID = re.compile(r"<USER><ID>\d+</ID><GID>(-?\d+)</GID>")
# Documents of these kinds name no owner: oneadmin owns the objects, with use and manage.
_OWNERLESS = frozenset({"CLUSTER", "HOST", "ZONE", "VDC", "HOOK", "ACL"})
_OWNER_ONLY = (1, 1, 0, 0, 0, 0, 0, 0, 0)
_GROUP_SEES = (1, 1, 0, 1, 0, 0, 0, 0, 0)
# Kinds that lie in several clusters, with the table that says in which.
_CLUSTER_TABLES = {"DATASTORE": "cluster_datastore_relation", "NET": "cluster_network_relation"}


@dataclass(frozen=True, slots=True)
class _Owned:
    """Owner, group and the nine permission bits of an object."""

    uid: int
    gid: int
    bits: tuple[int, ...]


def require(
    tx: Tx,
    caller: Caller,
    model: type[PoolObject],
    right: Right,
    oid: int,
    body: str,
    *,
    lockable: bool = True,
) -> None:
    """Raise AuthorizationError unless the caller has the right on the object with that document.

    lockable: a lock on the object stands against the right; never in a read.
    """
    if lockable and tx.writable and "<LOCK>" in body and 0 < _lock_level(body) <= right:
        denied = f"{model.KIND} is locked." if caller.is_admin else _denial(model, right)
        raise AuthorizationError(f"User [{caller.uid}] : {denied} [{oid}].", oid)
    if caller.is_admin:
        if _log.isEnabledFor(DDEBUG):
            who = "oneadmin" if caller.is_oneadmin else "a member of the oneadmin group"
            _log.log(DDEBUG, "User %d may %s %s %d: is %s.", caller.uid, right.name, model.KIND, oid, who)
        return
    owned = _owned(model, oid, body)
    bit = _allowing_bit(caller, owned, right)
    if bit:
        _log.debug("User %d may %s %s %d: permission bit %s.", caller.uid, right.name, model.KIND, oid, bit)
        return
    target = Target(
        kinds(model.KIND), oid, owned.gid, lambda: _clusters(model, body), _is_reservation(model, body)
    )
    if not _rule_allows(tx, caller, model, target, right):
        raise AuthorizationError(f"User [{caller.uid}] : {_denial(model, right)} [{oid}].", oid)


def require_create(tx: Tx, caller: Caller, model: type[PoolObject]) -> None:
    """Raise AuthorizationError unless the caller may create objects of the kind."""
    require_kind(tx, caller, model, Right.CREATE)


def require_kind(tx: Tx, caller: Caller, model: type[PoolObject], right: Right) -> None:
    """Raise AuthorizationError unless the caller has the right on a kind as such, without an object."""
    if caller.is_admin:
        return
    # What is created will be of the caller's group; a kind as such is of none.
    target = Target(kinds(model.KIND), -1, caller.gid if right is Right.CREATE else -1)
    if not _rule_allows(tx, caller, model, target, right):
        raise AuthorizationError(f"User [{caller.uid}] : {_denial(model, right)}.")


def _denial(model: type[PoolObject], right: Right) -> str:
    return f"Not authorized to perform {right.name} {model.KIND}"


def _rule_allows(tx: Tx, caller: Caller, model: type[PoolObject], target: Target, right: Right) -> bool:
    rule = acl.allowing(_rules(tx, caller), caller, target, right)
    if rule is None:
        return False
    _log.debug(
        "User %d may %s %s %d: rule %d, %s.", caller.uid, right.name, model.KIND, target.oid, rule.oid, rule
    )
    return True


def _rules(tx: Tx, caller: Caller) -> list[Rule]:
    """The stored rules about the caller, read anew each time: a change holds at once."""
    return [Rule(*row) for row in acls.of_subjects(tx, acl.subjects(caller))]


# -- what a document says ----------------------------------------------------------------------------------
def _allowing_bit(caller: Caller, owned: _Owned, right: Right) -> str:
    """The name of the bit that allows it (``GROUP_U``), or an empty text."""
    column = right.bit_length() - 1
    applies = (owned.uid == caller.uid, owned.gid in caller.groups, True)
    for who, holds in enumerate(applies):
        if holds and owned.bits[3 * who + column]:
            return _BITS[3 * who + column]
    return ""


def _owned(model: type[PoolObject], oid: int, body: str) -> _Owned:
    if model.KIND == "USER":
        found = _USER_GID.match(body)
        return _Owned(oid, int(found[1]) if found else number(xmldoc.parse(body), "GID", -1), _OWNER_ONLY)
    if model.KIND == "GROUP":
        return _Owned(0, oid, _GROUP_SEES)
    if model.KIND in _OWNERLESS:
        return _Owned(0, 0, _OWNER_ONLY)
    head = _HEAD.match(body)
    if head is not None:
        uid, gid, *bits = map(int, head.groups())
        return _Owned(uid, gid, tuple(bits))
    element = xmldoc.parse(body, model.KIND)
    permissions = Permissions.from_element(element.find("PERMISSIONS"))
    return _Owned(number(element, "UID", -1), number(element, "GID", -1), tuple(permissions.bits))


def _lock_level(body: str) -> int:
    return number(xmldoc.parse(body), "LOCK/LOCKED")


def _clusters(model: type[PoolObject], body: str) -> list[int]:
    element = xmldoc.parse(body, model.KIND)
    if model.KIND in _CLUSTER_TABLES:
        return [int(child.text or -1) for child in element.findall("CLUSTERS/ID")]
    return [number(element, "CLUSTER_ID", -1)]


def _is_reservation(model: type[PoolObject], body: str) -> bool:
    """Whether it is a network of addresses of another one: rules about all networks do not mean those."""
    found = _PARENT_NETWORK.search(body) if model.KIND == "NET" else None
    return found is not None and found[1] is not None


# -- lists -------------------------------------------------------------------------------------------------
def visible(tx: Tx, caller: Caller, model: type[PoolObject], filter_flag: int) -> Where:
    """The condition for the objects of a list that the caller may use.

    filter_flag: -1 own and those of own groups, -2 all, -3 own, -4 of the primary group, from 0 on those of
    that user. Raises ApiError for other values.
    """
    where = Where()
    if filter_flag < PRIMARY_GROUP:
        raise ApiError(f"Incorrect filter_flag {filter_flag}, expected -4 to -1 or a user id.")
    if filter_flag == MINE:
        where.also(f"uid = {caller.uid}")
    elif filter_flag == PRIMARY_GROUP:
        # As OpenNebula: this list does not ask for the group's bits.
        where.also(f"gid = {caller.gid}")
    elif filter_flag == EVERYTHING:
        usable = _usable(tx, caller, model)
        if usable:
            where.also(f"uid = {caller.uid} OR {usable}")
    elif filter_flag == MINE_AND_GROUPS:
        usable = _usable(tx, caller, model)
        groups = _among("gid", sorted(caller.groups))
        where.also(f"uid = {caller.uid} OR ({groups}{f' AND ({usable})' if usable else ''})")
    else:
        where.also(f"uid = {filter_flag}")
        if filter_flag != caller.uid:
            usable = _usable(tx, caller, model)
            if usable:
                where.also(usable)
    return where


def _usable(tx: Tx, caller: Caller, model: type[PoolObject]) -> str:
    """The condition for what bits and rules open to the caller besides the own; empty when all is open."""
    if caller.is_admin:
        return ""
    rules = _rules(tx, caller)
    opened = acl.reach(rules, kinds(model.KIND), Right.USE, caller.zone_id)
    if model.KIND == "NET":
        owned = acl.reach(rules, kinds(model.KIND), Right.USE, caller.zone_id, is_narrow=True)
        networks = "" if opened.all else f" AND ({_usable_by(caller, model, opened)})"
        return f"(pid = -1{networks}) OR {_usable_by(caller, model, owned)}"
    return "" if opened.all else _usable_by(caller, model, opened)


def _usable_by(caller: Caller, model: type[PoolObject], opened: Reach) -> str:
    """The condition for what bits and these rules open."""
    groups = _among("gid", sorted(caller.groups))
    return " OR ".join(["other_u = 1", f"({groups} AND group_u = 1)", *_opened(model, opened)])


def _opened(model: type[PoolObject], opened: Reach) -> list[str]:
    found = []
    if opened.oids:
        found.append(_among("oid", opened.oids))
    if opened.gids:
        found.append(_among("gid", opened.gids))
    if opened.cids:
        table = _CLUSTER_TABLES.get(model.KIND)
        listed = _among("cid", opened.cids)
        found.append(f"oid IN (SELECT oid FROM {table} WHERE {listed})" if table else listed)
    return found


def _among(column: str, ids: list[int]) -> str:
    return f"{column} IN ({','.join(str(int(oid)) for oid in ids)})"
