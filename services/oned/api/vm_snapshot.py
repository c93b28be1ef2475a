"""Methods on snapshots of a whole virtual machine."""

from __future__ import annotations

import time

from services.common.template import Vector
from services.oned.api import vm_call
from services.oned.api.call import Call
from services.oned.api.registry import method
from services.oned.errors import ActionError
from services.oned.lifecycle import site
from services.oned.lifecycle.fire import fire, refusal
from services.oned.lifecycle.numbers import whole
from services.oned.lifecycle.states import VmState
from services.oned.model.vm import VM


@method("one.vm.snapshotcreate", "vm_id:i name:s")
def create(call: Call, vm_id: int, name: str) -> int:
    """Take a snapshot of a running VM; answers the snapshot's id."""
    vm_call.require(call, vm_id, "snapshot-create")
    vm = call.load(VM, vm_id)
    taken = [whole(snapshot.get("SNAPSHOT_ID")) for snapshot in vm.template.vectors("SNAPSHOT")]
    snapshot_id = max((number for number in taken if number is not None), default=-1) + 1
    vm.template.add(
        "SNAPSHOT",
        {
            "SNAPSHOT_ID": str(snapshot_id),
            "NAME": name or f"snapshot-{snapshot_id}",
            "TIME": str(int(time.time())),
            "HYPERVISOR_ID": "",
            "ACTIVE": "YES",
            "ACTION": "CREATE",
        },
    )
    fire(call.tx, vm, "snapshot_create", vm_call.firing(call))
    return snapshot_id


@method("one.vm.snapshotrevert", "vm_id:i snapshot_id:i")
def revert(call: Call, vm_id: int, snapshot_id: int) -> int:
    """Bring a running VM back to a snapshot."""
    vm_call.require(call, vm_id, "snapshot-revert")
    vm = call.load(VM, vm_id)
    _find(vm, snapshot_id).update(ACTIVE="YES", ACTION="REVERT")
    fire(call.tx, vm, "snapshot_revert", vm_call.firing(call))
    return vm_id


@method("one.vm.snapshotdelete", "vm_id:i snapshot_id:i")
def delete(call: Call, vm_id: int, snapshot_id: int) -> int:
    """Delete a snapshot of a VM."""
    vm_call.require(call, vm_id, "snapshot-delete")
    vm = call.load(VM, vm_id)
    if vm.state == VmState.POWEROFF and vm.history is not None:
        if not site.traits(vm.history.vm_mad).keeps_snapshots:
            raise ActionError(f"{refusal(vm, 'snapshot_delete')}, here not POWEROFF", vm_id)
    _find(vm, snapshot_id).update(ACTIVE="YES", ACTION="DELETE")
    fire(call.tx, vm, "snapshot_delete", vm_call.firing(call))
    return vm_id


def _find(vm: VM, snapshot_id: int) -> Vector:
    """The snapshot of that id. Raises ActionError."""
    for snapshot in vm.template.vectors("SNAPSHOT"):
        if whole(snapshot.get("SNAPSHOT_ID")) == snapshot_id:
            return snapshot
    raise ActionError(f"Virtual machine {vm.oid} has no snapshot {snapshot_id}", vm.oid)
