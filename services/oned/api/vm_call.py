"""What the methods of virtual machines share: rights of operations, and who asks."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api.call import Call
from services.oned.auth import access
from services.oned.auth.operations import operation_right
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, AuthorizationError, NotFoundError
from services.oned.lifecycle.actions import HistoryAction
from services.oned.lifecycle.effects import Firing
from services.oned.model import restricted
from services.oned.model.base import PoolObject
from services.oned.model.vm import VM
from services.oned.store import pools


def require(call: Call, vm_id: int, operation: str) -> None:
    """Raise NotFoundError, AuthorizationError unless the caller may do that operation to the VM."""
    call.authorize(VM, operation_right(call, operation), vm_id)


def require_unlocked(call: Call, model: type[PoolObject], right: Right, oid: int) -> None:
    """Raise NotFoundError, AuthorizationError unless the caller has a right on what the VM goes to.

    Its row is not locked: many VMs may go to the same place at once.
    """
    access.require(call.tx, call.caller, model, right, oid, require_there(call, model, oid))


def require_there(call: Call, model: type[PoolObject], oid: int) -> str:
    """The document of an object whose row is not locked. Raises NotFoundError."""
    body = pools.body(call.tx, model.TABLE, oid)
    if body is None:
        raise NotFoundError(f"Error getting {model.LABEL} [{oid}].", oid)
    return body


def firing(call: Call, action: HistoryAction = HistoryAction.NONE) -> Firing:
    """A firing in the caller's name."""
    return Firing(call.caller.uid, call.caller.gid, call.request_id, action)


def refuse_restricted(call: Call, template: Template, what: str) -> None:
    """Raise AuthorizationError when a user outside the oneadmin group gives a restricted attribute."""
    if call.caller.is_admin:
        return
    name = restricted.first_set(template, restricted.names(call.conf.settings, "VM_RESTRICTED_ATTR"))
    if name:
        raise AuthorizationError(f"{what} includes a restricted attribute {name}")


def refuse_vrouter(vm: VM) -> None:
    """Raise ActionError for a machine of a virtual router, whose devices the router manages."""
    if vm.template.get("VROUTER_ID"):
        raise ActionError(
            f"Action is not supported for virtual router VMs; virtual machine {vm.oid} belongs to virtual "
            f"router {vm.template.get('VROUTER_ID')}",
            vm.oid,
        )
