"""VNC ports of VMs: each is taken in the cluster of the VM's host and given back there, never held twice.

A VM holds GRAPHICS/PORT from its deployment on; while it moves to another cluster, PREVIOUS_PORT is the one
that it still holds in the old cluster. Source: VNC_PORTS of the oned configuration reference of release 6.0.
"""

from __future__ import annotations

from itertools import chain

from services.common.template import Vector
from services.oned.errors import ActionError
from services.oned.lifecycle import site
from services.oned.lifecycle.actions import HistoryAction
from services.oned.lifecycle.states import VmState
from services.oned.model.vm import VM
from services.oned.store import Tx, clusters

_LAST_PORT = 65535
_HOLDS_NONE = (VmState.DONE, VmState.UNDEPLOYED)
_WAITS = (VmState.PENDING, VmState.HOLD)


def of(vm: VM, name: str = "PORT") -> int | None:
    """The VM's port, None without one."""
    text = (vm.template.get_vector("GRAPHICS") or {}).get(name, "").strip()
    return int(text) if text.isdigit() and int(text) <= _LAST_PORT else None


def cluster_of(vm: VM) -> int | None:
    """The cluster in which the VM holds its PORT, None while it holds none."""
    if vm.history is None or of(vm) is None or vm.state in _HOLDS_NONE:
        return None
    # A VM that waits keeps the port only when its memory was saved; another PORT is a mere wish.
    if vm.state in _WAITS and vm.history.action != HistoryAction.STOP:
        return None
    return vm.history.cid


def take(tx: Tx, vm: VM, cluster_id: int) -> None:
    """Take a port in a cluster for a VM with a screen: the one it asks for, else a free one.

    A VM that was deployed before asks for the port that it had, and gets another one when that is taken.
    Raises ActionError when the port asked for is taken, or none is free.
    """
    graphics, held_in, wanted = vm.template.get_vector("GRAPHICS"), cluster_of(vm), of(vm)
    if graphics is None or held_in == cluster_id:
        return
    taken = clusters.locked_ports(tx, cluster_id)
    if taken is None:
        return
    port: int | None = wanted
    if wanted is None or taken >> wanted & 1:
        if wanted is not None and vm.history is None:
            raise ActionError(
                f"Requested VNC port {wanted} is already assigned to a VM in cluster {cluster_id}", vm.oid
            )
        port = _free(taken, vm.oid)
    if port is None:
        raise ActionError(f"No free VNC ports available in cluster {cluster_id}", vm.oid)
    if held_in is not None:
        free(tx, held_in, wanted)
    graphics["PORT"] = str(port)
    clusters.save_ports(tx, cluster_id, taken | 1 << port)


def move(tx: Tx, vm: VM, cluster_id: int, *, keep: bool) -> None:
    """Take a port in another cluster, too: the same (keep: the machine goes on running), else a free one.

    Raises ActionError when it is not free, or none is.
    """
    graphics, held = vm.template.get_vector("GRAPHICS"), of(vm)
    taken = clusters.locked_ports(tx, cluster_id)
    if graphics is None or held is None or taken is None:
        return
    port = held if keep else _free(taken, vm.oid)
    if port is None or taken >> port & 1:
        raise ActionError(f"No free VNC port available in the new cluster {cluster_id}", vm.oid)
    graphics["PREVIOUS_PORT"], graphics["PORT"] = str(held), str(port)
    clusters.save_ports(tx, cluster_id, taken | 1 << port)


def settle(tx: Tx, vm: VM, old_cluster_id: int) -> None:
    """The VM has left its old cluster: give the port there back."""
    free(tx, old_cluster_id, of(vm, "PREVIOUS_PORT"))
    _forget(vm.template.get_vector("GRAPHICS"), "PREVIOUS_PORT")


def turn_back(tx: Tx, vm: VM, new_cluster_id: int) -> None:
    """The VM stays in its old cluster, whose port it still holds: give the new one back."""
    held = of(vm, "PREVIOUS_PORT")
    graphics = vm.template.get_vector("GRAPHICS")
    if graphics is None or held is None:
        return
    free(tx, new_cluster_id, of(vm))
    graphics["PORT"] = str(held)
    _forget(graphics, "PREVIOUS_PORT")


def give_back(tx: Tx, vm: VM, *, forget: bool = True) -> None:
    """Give back the port that the VM holds. forget: it asks for any port next time, not for this one."""
    cluster_id = cluster_of(vm)
    if cluster_id is None:
        return
    free(tx, cluster_id, of(vm))
    if forget:
        _forget(vm.template.get_vector("GRAPHICS"), "PORT")


def free(tx: Tx, cluster_id: int, port: int | None) -> None:
    """Give a port of a cluster back, whatever a VM's document says; nothing when it is not taken."""
    if port is None:
        return
    taken = clusters.locked_ports(tx, cluster_id)
    if taken is not None and taken >> port & 1:
        clusters.save_ports(tx, cluster_id, taken & ~(1 << port))


def _free(taken: int, vm_id: int) -> int | None:
    """The port that goes with the VM's id where that is free, else the first free one."""
    ports = site.vnc()
    hint = ports.start + vm_id % max(1, _LAST_PORT - ports.start)
    for port in chain((hint,), range(ports.start, _LAST_PORT + 1)):
        if port not in ports.reserved and not taken >> port & 1:
            return port
    return None


def _forget(graphics: Vector | None, name: str) -> None:
    if graphics is not None:
        graphics.pop(name, None)
