"""VDCs and permission rules that name objects which were deleted.

An id that was never given out is no contradiction: a rule may be made before its object.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial

from services.oned.fsck.documents import MODELS, SHARED
from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.model import acl
from services.oned.model.acl import ALL, CLUSTER, GROUP, ID_BITS, INDIVIDUAL, KIND_BITS, Rule
from services.oned.model.base import PoolObject
from services.oned.model.cluster import Cluster
from services.oned.model.datastore import Datastore
from services.oned.model.group import Group
from services.oned.model.host import Host
from services.oned.model.user import User
from services.oned.model.vdc import ALL_RESOURCES, Vdc
from services.oned.model.vnet import VirtualNetwork
from services.oned.model.zone import Zone as ZoneObject
from services.oned.store import Tx, acls, consistency

_MODELS = {model.KIND: model for model in MODELS}
_SHARED_KINDS = frozenset(model.KIND for model in SHARED)
_MEMBERS: dict[str, type[PoolObject]] = {
    "CLUSTERS": Cluster,
    "HOSTS": Host,
    "DATASTORES": Datastore,
    "VNETS": VirtualNetwork,
}


def check(zone: Zone) -> Iterator[Finding]:
    """Groups and resources of VDCs, and subjects, resources and zones of rules."""
    gone = _Gone(zone)
    for vdc in zone.all(Vdc):
        yield from _vdc(zone, vdc, gone)
    for rule in acl.rules(zone.tx):
        problem = _problem(zone, rule, gone)
        if problem is not None:
            fix = partial(acls.delete, oid=rule.oid)
            yield Finding(f"permission rule {rule.oid} ({rule}): {problem}, which does not exist", fix)


class _Gone:
    """Which objects existed once and do not any more."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._ids: dict[str, tuple[frozenset[int], int]] = {}

    @cached_property
    def _vm_ids(self) -> frozenset[int]:
        # Machines that have ended count as being there.
        return frozenset(consistency.ids(self._zone.tx, "vm_pool"))

    def has(self, model: type[PoolObject], oid: int) -> bool:
        if model.KIND not in self._ids:
            there = (
                self._vm_ids
                if model.KIND == "VM"
                else frozenset(found.oid for found in self._zone.all(model))
            )
            last = consistency.last_given(self._zone.tx, model.TABLE)
            self._ids[model.KIND] = there, -1 if last is None else last
        there, last_given = self._ids[model.KIND]
        return oid not in there and oid <= last_given


def _vdc(zone: Zone, vdc: Vdc, gone: _Gone) -> Iterator[Finding]:
    groups = [gid for gid in vdc.groups if gone.has(Group, gid)]
    if groups:
        text = f"VDC {vdc.oid}: has groups {groups}, which do not exist"
        yield Finding(text, partial(_drop_groups, oid=vdc.oid, groups=groups))
    for collection, model in _MEMBERS.items():
        for zone_id, oid in vdc.resources[collection]:
            is_gone = oid != ALL_RESOURCES and zone_id == zone.zone_id and gone.has(model, oid)
            if is_gone or gone.has(ZoneObject, zone_id):
                text = f"VDC {vdc.oid}: {collection} has {oid} of zone {zone_id}, which does not exist"
                yield Finding(text, partial(_drop, oid=vdc.oid, collection=collection, member=(zone_id, oid)))


def _problem(zone: Zone, rule: Rule, gone: _Gone) -> str | None:
    """What a rule names that is gone, or None."""
    subject = rule.user & ID_BITS
    if rule.user & INDIVIDUAL and gone.has(User, subject):
        return f"it is for user {subject}"
    if rule.user & GROUP and gone.has(Group, subject):
        return f"it is for group {subject}"
    if rule.zone & INDIVIDUAL and gone.has(ZoneObject, rule.zone & ID_BITS):
        return f"it is for zone {rule.zone & ID_BITS}"
    oid = rule.resource & ID_BITS
    here = rule.zone in (ALL, INDIVIDUAL | zone.zone_id)
    if rule.resource & GROUP and gone.has(Group, oid):
        return f"it is on objects of group {oid}"
    if rule.resource & CLUSTER and here and gone.has(Cluster, oid):
        return f"it is on objects of cluster {oid}"
    if rule.resource & INDIVIDUAL:
        kinds = [kind for kind, bit in KIND_BITS.items() if rule.resource & bit]
        models = [_MODELS[kind] for kind in kinds if kind in _SHARED_KINDS or here]
        # A rule may name several kinds; it still means something while an object of one of them is there.
        if models and len(models) == len(kinds) and all(gone.has(model, oid) for model in models):
            return f"it is on {'/'.join(model.LABEL for model in models)} {oid}"
    return None


# -- repairs -----------------------------------------------------------------------------------------------
def _drop_groups(tx: Tx, oid: int, groups: list[int]) -> None:
    # The rules that the VDC gave these groups name them, and are found as such.
    vdc = Vdc.load(tx, oid)
    vdc.groups = [gid for gid in vdc.groups if gid not in groups]
    vdc.save(tx)


def _drop(tx: Tx, oid: int, collection: str, member: tuple[int, int]) -> None:
    vdc = Vdc.load(tx, oid)
    if member in vdc.resources[collection]:
        vdc.resources[collection].remove(member)
        vdc.save(tx)
