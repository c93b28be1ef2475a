"""Finding the rule that allows a request: pure functions on rules and numbers, no database.

A rule's numbers are described in model/acl.py. Source: rule evaluation of release 6.0.0.3. There are no
rules that deny, so the first one that fits decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from services.oned.auth.session import Caller
from services.oned.model.acl import ALL, CLUSTER, GROUP, ID_BITS, INDIVIDUAL, SELECTORS, Rule


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about: a kind's bit, and an object's id and group (-1: none)."""

    bit: int
    oid: int
    gid: int
    clusters: Callable[[], list[int]] = list  # called only when a rule names a cluster
    is_narrow: bool = False  # rules about all objects of the kind, or a cluster's, do not hold


@dataclass(slots=True)
class Reach:
    """The objects of a kind that rules open to a caller: all, or some by id, group and cluster."""

    all: bool = False
    oids: list[int] = field(default_factory=list)
    gids: list[int] = field(default_factory=list)
    cids: list[int] = field(default_factory=list)


def subjects(caller: Caller) -> list[int]:
    """The USER values of rules that hold for the caller, in the order in which they are tried."""
    return [ALL, INDIVIDUAL | caller.uid, *(GROUP | gid for gid in sorted(caller.groups))]


def _holds(rule: Rule, bit: int, right: int, zone_id: int) -> bool:
    """Whether a rule is about the kind, gives the right, and is meant for the zone."""
    in_zone = rule.zone & ALL or rule.zone == INDIVIDUAL | zone_id
    return bool(in_zone and rule.resource & bit and rule.rights & right == right)


def allowing(rules: Iterable[Rule], caller: Caller, target: Target, right: int) -> Rule | None:
    """The first rule, in the order of subjects(), that lets the caller do it; None when there is none."""
    fitting = [rule for rule in rules if _holds(rule, target.bit, right, caller.zone_id)]
    for subject in subjects(caller):
        for rule in fitting:
            if rule.user == subject and _covers(rule.resource, target):
                return rule
    return None


def _covers(resource: int, target: Target) -> bool:
    selector, oid = resource & SELECTORS, resource & ID_BITS
    if selector in (ALL, CLUSTER) and target.is_narrow:
        return False
    if selector == ALL:
        return True
    if selector == INDIVIDUAL:
        return oid == target.oid
    if selector == GROUP:
        return oid == target.gid
    return selector == CLUSTER and oid in target.clusters()


def reach(rules: Iterable[Rule], bit: int, right: int, zone_id: int, *, is_narrow: bool = False) -> Reach:
    """What rules open: the search the other way round, for lists. The rules are the caller's own.

    is_narrow: without rules about all objects of the kind, or a cluster's.
    """
    found = Reach()
    by_selector = {INDIVIDUAL: found.oids, GROUP: found.gids, CLUSTER: found.cids}
    for rule in rules:
        if not _holds(rule, bit, right, zone_id):
            continue
        selector = rule.resource & SELECTORS
        if is_narrow and selector in (ALL, CLUSTER):
            continue
        if selector == ALL:
            return Reach(all=True)
        if selector in by_selector:
            by_selector[selector].append(rule.resource & ID_BITS)
    return found
