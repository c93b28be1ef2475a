"""Security group methods."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, AllocateError, RequestError
from services.oned.lifecycle import secgroup_update
from services.oned.model.secgroup import DEFAULT_ID, SecurityGroup


def _store(call: Call, template: Template) -> int:
    """Store a new group of the caller under its NAME; its id. Raises RequestError."""
    name = (template.get("NAME") or "").rstrip()
    common.require_free_name(call, SecurityGroup, name)
    group = SecurityGroup(-1, name)
    common.own(call, group)
    template.remove("NAME")
    group.template = template
    group.settle_rules()
    return group.insert(call.tx)


@method("one.secgroup.allocate", "template:s")
def allocate(call: Call, text: str) -> int:
    """Create a security group."""
    template = Template.parse(text)
    call.authorize_create(SecurityGroup)
    return _store(call, template)


@method("one.secgroup.clone", "secgroup_id:i name:s", Check(SecurityGroup, Right.USE, "secgroup_id"))
def clone(call: Call, secgroup_id: int, name: str) -> int:
    """Copy a security group under another name, for the caller."""
    call.authorize_create(SecurityGroup)
    copy = call.load(SecurityGroup, secgroup_id).template.copy()
    copy.set("NAME", name)
    try:
        return _store(call, copy)
    except RequestError as error:
        raise AllocateError(error.message) from None


@method("one.secgroup.delete", "secgroup_id:i", Check(SecurityGroup, Right.MANAGE, "secgroup_id"))
def delete(call: Call, secgroup_id: int) -> int:
    """Delete a security group that no VM uses."""
    group = call.load(SecurityGroup, secgroup_id)
    if secgroup_id == DEFAULT_ID:
        raise ActionError(
            "Cannot delete security group. The default security group (ID 0) cannot be deleted.", secgroup_id
        )
    if group.vms:
        raise ActionError(
            f"Cannot delete security group. The security group {secgroup_id} has VMs using it: "
            f"{len(group.vms)}, the first is {min(group.vms)}.",
            secgroup_id,
        )
    group.delete(call.tx)
    common.forget(call, group)
    return secgroup_id


@method(
    "one.secgroup.info",
    "secgroup_id:i decrypt:b=0",
    Check(SecurityGroup, Right.USE, "secgroup_id"),
    writes=False,
)
def info(call: Call, secgroup_id: int, decrypt: bool) -> str:
    """The security group's document; it holds nothing that is encrypted."""
    return call.body(SecurityGroup, secgroup_id)


@method("one.secgrouppool.info", "filter_flag:i start_id:i end_id:i", writes=False)
def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int) -> PoolDocument:
    """The security groups that fit, by owner, range of ids or page."""
    return common.pool_info(call, SecurityGroup, filter_flag, start_id, end_id)


@method(
    "one.secgroup.update",
    "secgroup_id:i template:s update_type:i=0",
    Check(SecurityGroup, Right.MANAGE, "secgroup_id"),
)
def update(call: Call, secgroup_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) the attributes of a security group; its VMs get the new rules."""

    def settle(group: SecurityGroup) -> None:
        group.settle_rules()
        group.commit(recover=False)
        secgroup_update.begin(call.tx, group)

    return common.update_template(call, SecurityGroup, secgroup_id, text, update_type, settle)


@method("one.secgroup.commit", "secgroup_id:i recover:b", Check(SecurityGroup, Right.MANAGE, "secgroup_id"))
def commit(call: Call, secgroup_id: int, recover: bool) -> int:
    """Give the rules again to every VM, or (recover) to those that did not get them."""
    group = call.load(SecurityGroup, secgroup_id)
    group.commit(recover)
    secgroup_update.begin(call.tx, group)
    group.save(call.tx)
    return secgroup_id


@method("one.secgroup.rename", "secgroup_id:i name:s")
def rename(call: Call, secgroup_id: int, name: str) -> int:
    """Rename a security group."""
    return common.rename(call, SecurityGroup, secgroup_id, name, right=Right.MANAGE)


@method("one.secgroup.chmod", common.CHMOD_PARAMS.format(id="secgroup_id"))
def chmod(call: Call, secgroup_id: int, *bits: int) -> int:
    """Change permission bits of a security group; -1 leaves one as it is."""
    return common.chmod(call, SecurityGroup, secgroup_id, list(bits))


@method("one.secgroup.chown", "secgroup_id:i new_uid:i new_gid:i")
def chown(call: Call, secgroup_id: int, uid: int, gid: int) -> int:
    """Give a security group to a user, a group or both; -1 leaves one as it is."""
    return common.chown(call, SecurityGroup, secgroup_id, uid, gid)
