"""Changing the capacity of a VM, hot or cold; the rights are the caller's business.

Source: order of the checks of one.vm.resize in release 6.0.0.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.common.template import Template
from services.oned.errors import ActionError, AllocateError, RequestError
from services.oned.lifecycle import cores, site, topology
from services.oned.lifecycle.effects import Firing, capacity_of
from services.oned.lifecycle.fire import fire, refusal
from services.oned.lifecycle.numbers import decimal, decimal_text, whole
from services.oned.lifecycle.states import VmState
from services.oned.lifecycle.variants import lookup
from services.oned.model import vm_usage
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Tx

_INT_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a VM has, or is to have: share of CPUs, MB of memory, virtual CPUs; 0 means not said."""

    cpu: float
    memory_mb: int
    vcpu: int


def wanted(template: Template) -> Capacity:
    """The capacity that a template asks for; what is missing or no number is 0. Raises RequestError."""
    asked = Capacity(
        decimal(template.get("CPU")) or 0.0,
        whole(template.get("MEMORY")) or 0,
        whole(template.get("VCPU"), _INT_LARGEST) or 0,
    )
    if asked.cpu < 0:
        raise RequestError(f"CPU must be a positive float or integer value, found {template.get('CPU')!r}.")
    if asked.memory_mb < 0:
        raise RequestError(f"MEMORY must be a positive integer value, found {template.get('MEMORY')!r}.")
    if asked.vcpu < 0:
        raise RequestError(f"VCPU must be a positive integer value, found {template.get('VCPU')!r}.")
    return asked


def resize(tx: Tx, vm: VM, asked: Capacity, firing: Firing) -> None:
    """Give the VM the capacity asked for; what is 0 stays. A running machine is told by its driver.

    Raises AuthorizationError (quotas), ActionError.
    """
    old = Capacity(
        decimal(vm.template.get("CPU")) or 0.0,
        vm.memory_mb,
        whole(vm.template.get("VCPU"), _INT_LARGEST) or 0,
    )
    # Every virtual CPU of a pinned VM is a whole one.
    cpu = float(asked.vcpu) if topology.is_pinned(vm.template) else asked.cpu
    new = Capacity(cpu or old.cpu, asked.memory_mb or old.memory_mb, asked.vcpu or old.vcpu)
    counted = capacity_of(vm)
    _write(vm, new)
    vm_usage.account(tx, vm)
    if lookup(tx, vm, "resize") is None:
        raise ActionError(refusal(vm, "resize"), vm.oid)
    is_running = vm.state == VmState.ACTIVE
    if is_running:
        _require_hot(vm)
        if new == old:
            return
    before = vm.template.copy()
    try:
        cores.spread(vm.template, new.vcpu)
    except AllocateError as error:
        raise ActionError(error.message, vm.oid) from None
    if is_running or vm.state == VmState.POWEROFF:
        _recount(tx, vm, counted, before)
    if is_running:
        had = {"CPU": decimal_text(old.cpu), "MEMORY": str(old.memory_mb), "VCPU": str(old.vcpu)}
        vm.template.set("RESIZE", had)
    fire(tx, vm, "resize", firing)


def _write(vm: VM, new: Capacity) -> None:
    if new.cpu > 0:
        vm.template.set("CPU", decimal_text(new.cpu))
    if new.memory_mb > 0:
        vm.template.set("MEMORY", str(new.memory_mb))
    if new.vcpu > 0:
        vm.template.set("VCPU", str(new.vcpu))


def _require_hot(vm: VM) -> None:
    """Raise ActionError unless the machine can be changed while it runs."""
    if topology.is_pinned(vm.template):
        raise ActionError(f"Cannot resize a pinned VM while it runs; virtual machine {vm.oid} is", vm.oid)
    driver = vm.history.vm_mad if vm.history else ""
    if not site.traits(driver).resizes_live:
        raise ActionError(f"Hotplug resize not supported by driver {driver}", vm.oid)


def _recount(tx: Tx, vm: VM, counted: tuple[int, int], before: Template) -> None:
    """Let the host count the new capacity, and pin the VM anew: before is its template with the old places.

    Raises ActionError when the host has no room for it.
    """
    host = Host.find(tx, vm.history.hid) if vm.history else None
    if host is None:
        raise ActionError("Could not update host, it does not exist", vm.oid)
    host.remove_vm(vm.oid, *counted)
    missing = host.fits(*capacity_of(vm))
    if missing:
        raise ActionError(f"{missing} on host {host.name} ({host.oid})", vm.oid)
    if topology.is_pinned(vm.template) and not host.share.repin(vm.oid, before, vm.template):
        raise ActionError(f"Cannot allocate NUMA topology on host {host.name} ({host.oid})", vm.oid)
    host.add_vm(vm.oid, *capacity_of(vm))
    host.save(tx)
