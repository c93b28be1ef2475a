"""What the methods of every kind of object do alike: update, rename, permissions, ownership, locks, lists.

Each function works on the objects of one call; the rights that a method's registry row checks are not
checked again here. Codes and texts follow the recorded answers of release 6.0.0.3.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from services.common.template import Template, TemplateError
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.auth import access, encrypted, operations
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, ApiError, AuthorizationError, RequestError
from services.oned.model import acl, quota, restricted
from services.oned.model.base import Lock, Permissions, PoolObject, check_name
from services.oned.model.group import Group
from services.oned.model.user import User
from services.oned.model.vdc import Vdc
from services.oned.store import names, pools

_P = TypeVar("_P", bound=PoolObject)

CHMOD_PARAMS = (
    "{id}:i user_use:i user_manage:i user_admin:i group_use:i group_manage:i group_admin:i "
    "other_use:i other_manage:i other_admin:i"
)
REPLACE, MERGE = 0, 1
ALL_VISIBLE = -2
_PRIMARY_GROUP = -4
# Kinds that a user may be given although another one of his has the name.
_ANY_NAME = frozenset({"VM", "DATASTORE", "DOCUMENT", "MARKETPLACE"})
# Kinds whose names need not differ.
_FREE_NAMES = frozenset({"vm_pool", "document_pool", "vrouter_pool"})
_RESTRICTED = {
    "TEMPLATE": "VM_RESTRICTED_ATTR",
    "VM": "VM_RESTRICTED_ATTR",
    "IMAGE": "IMAGE_RESTRICTED_ATTR",
    "NET": "VNET_RESTRICTED_ATTR",
    "VNTEMPLATE": "VNET_RESTRICTED_ATTR",
    "USER": "USER_RESTRICTED_ATTR",
    "GROUP": "GROUP_RESTRICTED_ATTR",
}
_SETTING_OPERATIONS = frozenset({"USER", "GROUP"})  # their templates set the rights that VM operations need
_VDC_COLLECTIONS = {"CLUSTER": "CLUSTERS", "HOST": "HOSTS", "DATASTORE": "DATASTORES", "NET": "VNETS"}
_ADMIN_BITS = (2, 5, 8)
_OTHER_BITS = (6, 7, 8)
_LOCK_LEVELS = range(5)


def new_permissions(call: Call) -> Permissions:
    """The bits of an object that the caller creates."""
    if call.caller.uid == 0 or call.caller.gid == 0:
        base = 0o777
    else:
        base = 0o666 if call.conf.enable_other_permissions else 0o660
    return Permissions.from_umask(base, call.caller.umask)


def own(call: Call, new: PoolObject) -> None:
    """Make the caller the owner of an object that is about to be stored, with the permissions due."""
    caller = call.caller
    new.uid, new.gid, new.uname, new.gname = caller.uid, caller.gid, caller.name, caller.gname
    new.permissions = new_permissions(call)


def require_free_name(call: Call, model: type[PoolObject], name: str) -> None:
    """Raise RequestError when the name cannot be given to a new object of the caller."""
    check_name(name)
    taken = names.taken_by(call.tx, model.TABLE, name, call.caller.uid if model.UNIQUE_PER_OWNER else None)
    if taken is not None:
        raise RequestError(f"NAME is already taken by {model.KIND} {taken}.")


def info(call: Call, model: type[PoolObject], oid: int, decrypt: bool) -> str:
    """An object's document; with encrypted attributes in clear for an administrator who asks for that.

    The caller's right to see the object is checked before.
    """
    body = call.body(model, oid)
    if not decrypt or not call.caller.is_admin:
        return body
    return encrypted.decrypted_body(call.conf, model.KIND, body)


# -- attributes --------------------------------------------------------------------------------------------
def update_template(
    call: Call,
    model: type[_P],
    oid: int,
    text: str,
    update_type: int,
    settle: Callable[[_P], None] | None = None,
) -> int:
    """Replace (0) or extend (1) an object's attributes; its id.

    settle: puts back what an object cannot be without and follows the change up, before the object is stored;
    what it raises undoes the call. Raises ApiError, RequestError.
    """
    if update_type not in (REPLACE, MERGE):
        raise ApiError(f"Wrong update type {update_type}, expected 0 (replace) or 1 (merge).", oid)
    changed = call.load(model, oid)
    try:
        template = Template.parse(text)
        if model.ONE_OF_EACH:
            template.keep_last()
        _refuse_restricted(call, model, template, changed.template)
        if update_type == REPLACE:
            changed.template = template
        else:
            changed.template.merge(template)
        if model.KIND in _SETTING_OPERATIONS:
            operations.check(changed.template)
        if settle is not None:
            settle(changed)
    except (TemplateError, RequestError) as error:
        raise RequestError(f"Cannot update template. {error}", oid) from None
    encrypted.encrypt(call.conf, model.KIND, changed.template)
    changed.save(call.tx)
    return oid


def _refuse_restricted(call: Call, model: type[PoolObject], template: Template, base: Template) -> None:
    setting = _RESTRICTED.get(model.KIND)
    if setting is None or call.caller.is_admin:
        return
    name = restricted.first_changed(template, base, restricted.names(call.conf.settings, setting))
    if name:
        raise RequestError(f"Tried to change restricted attribute: {name}")


# -- name --------------------------------------------------------------------------------------------------
def rename(
    call: Call,
    model: type[_P],
    oid: int,
    name: str,
    follow_up: Callable[[_P], None] | None = None,
    right: Right | None = None,
) -> int:
    """Give an object another name; its id.

    follow_up: changes what repeats the name elsewhere. right: checked here when the registry's row does not;
    as in OpenNebula, the name that an object has already needs none. Raises ActionError for a bad or a
    taken name.
    """
    renamed = call.load(model, oid)
    if renamed.name == name:
        return oid
    if right is not None:
        call.authorize(model, right, oid)
    try:
        check_name(name)
    except RequestError as error:
        raise ActionError(error.message, oid) from None
    if model.TABLE not in _FREE_NAMES:
        owner = renamed.uid if model.UNIQUE_PER_OWNER else None
        taken = names.taken_by(call.tx, model.TABLE, name, owner)
        # Databases that ignore case find the object itself when only the case changes.
        if taken is not None and taken != oid:
            raise ActionError(
                f"{model.LABEL} cannot be renamed to {name} because it collides with {model.LABEL} {taken}",
                oid,
            )
    renamed.name = name
    renamed.save(call.tx)
    if follow_up is not None:
        follow_up(renamed)
    return oid


# -- permissions and ownership -----------------------------------------------------------------------------
def chmod(call: Call, model: type[PoolObject], oid: int, bits: list[int]) -> int:
    """Change permission bits (owner, group, other; each use, manage, admin); -1 leaves one. The object's id.

    Checks the right itself: MANAGE, or ADMIN when an admin bit changes.
    """
    target = call.load(model, oid)
    before = target.permissions.bits
    changed = {i for i, bit in enumerate(bits) if bit != -1 and bit != before[i]}
    if changed & set(_OTHER_BITS) and not call.conf.enable_other_permissions and not call.caller.is_admin:
        raise AuthorizationError("'other' permissions is disabled in oned.conf", oid)
    call.authorize(model, Right.ADMIN if changed & set(_ADMIN_BITS) else Right.MANAGE, oid)
    if any(bit not in (-1, 0, 1) for bit in bits):
        raise RequestError(f"New permission values must be -1, 0 or 1, found {bits}", oid)
    if changed:
        pairs = zip(bits, before, strict=True)
        target.permissions = Permissions([old if new == -1 else new for new, old in pairs])
        target.save(call.tx)
    return oid


def chown(call: Call, model: type[PoolObject], oid: int, uid: int, gid: int) -> int:
    """Give an object to a user, a group or both; -1 leaves one. The object's id.

    What the object uses counts for the new ones' quotas from then on, which must have room for it.
    Checks the rights itself: MANAGE on the object and the user, USE on the group.
    """
    # Rows are read, and so locked, in the order that every call keeps: users, groups, other objects.
    if uid != -1:
        call.body(User, uid)
    if gid != -1:
        call.body(Group, gid)
    call.authorize(model, Right.MANAGE, oid)
    if uid != -1:
        call.authorize(User, Right.MANAGE, uid)
    if gid != -1:
        call.authorize(Group, Right.USE, gid)
    given = call.load(model, oid)
    # The owner has the name already, so giving an object to its owner is refused, too, as in OpenNebula.
    if uid != -1 and model.KIND not in _ANY_NAME:
        taken = pools.find(call.tx, model.TABLE, given.name, uid)
        if taken is not None:
            raise RequestError(
                f"user [{uid}] already owns {model.LABEL} [{taken}] with NAME {given.name}", oid
            )
    quota.move(call.tx, given.quota_usage(), (given.uid, given.gid), (uid, gid), oid)
    if uid != -1:
        given.uid, given.uname = uid, call.load(User, uid).name
    if gid != -1:
        given.gid, given.gname = gid, call.load(Group, gid).name
    given.save(call.tx)
    return oid


# -- locks -------------------------------------------------------------------------------------------------
def lock(call: Call, model: type[PoolObject], oid: int, level: int, test: bool) -> int:
    """Lock an object; its id. level: 1 use, 2 manage, 3 admin, 4 all, 0 none.

    test: refuse, with the time of the lock as message, when the object is locked already.
    Checks the right itself: MANAGE, which a lock does not stand against here.
    """
    call.authorize(model, Right.MANAGE, oid, lockable=False)
    locked = call.load(model, oid)
    if test and locked.lock is not None:
        raise ActionError(str(locked.lock.time), oid)
    if level not in _LOCK_LEVELS:
        raise ActionError(f"Error trying to lock the resource: level must be 0 to 4, found {level}.", oid)
    locked.lock = Lock(level, call.caller.uid, int(time.time()), call.request_id) if level else None
    locked.save(call.tx)
    return oid


def unlock(call: Call, model: type[PoolObject], oid: int) -> int:
    """Remove the lock that the caller has put on an object (administrators: anybody's); its id.

    Checks the right itself, as lock() does.
    """
    call.authorize(model, Right.MANAGE, oid, lockable=False)
    unlocked = call.load(model, oid)
    holder = unlocked.lock.owner if unlocked.lock else -1
    if holder != call.caller.uid and not call.caller.is_admin:
        raise ActionError("Cannot unlock: Lock is owned by another user", oid)
    if unlocked.lock is not None:
        unlocked.lock = None
        unlocked.save(call.tx)
    return oid


# -- lists -------------------------------------------------------------------------------------------------
def pool_info(
    call: Call,
    model: type[PoolObject],
    filter_flag: int = ALL_VISIBLE,
    start_id: int = -1,
    end_id: int = -1,
    *,
    also: str = "",
    params: tuple[object, ...] = (),
    column: str = "body",
    tail: str = "",
) -> PoolDocument:
    """The pool document of the objects that fit and that the caller may use; its rows are read afterwards.

    filter_flag: -1 own and of own groups, -2 all, -3 own, -4 of the primary group, from 0 on that user's.
    start_id, end_id: a range of ids (-1: open), or with end_id below -1 a page of -end_id objects after the
    first start_id ones. also, params: one more SQL condition.
    tail: elements behind the objects. Raises ApiError.
    """
    if filter_flag < _PRIMARY_GROUP:
        raise ApiError(f"Incorrect filter_flag {filter_flag}, expected -4 to -1 or a user id.")
    where = access.visible(call.tx, call.caller, model, filter_flag)
    limit: int | None = None
    offset = 0
    if end_id < -1:
        limit, offset = -end_id, max(start_id, 0)
    elif start_id != -1:
        where.also("oid >= ?", start_id)
        if end_id != -1:
            where.also("oid <= ?", end_id)
    if also:
        where.also(also, *params)
    rows = pools.batches(
        call.tx, model.TABLE, where, column=column, descending=_descending(call), limit=limit, offset=offset
    )
    return PoolDocument(f"{model.ROOT}_POOL", rows, tail)


def _descending(call: Call) -> bool:
    """The order of lists: as OPENNEBULA of the user or of the group wishes, else as oned.conf says."""
    wished = _order_in(call.caller.template)
    if not wished:
        group = pools.body(call.tx, Group.TABLE, call.caller.gid) or ""
        # Few groups wish, and parsing one with many members takes longer than this list.
        wished = _order_in(Group.from_xml(group).template) if "<API_LIST_ORDER>" in group else None
    order = wished or call.conf.settings.get("API_LIST_ORDER") or "DESC"
    return order.strip().upper() == "DESC"


def _order_in(template: Template) -> str | None:
    return (template.get_vector("OPENNEBULA") or {}).get("API_LIST_ORDER")


# -- deletion ----------------------------------------------------------------------------------------------
def refuse_system_object(doomed: PoolObject, plural: str) -> None:
    """Raise ActionError for an object that a fresh zone has."""
    if doomed.oid < doomed.FIRST_USER_ID:
        raise ActionError(
            f"Cannot delete {doomed.LABEL}. System {plural} (ID < {doomed.FIRST_USER_ID}) cannot be deleted.",
            doomed.oid,
        )


def forget(call: Call, deleted: PoolObject) -> None:
    """Remove what still names a deleted object: permission rules, and its place in VDCs."""
    acl.delete_for_object(call.tx, type(deleted), deleted.oid)
    collection = _VDC_COLLECTIONS.get(deleted.KIND)
    if collection is None:
        return
    member = (call.conf.zone_id, deleted.oid)
    for vdc_id in pools.ids(call.tx, Vdc.TABLE):
        vdc = Vdc.load(call.tx, vdc_id)
        if member in vdc.resources[collection]:
            vdc.resources[collection].remove(member)
            vdc.save(call.tx)
