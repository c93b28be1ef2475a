"""VMs in the roles of VM groups: finding the group that a template names, joining a role, leaving it.

Source: VM group guide and the VMGROUP section of the virtual machine template reference of release 6.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.template import Vector
from services.oned.errors import RequestError
from services.oned.lifecycle.numbers import whole
from services.oned.model.vm import VM
from services.oned.model.vmgroup import VmGroup
from services.oned.store import Tx, pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call


def find(call: Call, named: Vector) -> int | None:
    """The id of the group that VMGROUP names (VMGROUP_NAME, the caller's or VMGROUP_UID's, or VMGROUP_ID).

    None when there is no such group.
    """
    name = named.get("VMGROUP_NAME")
    if name:
        owner = whole(named.get("VMGROUP_UID"))
        return pools.find(call.tx, VmGroup.TABLE, name, call.caller.uid if owner is None else owner)
    group_id = whole(named.get("VMGROUP_ID"))
    if group_id is None or pools.body(call.tx, VmGroup.TABLE, group_id) is None:
        return None
    return group_id


def join(call: Call, vm: VM) -> None:
    """Move the first VMGROUP vector into the core's part and list the VM in its role; others are dropped.

    Raises RequestError when it names no role, or a group or role that does not exist.
    """
    vectors = vm.user_template.vectors("VMGROUP")
    vm.user_template.remove("VMGROUP")
    if not vectors:
        return
    named = dict(vectors[0])
    role = named.get("ROLE", "")
    if not role:
        raise RequestError("Missing role name in VM Group definition")
    group_id = find(call, named)
    if group_id is None:
        wanted = ", ".join(f"{key} {text[:40]!r}" for key, text in named.items() if key != "ROLE")
        raise RequestError(f"VMGROUP: there is no VM group with {wanted or 'no id or name'}.")
    group = VmGroup.load(call.tx, group_id)
    call.forget(VmGroup, group_id)
    group.add_vm(role, vm.oid)
    group.save(call.tx)
    named["VMGROUP_ID"] = str(group_id)
    vm.template.add("VMGROUP", named)


def leave(tx: Tx, vm: VM) -> None:
    """Take a VM off its role; the VM's document keeps VMGROUP. Nothing happens when the group is gone."""
    named = vm.template.get_vector("VMGROUP") or {}
    group_id = whole(named.get("VMGROUP_ID"))
    group = None if group_id is None else VmGroup.find(tx, group_id)
    if group is not None and named.get("ROLE"):
        group.remove_vm(named["ROLE"], vm.oid)
        group.save(tx)
