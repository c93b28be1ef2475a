"""Effects on what a VM takes from its host and cluster: its place in the host's share and its VNC port."""

from __future__ import annotations

import logging

from services.oned.lifecycle import ports
from services.oned.lifecycle.effects.base import Firing, effect, previous, record
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Tx

_log = logging.getLogger("VM")


@effect
def reserve_host(tx: Tx, vm: VM, firing: Firing) -> None:
    """Count the VM on the host of its record."""
    _put(tx, vm, Host.load(tx, record(vm).hid))


@effect
def release_host(tx: Tx, vm: VM, firing: Firing) -> None:
    """Take the VM off the host of its record; nothing when the host is gone or does not count it."""
    if vm.history is not None:
        _take_off(tx, vm, vm.history.hid)


@effect
def leave_previous_host(tx: Tx, vm: VM, firing: Firing) -> None:
    """A migration has left the old host: its share and VNC port are free."""
    left = previous(tx, vm, firing)
    if left.hid != record(vm).hid:
        _take_off(tx, vm, left.hid, has_left=True)
    ports.settle(tx, vm, left.cid)


@effect
def stay_on_previous_host(tx: Tx, vm: VM, firing: Firing) -> None:
    """A migration did not happen: share and VNC port of the new host are free. Before the records change."""
    stays = previous(tx, vm, firing)
    if stays.hid != record(vm).hid:
        _take_off(tx, vm, record(vm).hid)
        if vm.template.vectors("PCI") or vm.template.vectors("NUMA_NODE"):
            host = Host.find(tx, stays.hid)
            if host is not None:
                host.share.give_back(vm.template)
    ports.turn_back(tx, vm, record(vm).cid)


@effect
def return_to_previous_host(tx: Tx, vm: VM, firing: Firing) -> None:
    """A migration that had left the old host goes back to it. Before the records change."""
    back = previous(tx, vm, firing)
    if back.hid != record(vm).hid:
        _take_off(tx, vm, record(vm).hid)
        host = Host.find(tx, back.hid)
        if host is not None:
            _put(tx, vm, host)
    ports.take(tx, vm, back.cid)


@effect
def free_port(tx: Tx, vm: VM, firing: Firing) -> None:
    """Give the VNC port back; the next deployment takes another one. Before the state changes."""
    ports.give_back(tx, vm)


@effect
def wish_port(tx: Tx, vm: VM, firing: Firing) -> None:
    """Give the VNC port back, but ask for the same one next time. Before the state changes."""
    ports.give_back(tx, vm, forget=False)


def capacity_of(vm: VM) -> tuple[int, int]:
    """What a host counts for the VM: percent of a core, kB of memory."""
    return round(vm.cpu * 100), vm.memory_mb * 1024


def _put(tx: Tx, vm: VM, host: Host) -> None:
    if host.add_vm(vm.oid, *capacity_of(vm)):
        if not host.share.claim(vm.oid, vm.template):
            # Checked before every deployment; a VM that goes back may find that others have come meanwhile.
            _log.warning(
                "VM %d: host %s (%d) lacks a PCI device or the CPUs of its topology",
                vm.oid,
                host.name,
                host.oid,
            )
        host.save(tx)


def _take_off(tx: Tx, vm: VM, host_id: int, *, has_left: bool = False) -> None:
    host = Host.find(tx, host_id)
    if host is not None and host.remove_vm(vm.oid, *capacity_of(vm)):
        host.share.release(vm.oid, vm.template, has_left=has_left)
        host.save(tx)
