"""What VM groups ask of places: which host a VM may have, given where the others of its group are.

A *bond* is what all VMs of a role have in common. Roles that must share a host form a *company*: the roles
that AFFINED rules chain together, or one role whose own policy is AFFINED. VMs that have a host come from the
hosts' lists of VMs, and places of the plan are added as they are found.

- VMs of a company go to a host where others of it are. Where none is, all that wait go to one host together
  or not at all (affinity_sets.py).
- VMs that must be apart never share a host; HOST_AFFINED and HOST_ANTI_AFFINED hold for each VM by itself.
- Rules that contradict each other stop the VMs of the roles they name, with a message, and nobody else.

Source: affinity guide of release 6.0; chaining of rules as its scheduler does it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.scheduler.groups import AFFINED, ANTI_AFFINED, Role, VMGroup
from services.scheduler.records import VM, Host

#: Why a host is not for a VM: reasons as explain.py counts them.
HOST_RULES, APART, AFFINED_ELSEWHERE = "host_rules", "apart", "affined"


@dataclass(eq=False, slots=True)
class Company:
    """Roles whose VMs share a host.

    here: VMs of the company by host id. waiting: those that the plan has to place, in ascending order.
    """

    here: dict[int, int] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)

    @property
    def goes_together(self) -> bool:
        """Whether the VMs that wait must be placed at once: several wait, and none has a host."""
        return len(self.waiting) > 1 and not self.here

    def lets_go(self, vm: VM) -> bool:
        """Whether a VM that is to be moved is alone: no other has a host, and none waits to follow it."""
        return vm.host_id is not None and self.waiting == [vm.id] and sum(self.here.values()) == 1


@dataclass(eq=False, slots=True)
class Bond:
    """What binds the VMs of one role.

    label: group and role in words. here: VMs of the role by host id. apart: bonds whose VMs may not share a
    host with these, possibly this one itself. fault: the contradiction that stops these VMs; empty for none.
    """

    label: str
    only: frozenset[int] | None
    never: frozenset[int]
    here: dict[int, int] = field(default_factory=dict)
    apart: list[Bond] = field(default_factory=list)
    company: Company | None = None
    fault: str = ""

    def limit(self, vm: VM) -> frozenset[int] | None:
        """The few hosts that a VM can be allowed at all; None when the rules name none."""
        company = self.company
        if company is None or not company.here or company.lets_go(vm):
            return self.only
        return frozenset(company.here)

    def refusal(self, vm: VM, host_id: int) -> str:
        """Why the rules keep a VM from a host: HOST_RULES, APART, AFFINED_ELSEWHERE; empty if they do not."""
        if (self.only is not None and host_id not in self.only) or host_id in self.never:
            return HOST_RULES
        if any(other.here.get(host_id) for other in self.apart):
            return APART
        company = self.company
        if company is None or not company.here or host_id in company.here or company.lets_go(vm):
            return ""
        return AFFINED_ELSEWHERE


class Affinity:
    """The bonds of the VMs that a plan has to place. Follows the plan with ``place`` and ``take_back``."""

    def __init__(self, groups: Iterable[VMGroup], vms: Iterable[VM], hosts: Iterable[Host]) -> None:
        self._bonds: dict[int, Bond] = {}
        waiting = {vm.id for vm in vms}
        wanted = [
            group
            for group in groups
            if any(vm_id in waiting for role in group.roles for vm_id in role.vm_ids)
        ]
        if not wanted:
            return
        for group in wanted:
            self._add(group)
        for vm_id in sorted(waiting & self._bonds.keys()):
            company = self._bonds[vm_id].company
            if company is not None:
                company.waiting.append(vm_id)
        for host in hosts:
            for vm_id in host.vm_ids:
                self.place(vm_id, host.id)

    def bond(self, vm_id: int) -> Bond | None:
        """What binds a VM; None when no rule does."""
        return self._bonds.get(vm_id)

    def place(self, vm_id: int, host_id: int) -> None:
        """Count a VM on a host."""
        bond = self._bonds.get(vm_id)
        if bond is not None:
            bond.here[host_id] = bond.here.get(host_id, 0) + 1
            if bond.company is not None:
                bond.company.here[host_id] = bond.company.here.get(host_id, 0) + 1

    def take_back(self, vm_id: int, host_id: int) -> None:
        """Undo a ``place``."""
        bond = self._bonds.get(vm_id)
        if bond is not None:
            _less(bond.here, host_id)
            if bond.company is not None:
                _less(bond.company.here, host_id)

    def _add(self, group: VMGroup) -> None:
        label = f"VM group {group.name} ({group.id})"
        bonds = {role.name: _bond(label, role) for role in group.roles}
        together = _companies(group)
        for names in together:
            company = Company()
            fault = _contradiction(label, group, names)
            for name in names:
                bonds[name].company = company
                bonds[name].fault = bonds[name].fault or fault
        for role in group.roles:
            if role.policy == ANTI_AFFINED:
                bonds[role.name].apart.append(bonds[role.name])
        for rule in group.anti_affined:
            known = sorted(rule & bonds.keys())
            for name in known:
                bonds[name].apart.extend(bonds[other] for other in known if other != name)
        for role in group.roles:
            bond = bonds[role.name]
            if bond.fault or bond.apart or bond.company or bond.never or bond.only is not None:
                self._bonds.update(dict.fromkeys(role.vm_ids, bond))


def _bond(label: str, role: Role) -> Bond:
    label = f"{label}, role {role.name}"
    fault = f"{label}: {role.fault}" if role.fault else ""
    if not fault and role.only_hosts is not None and not role.only_hosts - role.never_hosts:
        fault = f"{label}: HOST_ANTI_AFFINED excludes every host of HOST_AFFINED"
    return Bond(label, role.only_hosts, role.never_hosts, fault=fault)


def _companies(group: VMGroup) -> list[list[str]]:
    """The names of roles that share a host, in order of the roles: rules with a role in common are one."""
    order = [role.name for role in group.roles]
    sets: list[set[str]] = [{role.name} for role in group.roles if role.policy == AFFINED]
    for rule in group.affined:
        joined = set(rule.intersection(order))
        if joined:
            apart = [one for one in sets if joined.isdisjoint(one)]
            sets = [*apart, joined.union(*(one for one in sets if not joined.isdisjoint(one)))]
    return [sorted(one, key=order.index) for one in sets]


def _contradiction(label: str, group: VMGroup, names: list[str]) -> str:
    roles = [role for role in group.roles if role.name in names]
    listed = ", ".join(names)
    for role in roles:
        if role.fault:
            return f"{label}, role {role.name}: {role.fault}"
        if role.policy == ANTI_AFFINED:
            return f"{label}: role {role.name} is in an AFFINED rule, but its POLICY is ANTI_AFFINED"
    for rule in group.anti_affined:
        both = sorted(rule.intersection(names))
        if len(both) > 1:
            return f"{label}: roles {', '.join(both)} are to be together and apart"
    limits = [role.only_hosts for role in roles if role.only_hosts is not None]
    never = frozenset().union(*(role.never_hosts for role in roles))
    if limits and not frozenset.intersection(*limits) - never:
        return f"{label}: the host rules of roles {listed}, which share a host, leave none that all may have"
    return ""


def _less(counts: dict[int, int], host_id: int) -> None:
    left = counts.get(host_id, 0) - 1
    if left > 0:
        counts[host_id] = left
    else:
        counts.pop(host_id, None)
