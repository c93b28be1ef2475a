"""Methods on the interfaces of a virtual machine."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import vm_call
from services.oned.api.call import Call
from services.oned.api.registry import method
from services.oned.auth.rights import Right
from services.oned.lifecycle import create_rights, nics
from services.oned.model.vm import VM


@method("one.vm.attachnic", "vm_id:i template:s")
def attach(call: Call, vm_id: int, text: str) -> int:
    """Add an interface, or an alias of one, to a VM."""
    vm = call.load(VM, vm_id)
    vm_call.refuse_vrouter(vm)
    template = Template.parse(text)
    # As OpenNebula: whatever oned.conf says about the operation.
    call.authorize(VM, Right.MANAGE, vm_id)
    create_rights.require(call, template)
    vm_call.refuse_restricted(call, template, "NIC")
    nics.attach(call, vm, template, vm_call.firing(call))
    return vm_id


@method("one.vm.detachnic", "vm_id:i nic_id:i")
def detach(call: Call, vm_id: int, nic_id: int) -> int:
    """Take an interface or an alias away from a VM."""
    vm = call.load(VM, vm_id)
    vm_call.refuse_vrouter(vm)
    call.authorize(VM, Right.MANAGE, vm_id)
    nics.detach(call, vm, nic_id, vm_call.firing(call))
    return vm_id
