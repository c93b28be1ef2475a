"""Events (kind CHANGE) for calls that change what can be placed where, although no state changes.

The scheduler hears of them as it hears of states, and need not wait for its interval. The payload names the
method; what changed is read from the documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.common.template import Template
from services.oned.api.call import Call
from services.oned.lifecycle.states import VmState
from services.oned.model.vm import VM
from services.oned.store import events

_KIND = "CHANGE"
#: What the scheduler itself writes into a VM that waits; nothing is to follow from that.
_MESSAGE = "SCHED_MESSAGE"
#: The kind of object that each method changes; its id is the first argument, where that is a number.
_METHODS = {
    **dict.fromkeys(("one.acl.addrule", "one.acl.delrule"), "ACL"),
    **dict.fromkeys(
        ("one.vdc.update", "one.vdc.delete", "one.vdc.addgroup", "one.vdc.delgroup", "one.vdc.addhost",
         "one.vdc.delhost", "one.vdc.addcluster", "one.vdc.delcluster", "one.vdc.adddatastore",
         "one.vdc.deldatastore", "one.vdc.addvnet", "one.vdc.delvnet"), "VDC",
    ),
    **dict.fromkeys(("one.user.chgrp", "one.user.addgroup", "one.user.delgroup"), "USER"),
    **dict.fromkeys(("one.group.addadmin", "one.group.deladmin"), "GROUP"),
    **dict.fromkeys(("one.host.update", "one.host.rename", "one.host.delete"), "HOST"),
    **dict.fromkeys(
        ("one.cluster.update", "one.cluster.rename", "one.cluster.addhost", "one.cluster.delhost",
         "one.cluster.adddatastore", "one.cluster.deldatastore", "one.cluster.addvnet",
         "one.cluster.delvnet"), "CLUSTER",
    ),
    **dict.fromkeys(
        ("one.datastore.allocate", "one.datastore.update", "one.datastore.rename", "one.datastore.enable",
         "one.datastore.chmod", "one.datastore.chown"), "DATASTORE",
    ),
    **dict.fromkeys(("one.vmgroup.update", "one.vmgroup.delete"), "VMGROUP"),
    **dict.fromkeys(
        ("one.vn.allocate", "one.vn.update", "one.vn.chmod", "one.vn.chown", "one.vn.add_ar",
         "one.vn.update_ar", "one.vn.release"), "NET",
    ),
    **dict.fromkeys(("one.vm.resize", "one.vm.chown", "one.vm.action"), "VM"),
}  # fmt: skip
#: VM actions of which no state change tells: the VM is to be moved, or no longer.
_RESCHEDULING = frozenset(("resched", "unresched"))


def record(call: Call, method: str, values: Sequence[Any]) -> None:
    """Add the event of a call that has succeeded, in its transaction; most calls have none."""
    kind = _METHODS.get(method)
    if kind is None or (method == "one.vm.action" and str(values[0]).lower() not in _RESCHEDULING):
        return
    oid = values[1] if method == "one.vm.action" else values[0]
    _add(call, kind, oid if isinstance(oid, int) else -1, method)


def vm_updated(call: Call, vm: VM, given: Template) -> None:
    """Add the event of new user attributes of a VM that waits for a place."""
    if vm.state == VmState.PENDING and set(given.names()) != {_MESSAGE}:
        _add(call, VM.KIND, vm.oid, "one.vm.update")


def _add(call: Call, kind: str, oid: int, method: str) -> None:
    events.add(call.tx, _KIND, kind, oid, {"method": method})
