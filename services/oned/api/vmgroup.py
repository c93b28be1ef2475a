"""VM group methods."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import RequestError
from services.oned.model.vmgroup import VmGroup
from services.oned.store import pools


@method("one.vmgroup.allocate", "template:s")
def allocate(call: Call, text: str) -> int:
    """Create a VM group with its roles."""
    template = Template.parse(text)
    call.authorize_create(VmGroup)
    name = template.get("NAME") or ""
    common.require_free_name(call, VmGroup, name)
    made = VmGroup(-1, name)
    common.own(call, made)
    template.remove("NAME")
    made.template = template
    pools.lose_first_oid_on_refusal(call.tx, VmGroup.TABLE)
    made.take_roles()
    made.check_rules()
    return made.insert(call.tx)


@method("one.vmgroup.delete", "vmgroup_id:i", Check(VmGroup, Right.MANAGE, "vmgroup_id"))
def delete(call: Call, vmgroup_id: int) -> int:
    """Delete a VM group; VMs that play its roles run on, without its rules."""
    # The reference says nothing of VMs, and release 6.0.0.3 does not look at them.
    group = call.load(VmGroup, vmgroup_id)
    group.delete(call.tx)
    common.forget(call, group)
    return vmgroup_id


@method("one.vmgroup.info", "vmgroup_id:i decrypt:b=0", Check(VmGroup, Right.USE, "vmgroup_id"), writes=False)
def info(call: Call, vmgroup_id: int, decrypt: bool) -> str:
    """The VM group's document."""
    return common.info(call, VmGroup, vmgroup_id, decrypt)


@method("one.vmgrouppool.info", "filter_flag:i start_id:i end_id:i", writes=False)
def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int) -> PoolDocument:
    """The VM groups that fit, by owner, range of ids or page."""
    return common.pool_info(call, VmGroup, filter_flag, start_id, end_id)


@method(
    "one.vmgroup.update",
    "vmgroup_id:i template:s update_type:i=0",
    Check(VmGroup, Right.MANAGE, "vmgroup_id"),
)
def update(call: Call, vmgroup_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) attributes and rules of a VM group without VMs; its roles stay."""

    def settle(group: VmGroup) -> None:
        used = len(group.vms())
        if used:
            raise RequestError(f"VM group {vmgroup_id} has {used} VMs.")
        group.template.remove("ROLE")
        group.check_rules()

    return common.update_template(call, VmGroup, vmgroup_id, text, update_type, settle)


@method("one.vmgroup.rename", "vmgroup_id:i name:s")
def rename(call: Call, vmgroup_id: int, name: str) -> int:
    """Rename a VM group."""
    return common.rename(call, VmGroup, vmgroup_id, name, right=Right.MANAGE)


@method("one.vmgroup.chmod", common.CHMOD_PARAMS.format(id="vmgroup_id"))
def chmod(call: Call, vmgroup_id: int, *bits: int) -> int:
    """Change permission bits of a VM group; -1 leaves one as it is."""
    return common.chmod(call, VmGroup, vmgroup_id, list(bits))


@method("one.vmgroup.chown", "vmgroup_id:i new_uid:i new_gid:i")
def chown(call: Call, vmgroup_id: int, uid: int, gid: int) -> int:
    """Give a VM group to a user, a group or both; -1 leaves one as it is."""
    return common.chown(call, VmGroup, vmgroup_id, uid, gid)


# A lock must not stand against its own removal, so common checks the right, not the registry row.
@method("one.vmgroup.lock", "vmgroup_id:i level:i test:b=0")
def lock(call: Call, vmgroup_id: int, level: int, test: bool) -> int:
    """Lock a VM group against actions: level 1 use, 2 manage, 3 admin, 4 all."""
    return common.lock(call, VmGroup, vmgroup_id, level, test)


@method("one.vmgroup.unlock", "vmgroup_id:i")
def unlock(call: Call, vmgroup_id: int) -> int:
    """Remove the lock of a VM group."""
    return common.unlock(call, VmGroup, vmgroup_id)
