"""Lists of virtual machines: the roles of VM groups, and the machines of virtual routers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.model.vmgroup import VmGroup, vms_of
from services.oned.model.vrouter import VirtualRouter
from services.oned.store import Tx


def check(zone: Zone) -> Iterator[Finding]:
    """A role lists the machines that say they play it; a router lists only machines of its own."""
    playing: dict[tuple[str, str], list[int]] = defaultdict(list)
    routers: dict[int, str] = {}
    for vm in zone.vms:
        named = vm.template.get_vector("VMGROUP") or {}
        playing[named.get("VMGROUP_ID", ""), named.get("ROLE", "")].append(vm.oid)
        routers[vm.oid] = vm.template.get("VROUTER_ID") or ""
    for group in zone.all(VmGroup):
        for role in group.roles:
            name = role.get("NAME", "")
            listed, right = vms_of(role), sorted(playing[str(group.oid), name])
            if listed != right:
                text = f"vm group {group.oid}: role {name} lists the VMs {listed}, the VMs say {right}"
                yield Finding(text, partial(_play, oid=group.oid, role=name, listed=listed, right=right))
    for router in zone.vrouters:
        # A machine that only says so does not become one: its template is its user's.
        strangers = [oid for oid in router.vms if routers.get(oid) != str(router.oid)]
        if strangers:
            text = f"virtual router {router.oid}: lists the VMs {strangers}, which are not its machines"
            yield Finding(text, partial(_drop, oid=router.oid, strangers=strangers))


def _play(tx: Tx, oid: int, role: str, listed: list[int], right: list[int]) -> None:
    group = VmGroup.load(tx, oid)
    for vm_id in listed:
        group.remove_vm(role, vm_id)
    for vm_id in right:
        group.add_vm(role, vm_id)
    group.save(tx)


def _drop(tx: Tx, oid: int, strangers: list[int]) -> None:
    router = VirtualRouter.load(tx, oid)
    router.vms = [vm_id for vm_id in router.vms if vm_id not in strangers]
    router.save(tx)
