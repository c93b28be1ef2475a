"""What a virtual machine waits for: a method that release 6.0 does not have."""

from __future__ import annotations

from services.common import xmldoc
from services.oned.api.call import Call
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.lifecycle import waiting
from services.oned.model.vm import VM


@method("one.vm.waiting", "vm_id:i", Check(VM, Right.USE, "vm_id"), writes=False, extension=True)
def of_vm(call: Call, vm_id: int) -> str:
    """What a VM waits for, since when, and what to do about it; only its states when that is nothing."""
    vm = call.load(VM, vm_id)
    found = waiting.explain(call.tx, vm)
    numbers = {"ID": vm_id, "STATE": int(vm.state), "LCM_STATE": int(vm.lcm_state)}
    texts: dict[str, str] = {}
    if found is not None:
        numbers |= {"SINCE": found.since_s, "ATTEMPT": found.attempt, "DEADLINE": found.deadline_s}
        texts = {
            "WAITS_FOR": found.waits_for,
            "NEXT_STEP": found.next_step,
            "OPERATION": found.operation,
            "HOST": found.host,
            "ERROR": found.error,
        }
    inner = "".join(f"<{name}>{number}</{name}>" for name, number in numbers.items())
    inner += "".join(f"<{name}>{xmldoc.cdata(text)}</{name}>" for name, text in texts.items())
    return f"<WAITING>{inner}</WAITING>"
