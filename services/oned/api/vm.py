"""Virtual machine methods: create, read, act, recover."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, ApiError, RequestError
from services.oned.lifecycle.actions import HistoryAction
from services.oned.lifecycle.create import create_vm, refuse_restricted
from services.oned.lifecycle.deploy import deploy as deploy_vm
from services.oned.lifecycle.effects import Firing
from services.oned.lifecycle.fire import fire
from services.oned.lifecycle.states import VmState
from services.oned.model import history, restricted
from services.oned.model.datastore import Datastore
from services.oned.model.host import Host
from services.oned.model.vm import VM

# action of the call: (event, right that oned.conf asks for unless it says otherwise)
ACTIONS: dict[str, tuple[str, Right]] = {
    "terminate": ("terminate", Right.MANAGE),
    "terminate-hard": ("terminate_hard", Right.MANAGE),
    "undeploy": ("undeploy", Right.MANAGE),
    "undeploy-hard": ("undeploy_hard", Right.MANAGE),
    "poweroff": ("poweroff", Right.MANAGE),
    "poweroff-hard": ("poweroff_hard", Right.MANAGE),
    "reboot": ("reboot", Right.MANAGE),
    "reboot-hard": ("reboot_hard", Right.MANAGE),
    "hold": ("hold", Right.MANAGE),
    "release": ("release", Right.MANAGE),
    "stop": ("stop", Right.MANAGE),
    "suspend": ("suspend", Right.MANAGE),
    "resume": ("resume", Right.MANAGE),
    "resched": ("resched", Right.ADMIN),
    "unresched": ("unresched", Right.ADMIN),
}
# operation number of the recover call: (event, what the record says)
RECOVERIES: dict[int, tuple[str, HistoryAction]] = {
    0: ("recover_failure", HistoryAction.RECOVER),
    1: ("recover_success", HistoryAction.RECOVER),
    2: ("recover_retry", HistoryAction.RETRY),
    3: ("recover_delete", HistoryAction.DELETE),
    4: ("recover_recreate", HistoryAction.DELETE_RECREATE),
    5: ("recover_delete_db", HistoryAction.DELETE),
}
_LEVELS = {
    "VM_USE_OPERATIONS": Right.USE,
    "VM_MANAGE_OPERATIONS": Right.MANAGE,
    "VM_ADMIN_OPERATIONS": Right.ADMIN,
}


def _operation_right(call: Call, operation: str, default: Right) -> Right:
    """The right an operation needs: the user's template, then oned.conf, then the default."""
    for settings in (call.caller.template, call.conf.settings):
        for name, right in _LEVELS.items():
            listed = settings.get(name)
            if listed and operation in [word.strip() for word in listed.split(",")]:
                return right
    return default


def _firing(call: Call, action: HistoryAction) -> Firing:
    return Firing(call.caller.uid, call.caller.gid, call.request_id, action)


@method("one.vm.allocate", "template:s hold:b=0", Check(VM, Right.CREATE))
def allocate(call: Call, text: str, hold: bool) -> int:
    """Create a VM from a template; it waits for a host, or on hold."""
    template = Template.parse(text)
    refuse_restricted(call, template, "VM template")
    return create_vm(call, template, "", hold)


@method("one.vm.info", "vm_id:i decrypt:b=0", Check(VM, Right.USE, "vm_id"), writes=False)
def info(call: Call, vm_id: int, decrypt: bool) -> str:
    """The VM's document with every history record."""
    body = call.body(VM, vm_id)
    start, end = body.find("<HISTORY_RECORDS>"), body.rfind("</HISTORY_RECORDS>")
    # The document holds the newest record; while that is the first one there is nothing to fetch.
    if start < 0 or "<SEQ>0</SEQ>" in body[start:end]:
        return body
    records = "".join(history.bodies(call.tx, vm_id))
    return f"{body[:start]}<HISTORY_RECORDS>{records}{body[end:]}" if records else body


@method(
    "one.vm.deploy",
    "vm_id:i host_id:i enforce:b=0 datastore_id:i=-1 extra_template:s=",
    Check(VM, Right.ADMIN, "vm_id"),
    Check(Host, Right.MANAGE, "host_id"),
)
def deploy(call: Call, vm_id: int, host_id: int, enforce: bool, datastore_id: int, extra: str) -> int:
    """Start a VM on a host, in a system datastore or the default one (-1)."""
    if extra.strip() and len(Template.parse(extra)):
        raise ActionError("Network selection at deployment is not available in this version.", vm_id)
    if datastore_id >= 0:
        call.authorize(Datastore, Right.USE, datastore_id)
    vm = call.load(VM, vm_id)
    # OpenNebula checks the capacity only on request or for users without administration rights.
    must_fit = enforce or not call.caller.is_admin
    deploy_vm(call.tx, call.conf, vm, host_id, datastore_id, must_fit, _firing(call, HistoryAction.DEPLOY))
    return vm_id


@method("one.vm.action", "action:s vm_id:i")
def action(call: Call, name: str, vm_id: int) -> int:
    """Ask for an action: terminate, poweroff, resume, …"""
    if name not in ACTIONS:
        raise ActionError(
            f'Action "{name[:40]}" is not supported; expected one of {", ".join(ACTIONS)}', vm_id
        )
    event, default = ACTIONS[name]
    call.authorize(VM, _operation_right(call, name, default), vm_id)
    vm = call.load(VM, vm_id)
    if event.startswith("terminate") and vm.state == VmState.DONE:
        return vm_id  # as OpenNebula: what is asked is already so
    fire(call.tx, vm, event, _firing(call, HistoryAction[name.upper().replace("-", "_")]))
    return vm_id


@method("one.vm.recover", "vm_id:i operation:i")
def recover(call: Call, vm_id: int, operation: int) -> int:
    """Bring a VM out of a step: 0 failure, 1 success, 2 retry, 3 delete, 4 recreate, 5 delete-db."""
    if operation not in RECOVERIES:
        raise ApiError(f"Wrong recovery operation code {operation}, expected 0 to 5.", vm_id)
    event, recorded = RECOVERIES[operation]
    word = {2: "retry", 3: "delete", 4: "delete-recreate", 5: "delete"}.get(operation, "recover")
    call.authorize(VM, _operation_right(call, word, Right.ADMIN), vm_id)
    vm = call.load(VM, vm_id)
    if vm.state == VmState.DONE:
        raise ActionError(
            f"Recover action is not available for state DONE; virtual machine {vm_id} has ended.", vm_id
        )
    fire(call.tx, vm, event, _firing(call, recorded))
    return vm_id


@method("one.vm.update", "vm_id:i template:s update_type:i=0", Check(VM, Right.MANAGE, "vm_id"))
def update(call: Call, vm_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) the user's attributes of a VM."""
    if update_type not in (0, 1):
        raise ApiError(f"Wrong update type {update_type}, expected 0 (replace) or 1 (merge).", vm_id)
    vm = call.load(VM, vm_id)
    if vm.state == VmState.DONE:
        raise ActionError(f"Virtual machine {vm_id} has ended, its template cannot be changed.", vm_id)
    try:
        template = Template.parse(text)
    except ValueError as error:
        raise RequestError(f"Cannot update template. {error}", vm_id) from None
    if not call.caller.is_admin:
        names = restricted.names(call.conf.settings, "VM_RESTRICTED_ATTR")
        changed = restricted.first_changed(template, vm.user_template, names)
        if changed:
            raise RequestError(
                f"Cannot update template. Tried to change restricted attribute: {changed}", vm_id
            )
    if update_type == 0:
        vm.user_template = template
    else:
        vm.user_template.merge(template)
    vm.save(call.tx)
    return vm_id


@method("one.vm.rename", "vm_id:i name:s", Check(VM, Right.MANAGE, "vm_id"))
def rename(call: Call, vm_id: int, name: str) -> int:
    """Rename a VM."""
    return common.rename(call, VM, vm_id, name)


@method("one.vm.chmod", common.CHMOD_PARAMS.format(id="vm_id"))
def chmod(call: Call, vm_id: int, *bits: int) -> int:
    """Change permission bits of a VM; -1 leaves one as it is."""
    return common.chmod(call, VM, vm_id, list(bits))


@method("one.vm.chown", "vm_id:i new_uid:i new_gid:i")
def chown(call: Call, vm_id: int, uid: int, gid: int) -> int:
    """Give a VM to a user, a group or both; -1 leaves one as it is."""
    if call.load(VM, vm_id).state == VmState.DONE:
        raise ActionError(f"Could not change the ownership: virtual machine {vm_id} has ended.", vm_id)
    return common.chown(call, VM, vm_id, uid, gid)


@method("one.vm.lock", "vm_id:i level:i test:b=0")
def lock(call: Call, vm_id: int, level: int, test: bool) -> int:
    """Lock a VM against others' (and one's own) actions."""
    return common.lock(call, VM, vm_id, level, test)


@method("one.vm.unlock", "vm_id:i")
def unlock(call: Call, vm_id: int) -> int:
    """Remove the lock of a VM."""
    return common.unlock(call, VM, vm_id)
