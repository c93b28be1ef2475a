"""Which variant of an event holds for a VM: what its document says beyond its condition."""

from __future__ import annotations

from services.oned.lifecycle.actions import COLD_START, LEFT_HOST
from services.oned.lifecycle.transitions import TABLE, Row
from services.oned.model.vm import VM
from services.oned.store import Tx, jobs

# Drivers' work that shares a condition with other work, by operation.
_WORK = {
    "vmm.ATTACH_DISK": "attach_disk",
    "vmm.DETACH_DISK": "detach_disk",
    "vmm.UPDATE_CONF": "updateconf",
    "vmm.ATTACH_NIC": "attach_nic",
    "vmm.DETACH_NIC": "detach_nic",
}
_SHARED = ("HOTPLUG", "HOTPLUG_NIC", "HOTPLUG_NIC_POWEROFF")


def lookup(tx: Tx, vm: VM, event: str) -> Row | None:
    """The row for an event in the VM's condition, the most special one; None is a refusal."""
    condition = vm.condition
    variant = _variant(vm, condition)
    work = _work(tx, vm, condition) if event.startswith("recover_") else ""
    special = ((event, work, variant), (event, work), (event, variant), (event,))
    names = ("/".join(filter(None, parts)) for parts in special)
    return next((TABLE[condition, name] for name in names if (condition, name) in TABLE), None)


def _variant(vm: VM, condition: str) -> str:
    record = vm.history
    if record is None:
        return ""
    if condition in ("PENDING", "HOLD"):
        return "left" if record.action in LEFT_HOST else ""
    if condition in ("PROLOG_MIGRATE", "PROLOG_MIGRATE_FAILURE"):
        return "anew" if record.action in COLD_START else ""
    if condition == "HOTPLUG_SNAPSHOT":
        return "off" if record.retime else ""
    return ""


def _work(tx: Tx, vm: VM, condition: str) -> str:
    if condition == "HOTPLUG_SNAPSHOT":
        active = (s for s in vm.template.vectors("SNAPSHOT") if s.get("ACTIVE", "").upper() == "YES")
        return f"snapshot_{next(active, {}).get('ACTION', '').lower()}"
    if condition not in _SHARED:
        return ""
    return next((_WORK[name] for name in jobs.operations(tx, "VM", vm.oid) if name in _WORK), "")
