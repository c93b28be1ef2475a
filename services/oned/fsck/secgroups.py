"""Security groups: each lists the virtual machines whose network cards are in it, once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.model.address_range import id_set
from services.oned.model.secgroup import SecurityGroup
from services.oned.store import Tx


def check(zone: Zone) -> Iterator[Finding]:
    """The lists of VMs against the VMs' cards."""
    members: dict[int, set[int]] = defaultdict(set)
    for vm in zone.vms:
        # An alias takes part in the groups of its card.
        for nic in [*vm.template.vectors("NIC"), *vm.template.vectors("PCI")]:
            for sg_id in id_set(nic.get("SECURITY_GROUPS", "")):
                members[sg_id].add(vm.oid)
    for group in zone.all(SecurityGroup):
        fix = partial(_set, oid=group.oid, members=members[group.oid])
        if group.vms != members[group.oid]:
            text = (
                f"security group {group.oid}: lists the virtual machines {sorted(group.vms)}, "
                f"those that use it are {sorted(members[group.oid])}"
            )
            yield Finding(text, fix)
        listed = sum(map(len, (group.updated, group.outdated, group.updating, group.error)))
        if listed != len(group.vms):
            yield Finding(f"security group {group.oid}: lists a virtual machine in two states", fix)


def _set(tx: Tx, oid: int, members: set[int]) -> None:
    """List each VM once. Which rules a VM has that was not listed is unknown: it counts as outdated."""
    group = SecurityGroup.load(tx, oid)
    group.updating &= members
    group.error = (group.error & members) - group.updating
    group.outdated = (group.outdated & members) - group.updating - group.error
    group.updated = (group.updated & members) - group.updating - group.error - group.outdated
    group.outdated |= members - group.vms
    group.save(tx)
