"""Virtual router methods."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common, vm_call
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError
from services.oned.lifecycle import vrouter_nics
from services.oned.lifecycle.actions import HistoryAction
from services.oned.lifecycle.fire import fire
from services.oned.lifecycle.instantiate import instantiate as instantiate_vm
from services.oned.model import quota
from services.oned.model.base import check_name
from services.oned.model.group import Group
from services.oned.model.user import User
from services.oned.model.vm import VM
from services.oned.model.vmtemplate import VMTemplate
from services.oned.model.vrouter import VirtualRouter
from services.oned.store import pools


@method("one.vrouter.allocate", "template:s")
def allocate(call: Call, text: str) -> int:
    """Create a virtual router with its cards; it has no machines yet."""
    template = Template.parse(text)
    call.authorize_create(VirtualRouter)
    vrouter_nics.require(call, template)
    cards = template.vectors("NIC")
    made = VirtualRouter(-1, template.get("NAME") or "")
    common.own(call, made)
    vrouter_nics.count(call, made, cards)
    pools.lose_first_oid_on_refusal(call.tx, VirtualRouter.TABLE)
    check_name(made.name)
    for attribute in ("NAME", "NIC"):
        template.remove(attribute)
    made.template = template
    made.insert(call.tx)
    for card in cards:
        vrouter_nics.add(call, made, card)
    made.save(call.tx)
    return made.oid


@method("one.vrouter.delete", "vrouter_id:i recursive:b=0", Check(VirtualRouter, Right.MANAGE, "vrouter_id"))
def delete(call: Call, vrouter_id: int, recursive: bool) -> int:
    """Delete a virtual router and end its machines."""
    router = call.load(VirtualRouter, vrouter_id)
    router.delete(call.tx)
    vrouter_nics.drop_all(call, router)
    common.forget(call, router)
    for vm_id in router.vms:
        _end(call, vm_id)
    return vrouter_id


def _end(call: Call, vm_id: int) -> None:
    """End a machine at once: properly where its state allows that, else without asking its driver."""
    vm = VM.find(call.tx, vm_id)
    if vm is None:
        return
    for event, action in (
        ("terminate_hard", HistoryAction.TERMINATE_HARD),
        ("recover_delete", HistoryAction.DELETE),
    ):
        try:
            fire(call.tx, vm, event, vm_call.firing(call, action))
        except ActionError:
            continue  # a machine that is ending already refuses both, and ends
        return


@method(
    "one.vrouter.info",
    "vrouter_id:i decrypt:b=0",
    Check(VirtualRouter, Right.USE, "vrouter_id"),
    writes=False,
)
def info(call: Call, vrouter_id: int, decrypt: bool) -> str:
    """The virtual router's document."""
    return common.info(call, VirtualRouter, vrouter_id, decrypt)


@method("one.vrouterpool.info", "filter_flag:i start_id:i end_id:i", writes=False)
def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int) -> PoolDocument:
    """The virtual routers that fit, by owner, range of ids or page."""
    return common.pool_info(call, VirtualRouter, filter_flag, start_id, end_id)


# -- changes -----------------------------------------------------------------------------------------------
@method(
    "one.vrouter.update",
    "vrouter_id:i template:s update_type:i=0",
    Check(VirtualRouter, Right.MANAGE, "vrouter_id"),
)
def update(call: Call, vrouter_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) the attributes of a virtual router; its cards stay."""
    cards = call.load(VirtualRouter, vrouter_id).nics()

    def settle(router: VirtualRouter) -> None:
        router.template.remove("NIC")
        for card in cards:
            router.template.add("NIC", card)

    return common.update_template(call, VirtualRouter, vrouter_id, text, update_type, settle)


@method("one.vrouter.rename", "vrouter_id:i name:s")
def rename(call: Call, vrouter_id: int, name: str) -> int:
    """Rename a virtual router."""
    return common.rename(call, VirtualRouter, vrouter_id, name, right=Right.MANAGE)


@method("one.vrouter.chmod", common.CHMOD_PARAMS.format(id="vrouter_id") + " recursive:b=0")
def chmod(call: Call, vrouter_id: int, *values: int) -> int:
    """Change permission bits of a virtual router and of its machines; -1 leaves one as it is."""
    # As OpenNebula: the machines follow, recursive or not.
    *bits, _ = values
    machines = call.load(VirtualRouter, vrouter_id).vms
    common.chmod(call, VirtualRouter, vrouter_id, bits)
    for vm_id in machines:
        common.chmod(call, VM, vm_id, bits)
    return vrouter_id


@method("one.vrouter.chown", "vrouter_id:i new_uid:i new_gid:i")
def chown(call: Call, vrouter_id: int, uid: int, gid: int) -> int:
    """Give a virtual router and its machines to a user, a group or both; -1 leaves one as it is."""
    common.chown(call, VirtualRouter, vrouter_id, uid, gid)
    for vm_id in call.load(VirtualRouter, vrouter_id).vms:
        _give(call, vm_id, uid, gid)
    return vrouter_id


def _give(call: Call, vm_id: int, uid: int, gid: int) -> None:
    """Make a machine follow its router: rights on the router are enough, quotas count."""
    vm = call.load(VM, vm_id)
    quota.move(call.tx, vm.quota_usage(), (vm.uid, vm.gid), (uid, gid), vm_id)
    if uid != -1:
        vm.uid, vm.uname = uid, call.load(User, uid).name
    if gid != -1:
        vm.gid, vm.gname = gid, call.load(Group, gid).name
    vm.save(call.tx)


# A lock must not stand against its own removal, so common checks the right, not the registry row.
@method("one.vrouter.lock", "vrouter_id:i level:i test:b=0")
def lock(call: Call, vrouter_id: int, level: int, test: bool) -> int:
    """Lock a virtual router against actions: level 1 use, 2 manage, 3 admin, 4 all."""
    return common.lock(call, VirtualRouter, vrouter_id, level, test)


@method("one.vrouter.unlock", "vrouter_id:i")
def unlock(call: Call, vrouter_id: int) -> int:
    """Remove the lock of a virtual router."""
    return common.unlock(call, VirtualRouter, vrouter_id)


# -- machines ----------------------------------------------------------------------------------------------
@method(
    "one.vrouter.instantiate",
    "vrouter_id:i vm_count:i template_id:i vm_name:s hold:b extra_template:s",
)
def instantiate(
    call: Call, vrouter_id: int, count: int, template_id: int, name: str, hold: bool, text: str
) -> int:
    """Create machines of a virtual router from a template; %i in the name is their number, from 0."""
    router = call.load(VirtualRouter, vrouter_id)
    chosen = router.vm_template_id if template_id == -1 else template_id
    if chosen is None:
        raise ActionError(
            f"Virtual router {vrouter_id} has no default template, and the call names none.", vrouter_id
        )
    call.authorize(VirtualRouter, Right.MANAGE, vrouter_id)
    if not call.load(VMTemplate, chosen).is_vrouter:
        raise ActionError("Only virtual router templates are allowed", vrouter_id)
    pattern = name or f"vr-{router.name}-%i"
    for number in range(count):
        vm_name = pattern.replace("%i", str(number))
        vm_id = instantiate_vm(call, chosen, vm_name, True, text, router.vm_attributes())
        if not hold:
            # As in OpenNebula, whose machines wait for each other and keep the sign of it.
            fire(call.tx, VM.load(call.tx, vm_id), "release", vm_call.firing(call))
        pools.lose_oid_on_refusal(call.tx, VM.TABLE)  # one that cannot be made takes the others along
        router.vms = sorted([*router.vms, vm_id])
    router.template.set("TEMPLATE_ID", str(chosen))
    router.save(call.tx)
    return vrouter_id
