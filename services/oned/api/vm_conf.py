"""Methods that change what a virtual machine is: its capacity and its configuration."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import vm_call
from services.oned.api.call import Call
from services.oned.api.registry import method
from services.oned.lifecycle import conf_update
from services.oned.lifecycle import resize as capacity
from services.oned.model.vm import VM


@method("one.vm.resize", "vm_id:i template:s enforce:b=1")
def resize(call: Call, vm_id: int, text: str, enforce: bool) -> int:
    """Change CPU, MEMORY and VCPU of a VM; its host must always have room, whatever ``enforce`` says."""
    template = Template.parse(text)
    vm_call.require(call, vm_id, "resize")
    vm_call.refuse_restricted(call, template, "Template")
    asked = capacity.wanted(template)
    capacity.resize(call.tx, call.load(VM, vm_id), asked, vm_call.firing(call))
    return vm_id


@method("one.vm.updateconf", "vm_id:i template:s")
def update_conf(call: Call, vm_id: int, text: str) -> int:
    """Change how a VM starts: OS, FEATURES, INPUT, GRAPHICS, RAW, CPU_MODEL and CONTEXT."""
    given = Template.parse(text)
    vm_call.require(call, vm_id, "updateconf")
    conf_update.update(call, call.load(VM, vm_id), given, vm_call.firing(call))
    return vm_id
