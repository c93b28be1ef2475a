"""Virtual machine methods: create, read, act, recover, and what every object has."""

from __future__ import annotations

from services.common.template import Template, TemplateError
from services.oned.api import common, notices, vm_call
from services.oned.api.call import Call
from services.oned.api.registry import Check, method
from services.oned.auth import encrypted
from services.oned.auth.operations import operation_right
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, ApiError, OneError, RequestError
from services.oned.lifecycle import create, disk_wait, requirements, sched_actions, site
from services.oned.lifecycle.actions import HistoryAction
from services.oned.lifecycle.fire import fire
from services.oned.lifecycle.states import VmState
from services.oned.model import history, restricted
from services.oned.model.group import Group
from services.oned.model.user import User
from services.oned.model.vm import VM
from services.oned.store import monitoring

# action of the call: event
ACTIONS: dict[str, str] = {
    name: name.replace("-", "_")
    for name in (
        *("terminate", "terminate-hard", "undeploy", "undeploy-hard", "poweroff", "poweroff-hard"),
        *("reboot", "reboot-hard", "hold", "release", "stop", "suspend", "resume", "resched", "unresched"),
    )
}
# Actions after which a scheduler looks for a place, which must know what the VM needs now.
_SEEKING = {
    "release": ("HOLD",),
    "resume": ("STOPPED", "UNDEPLOYED"),
    "resched": ("RUNNING", "UNKNOWN", "POWEROFF"),
}
# operation number of the recover call: (event, what the record says, operation whose right it needs)
RECOVERIES: dict[int, tuple[str, HistoryAction, str]] = {
    0: ("recover_failure", HistoryAction.RECOVER, "recover"),
    1: ("recover_success", HistoryAction.RECOVER, "recover"),
    2: ("recover_retry", HistoryAction.RETRY, "retry"),
    3: ("recover_delete", HistoryAction.DELETE, "delete"),
    4: ("recover_recreate", HistoryAction.DELETE_RECREATE, "delete"),
    5: ("recover_delete_db", HistoryAction.DELETE, "delete"),
}
_OUTCOMES = (0, 1)
_ENDS = (3, 5)


@method("one.vm.allocate", "template:s hold:b=0")
def allocate(call: Call, text: str, hold: bool) -> int:
    """Create a VM from a template; it waits for a host, or on hold."""
    return create.allocate(call, text, hold)


@method("one.vm.info", "vm_id:i decrypt:b=0", Check(VM, Right.USE, "vm_id"), writes=False)
def info(call: Call, vm_id: int, decrypt: bool) -> str:
    """The VM's document with its newest monitoring sample and every history record."""
    body = _with_sample(call, vm_id, common.info(call, VM, vm_id, decrypt))
    start, end = body.find("<HISTORY_RECORDS>"), body.rfind("</HISTORY_RECORDS>")
    # The document holds the newest record; while that is the first one there is nothing to fetch.
    if start < 0 or "<SEQ>0</SEQ>" in body[start:end]:
        return body
    records = "".join(history.bodies(call.tx, vm_id))
    return f"{body[:start]}<HISTORY_RECORDS>{records}{body[end:]}" if records else body


def _with_sample(call: Call, vm_id: int, body: str) -> str:
    sample = monitoring.latest_vm_sample(call.tx, vm_id)
    if sample is None:
        return body
    # The first one: what comes before it are names and numbers, without markup of a user.
    start = body.index("<MONITORING")
    end = "/>" if body.startswith("<MONITORING/>", start) else "</MONITORING>"
    return f"{body[:start]}{sample}{body[body.index(end, start) + len(end) :]}"


# -- actions -----------------------------------------------------------------------------------------------
@method("one.vm.action", "action:s vm_id:i")
def action(call: Call, name: str, vm_id: int) -> int:
    """Ask for an action: terminate, poweroff, resume, …"""
    call.authorize(VM, operation_right(call, name), vm_id)
    vm = call.load(VM, vm_id)
    event = ACTIONS.get(name)
    if event is None:
        raise ActionError(
            f'Action "{name[:40]}" is not supported; expected one of {", ".join(ACTIONS)}', vm_id
        )
    _refuse_imported(vm, name)
    if event.startswith("terminate") and vm.state == VmState.DONE:
        return vm_id  # as OpenNebula: what is asked is already so
    if vm.condition in _SEEKING.get(name, ()):
        try:
            requirements.settle(call.tx, vm)
        except OneError as error:
            raise ActionError(
                f'Error performing action "{name}": error updating requirements. {error.message}', vm_id
            ) from None
    fire(call.tx, vm, event, vm_call.firing(call, HistoryAction[event.upper()]))
    return vm_id


def _refuse_imported(vm: VM, name: str) -> None:
    """Raise ActionError for an action that the host's driver does not offer for machines that it found."""
    if not vm.template.get_bool("IMPORTED"):
        return
    if vm.history is None or name not in site.traits(vm.history.vm_mad).imported_actions:
        raise ActionError(
            f'Action "{name}" is not supported for imported VMs; virtual machine {vm.oid} is one', vm.oid
        )


@method("one.vm.recover", "vm_id:i operation:i")
def recover(call: Call, vm_id: int, operation: int) -> int:
    """Bring a VM out of a step: 0 failure, 1 success, 2 retry, 3 delete, 4 recreate, 5 delete-db."""
    if operation not in RECOVERIES:
        raise ActionError(f"Wrong recovery operation code {operation}, expected 0 to 5.", vm_id)
    event, recorded, named = RECOVERIES[operation]
    vm_call.require(call, vm_id, named)
    vm = call.load(VM, vm_id)
    if vm.state == VmState.DONE and operation in _ENDS:
        return vm_id  # as OpenNebula: what is asked is already so
    if vm.state == VmState.CLONING_FAILURE and operation in _OUTCOMES:
        disk_wait.image_settled(call.tx, vm_id)
        return vm_id
    fire(call.tx, vm, event, vm_call.firing(call, recorded))
    return vm_id


# -- attributes, name, owner, lock -------------------------------------------------------------------------
@method("one.vm.update", "vm_id:i template:s update_type:i=0")
def update(call: Call, vm_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) the user's attributes of a VM."""
    vm_call.require(call, vm_id, "update")
    if update_type not in (common.REPLACE, common.MERGE):
        raise ApiError(f"Wrong update type {update_type}, expected 0 (replace) or 1 (merge).", vm_id)
    vm = call.load(VM, vm_id)
    try:
        template = Template.parse(text)
        sched_actions.check(template, forget_results=False)
        if not call.caller.is_admin:
            names = restricted.names(call.conf.settings, "VM_RESTRICTED_ATTR")
            changed = restricted.first_changed(template, vm.user_template, names)
            if changed:
                raise RequestError(f"Tried to change restricted attribute: {changed}")
    except (TemplateError, RequestError) as error:
        raise RequestError(f"Cannot update template. {error}", vm_id) from None
    if update_type == common.REPLACE:
        vm.user_template = template
    else:
        vm.user_template.merge(template)
    encrypted.encrypt(call.conf, VM.KIND, vm.user_template)
    vm.save(call.tx)
    notices.vm_updated(call, vm, template)
    return vm_id


@method("one.vm.rename", "vm_id:i name:s")
def rename(call: Call, vm_id: int, name: str) -> int:
    """Rename a VM."""
    return common.rename(call, VM, vm_id, name, right=operation_right(call, "rename"))


@method("one.vm.chmod", common.CHMOD_PARAMS.format(id="vm_id"))
def chmod(call: Call, vm_id: int, *bits: int) -> int:
    """Change permission bits of a VM; -1 leaves one as it is."""
    return common.chmod(call, VM, vm_id, list(bits))


@method("one.vm.chown", "vm_id:i new_uid:i new_gid:i")
def chown(call: Call, vm_id: int, uid: int, gid: int) -> int:
    """Give a VM to a user, a group or both; -1 leaves one as it is."""
    for model, oid in ((User, uid), (Group, gid)):
        if oid != -1:
            call.body(model, oid)
    if call.load(VM, vm_id).state == VmState.DONE:
        call.authorize(VM, Right.MANAGE, vm_id)
        raise ActionError(f"Could not change the ownership: virtual machine {vm_id} has ended.", vm_id)
    common.chown(call, VM, vm_id, uid, gid)
    call.forget(VM, vm_id)
    vm = call.load(VM, vm_id)
    if vm.history is not None:
        # From now on accounting shows the VM under its new owner.
        vm.history.vm_xml = vm.to_xml(history=False)
        vm.history.store(call.tx)
    return vm_id


@method("one.vm.lock", "vm_id:i level:i test:b=0")
def lock(call: Call, vm_id: int, level: int, test: bool) -> int:
    """Lock a VM against others' (and one's own) actions."""
    return common.lock(call, VM, vm_id, level, test)


@method("one.vm.unlock", "vm_id:i")
def unlock(call: Call, vm_id: int) -> int:
    """Remove the lock of a VM."""
    return common.unlock(call, VM, vm_id)
