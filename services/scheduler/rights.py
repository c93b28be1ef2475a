"""Where a user's VMs may go: hosts that the owner may manage, datastores and networks that it may use.

The rights of the VM's owner count, not those of whoever the scheduler calls as: that is what makes a VDC hold
for VMs that wait. VMs of oneadmin, and of the oneadmin group, may go anywhere.

Source: rights that the scheduler of OpenNebula 6.0.0.3 asks for; rule numbers of its ACL reference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from services.common import xmldoc
from services.scheduler.records import Datastore, Network, Reach, Snapshot
from services.scheduler.snapshot import Caller

_INDIVIDUAL, _GROUP, _ALL, _CLUSTER = 0x1_0000_0000, 0x2_0000_0000, 0x4_0000_0000, 0x8_0000_0000
_SELECTORS, _ID_BITS = 0xF_0000_0000, 0xFFFF_FFFF
_HOST, _NET, _DATASTORE = 0x20_0000_0000, 0x40_0000_0000, 0x1000_0000_0000
_USE, _MANAGE = 1, 2
_ONEADMINS = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """A permission rule for this zone, in the numbers of the API."""

    subject: int
    resource: int
    rights: int


@dataclass(slots=True)
class _Opened:
    """What rules open of one kind: everything, or some by id, group and cluster."""

    all: bool = False
    ids: set[int] = field(default_factory=set)
    gids: set[int] = field(default_factory=set)
    cluster_ids: set[int] = field(default_factory=set)


def limit(client: Caller, snapshot: Snapshot, zone_id: Callable[[], int]) -> None:
    """Say for each VM of the snapshot where its owner may have it; the front-end is asked only if needed.

    Raises what the client raises, and XmlError.
    """
    owned = [vm for vm in snapshot.vms if _ONEADMINS not in (vm.uid, vm.gid)]
    if not owned:
        return
    rules = parse_rules(str(client.call("acl.info")), zone_id())
    groups = parse_groups(str(client.call("grouppool.info")))
    known: dict[int, Reach] = {}
    for vm in owned:
        if vm.uid not in known:
            known[vm.uid] = reach(rules, vm.uid, groups[vm.uid], snapshot.datastores, snapshot.networks)
        vm.reach = known[vm.uid]


def parse_rules(pool: str, zone_id: int) -> list[Rule]:
    """The rules of an ACL_POOL document that are about hosts, networks or datastores of the zone."""
    found = []
    for element in xmldoc.parse(pool, "acl").iterfind("ACL"):
        subject, resource, rights, zone = (
            int(element.findtext(name) or "0", 16) for name in ("USER", "RESOURCE", "RIGHTS", "ZONE")
        )
        if resource & (_HOST | _NET | _DATASTORE) and (zone & _ALL or zone == _INDIVIDUAL | zone_id):
            found.append(Rule(subject, resource, rights))
    return found


def parse_groups(pool: str) -> defaultdict[int, set[int]]:
    """The groups of each user, by the members that a GROUP_POOL document lists."""
    groups: defaultdict[int, set[int]] = defaultdict(set)
    for element in xmldoc.parse(pool, "grouppool").iterfind("GROUP"):
        for member in element.iterfind("USERS/ID"):
            groups[int(member.text or -1)].add(int(element.findtext("ID") or -1))
    return groups


def reach(
    rules: Iterable[Rule],
    uid: int,
    groups: set[int],
    datastores: Iterable[Datastore],
    networks: Iterable[Network] = (),
) -> Reach:
    """Where VMs of a user of these groups may go, and which networks they may have."""
    subjects = {_ALL, _INDIVIDUAL | uid, *(_GROUP | gid for gid in groups)}
    mine = [rule for rule in rules if rule.subject in subjects]
    hosts, stores = _opened(mine, _HOST, _MANAGE), _opened(mine, _DATASTORE, _USE)
    leased = _opened(mine, _NET, _USE)
    return Reach(
        hosts.all,
        frozenset(hosts.ids),
        frozenset(hosts.cluster_ids),
        frozenset(store.id for store in datastores if _may_use(store, uid, groups, stores)),
        frozenset(network.id for network in networks if _may_use(network, uid, groups, leased)),
    )


def _opened(rules: Iterable[Rule], kind: int, right: int) -> _Opened:
    found = _Opened()
    by_selector = {_INDIVIDUAL: found.ids, _GROUP: found.gids, _CLUSTER: found.cluster_ids}
    for rule in rules:
        selector = rule.resource & _SELECTORS
        if not (rule.resource & kind and rule.rights & right):
            continue
        if selector == _ALL:
            found.all = True
        elif selector in by_selector:
            by_selector[selector].add(rule.resource & _ID_BITS)
    return found


def _may_use(store: Datastore | Network, uid: int, groups: set[int], opened: _Opened) -> bool:
    owner, group, others = store.use_bits
    return (
        others
        or (owner and store.uid == uid)
        or (group and store.gid in groups)
        or opened.all
        or store.id in opened.ids
        or store.gid in opened.gids
        or not opened.cluster_ids.isdisjoint(store.cluster_ids)
    )
