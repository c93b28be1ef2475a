"""What holds for every plan with VM groups: no rule is broken, sets are whole, and nothing that fits waits.

The rules are checked from the groups themselves, pair by pair, with nothing of the scheduler's own model.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.groups import AFFINED, ANTI_AFFINED, VMGroup
from services.scheduler.plan import plan
from services.scheduler.records import MONITORED, VM, Host, Snapshot

from .clouds import cloud, conf, hosts, vm
from .test_affinity import group

_ROLES = "abc"
_HOSTS = ["", "", "", "0,1", "1,2,3", "9"]
_role = st.fixed_dictionaries(
    {
        "policy": st.sampled_from(["", "", AFFINED, ANTI_AFFINED]),
        "host_affined": st.sampled_from(_HOSTS),
        "host_anti_affined": st.sampled_from(_HOSTS),
    }
)
_rule = st.lists(st.sampled_from(_ROLES), min_size=1, max_size=3, unique=True).map(",".join)
_rules = st.lists(_rule, max_size=2)
_host = st.fixed_dictionaries(
    {
        "cpu": st.sampled_from([600, 400, 200, 100]),
        "memory": st.sampled_from([4096, 1024, 100]),
        "state": st.sampled_from([MONITORED] * 6 + [4]),
        "template": st.sampled_from(["<RACK>1</RACK>", "<RACK>2</RACK>"]),
    }
)
_member = st.tuples(
    st.sampled_from([50, 100, 150]), st.sampled_from([64, 600]), st.sampled_from(["", "", "RACK = 1"]),
    st.sampled_from([None, None, "a", "a", "b", "b", "c"]), st.integers(0, 1),
    st.sampled_from(["waits", "waits", "waits", "runs", "moves"]), st.integers(0, 3),
)  # fmt: skip


@st.composite
def clouds(draw: st.DrawFn) -> Snapshot:
    """One or two groups whose VMs wait, run (even against the rules) or are to move."""
    bodies: list[dict[str, Any]] = draw(st.lists(_host, min_size=2, max_size=4))
    members: dict[tuple[int, str], list[int]] = {}
    waiting: list[VM] = []
    for number, (cpu, memory, text, role, group_id, state, at) in enumerate(
        draw(st.lists(_member, min_size=1, max_size=9))
    ):
        if role is not None:
            members.setdefault((group_id, role), []).append(number)
        if state != "waits" and at < len(bodies):
            bodies[at] = {**bodies[at], "vms": [*bodies[at].get("vms", []), number]}
        elif state != "waits":
            continue  # stopped: in its role, nowhere else
        if state != "runs":
            more: dict[str, Any] = {"resched": True, "host_id": at} if state == "moves" else {}
            waiting.append(vm(number, cpu=cpu, memory_mb=memory, requirements=text, **more))
    snapshot = cloud(waiting, hosts(*bodies))
    for group_id in (0, 1):
        roles = {name: {**draw(_role), "vms": members.get((group_id, name), [])} for name in _ROLES}
        snapshot.vmgroups.append(
            group(
                roles,
                oid=group_id,
                affined=draw(_rules),
                apart=draw(_rules if draw(st.booleans()) else st.just([])),
            )
        )
    return snapshot


def _sets(one: VMGroup) -> list[set[str]]:
    """Roles that share a host, by joining until nothing changes."""
    found = [{role.name} for role in one.roles if role.policy == AFFINED] + [
        set(rule) for rule in one.affined
    ]
    while True:
        pair = next(
            (p for p in itertools.combinations(range(len(found)), 2) if found[p[0]] & found[p[1]]), None
        )
        if pair is None:
            return found
        found[pair[0]] |= found.pop(pair[1])


def _pairs(one: VMGroup, policy: str) -> Iterable[tuple[int, int]]:
    """The VMs, two by two, that a policy speaks of."""
    vms = {role.name: role.vm_ids for role in one.roles}
    if policy == AFFINED:
        for names in _sets(one):
            yield from itertools.permutations([vm_id for name in names for vm_id in vms[name]], 2)
        return
    for role in one.roles:
        if role.policy == ANTI_AFFINED:
            yield from itertools.permutations(role.vm_ids, 2)
    for rule in one.anti_affined:
        for left, right in itertools.permutations(rule, 2):
            yield from itertools.product(vms[left], vms[right])


def _contradicts(one: VMGroup, vm_id: int) -> bool:
    """Whether the rules of a VM's role cannot be kept by any cloud, whatever its hosts."""
    role = next(role for role in one.roles if vm_id in role.vm_ids)
    joined = next((names for names in _sets(one) if role.name in names), {role.name})
    roles = [other for other in one.roles if other.name in joined]
    only = [other.only_hosts for other in roles if other.only_hosts is not None]
    never = frozenset().union(*(other.never_hosts for other in roles))
    in_affined_rule = any(role.name in rule for rule in one.affined)
    return (
        (in_affined_rule and any(other.policy == ANTI_AFFINED for other in roles))
        or any(len(rule & joined) > 1 for rule in one.anti_affined)
        or (bool(only) and not frozenset.intersection(*only) - never)
    )


class _End:
    """The cloud after a plan: where each VM is, and what is free."""

    def __init__(self, snapshot: Snapshot, places: dict[int, int]) -> None:
        self.snapshot = snapshot
        self.hosts = {host.id: host for host in snapshot.hosts}
        self.old = {vm_id: host.id for host in snapshot.hosts for vm_id in host.vm_ids}
        self.places = places
        by_id = {one.id: one for one in snapshot.vms}
        self.free = {
            host.id: (
                host.max_cpu
                - host.cpu_usage
                - sum(by_id[i].cpu for i, at in places.items() if at == host.id),
                host.max_memory_kb - sum(by_id[i].memory_kb for i, at in places.items() if at == host.id),
            )
            for host in snapshot.hosts
        }

    def at(self, vm_id: int) -> set[int]:
        """Where a VM is, or will be: one that moves is at both places meanwhile."""
        return {host_id for host_id in (self.old.get(vm_id), self.places.get(vm_id)) if host_id is not None}

    def group(self, vm_id: int) -> VMGroup | None:
        return next(
            (one for one in self.snapshot.vmgroups if any(vm_id in role.vm_ids for role in one.roles)), None
        )

    def allowed(self, one: VM, host: Host) -> bool:
        """Whether the rules and the VM's requirements let it go to a host, room aside."""
        if host.state != MONITORED or host.id == one.host_id:
            return False
        if one.requirements[0] and host.attributes.values("RACK") != ("1",):
            return False
        bound = self.group(one.id)
        if bound is None:
            return True
        role = next(role for role in bound.roles if one.id in role.vm_ids)
        if (role.only_hosts and host.id not in role.only_hosts) or host.id in role.never_hosts:
            return False
        if any(
            host.id in self.at(other)
            for mine, other in _pairs(bound, ANTI_AFFINED)
            if mine == one.id and other != mine
        ):
            return False
        mates = {other for mine, other in _pairs(bound, AFFINED) if mine == one.id and other != mine}
        there = set().union(*(self.at(other) for other in mates)) if mates else set()
        return not there or host.id in there

    def has_room(self, vms: list[VM], host: Host) -> bool:
        cpu, memory_kb = self.free[host.id]
        return cpu >= sum(one.cpu for one in vms) and memory_kb >= sum(one.memory_kb for one in vms)


@settings(max_examples=500, deadline=None)
@given(clouds(), st.integers(0, 2), st.integers(0, 99))
def test_rules_are_kept_and_nothing_that_fits_waits(snapshot: Snapshot, max_host: int, seed: int) -> None:
    made = plan(snapshot, conf(max_host=max_host), seed)
    assert plan(snapshot, conf(max_host=max_host), seed) == made
    assert {one.vm_id for one in made.dispatches} | set(made.refusals) == {one.id for one in snapshot.vms}
    assert all(reason.text() for reason in made.refusals.values())
    by_id = {one.id: one for one in snapshot.vms}
    end = _End(snapshot, {})
    for one in made.dispatches:  # each step is allowed at its moment, sets from their first VM on
        placed, host = by_id[one.vm_id], end.hosts[one.host_id]
        assert end.allowed(placed, host), f"VM {one.vm_id} on host {host.id}"
        assert end.has_room([placed], host)
        end = _End(snapshot, {**end.places, one.vm_id: host.id})
    for bound in snapshot.vmgroups:
        _check_sets(end, bound)
    for vm_id in made.refusals:
        _check_refusal(end, by_id[vm_id])


def _check_sets(end: _End, bound: VMGroup) -> None:
    """VMs of a set that had no host at first are all on one host now, or none has one."""
    for names in _sets(bound):
        members = [vm_id for role in bound.roles if role.name in names for vm_id in role.vm_ids]
        if any(vm_id in end.old for vm_id in members):
            continue
        waited = [vm_id for vm_id in members if any(one.id == vm_id for one in end.snapshot.vms)]
        placed = {end.places.get(vm_id) for vm_id in waited}
        assert len(placed) <= 1, f"set {waited} is at {placed}"


def _check_refusal(end: _End, one: VM) -> None:
    """No host would take a VM that was refused, or the whole of its set."""
    bound = end.group(one.id)
    members = [one]
    if bound is not None:
        if _contradicts(bound, one.id):
            return
        mates = {other for mine, other in _pairs(bound, AFFINED) if mine == one.id}
        if not any(end.at(mate) for mate in {*mates, one.id}):
            members = [other for other in end.snapshot.vms if other.id in {*mates, one.id}]
        elif one.host_id is not None and any(other.id in mates for other in end.snapshot.vms):
            return  # it may be what the others of its set wait to join
    for host in end.hosts.values():
        assert not (all(end.allowed(other, host) for other in members) and end.has_room(members, host)), (
            f"VM {one.id} fits on host {host.id}"
        )
