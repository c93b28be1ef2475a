"""Deploying a VM: which host and system datastore it may go to, then the event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.template import Template, is_yes
from services.oned.errors import ActionError, OneError
from services.oned.lifecycle import create_nics, placement, ports, topology
from services.oned.lifecycle.actions import LEFT_HOST, HistoryAction
from services.oned.lifecycle.effects import Firing
from services.oned.lifecycle.fire import fire
from services.oned.lifecycle.states import VmState
from services.oned.model.datastore import Datastore
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Tx, pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_WAITS = (VmState.PENDING, VmState.HOLD, VmState.STOPPED, VmState.UNDEPLOYED)
# The event of a deployment depends on how the VM left its last host.
_AFTER: dict[int, str] = {
    HistoryAction.STOP: "deploy_stopped",
    HistoryAction.UNDEPLOY: "deploy_undeployed",
    HistoryAction.UNDEPLOY_HARD: "deploy_undeployed",
}


def choose_datastore(tx: Tx, vm: VM, host: Host, ds_id: int) -> Datastore | None:
    """The system datastore of a deployment; None in a public cloud.

    ds_id: the one asked for; -1 takes the one that holds a stopped VM's disks, else the cluster's first.
    Raises NotFoundError, RequestError, ActionError.
    """
    if placement.is_public_cloud(host):
        return None
    if ds_id == -1 and vm.history is not None and vm.history.action in LEFT_HOST:
        ds_id = vm.history.ds_id
    if ds_id == -1:
        return placement.default_datastore(tx, host.cluster_id, vm.oid)
    datastore = placement.system_datastore(tx, ds_id)
    if host.cluster_id not in datastore.clusters:
        raise ActionError(
            f"DATASTORE [{ds_id}] and HOST [{host.oid}] are not in the same CLUSTER [{host.cluster_id}].",
            vm.oid,
        )
    return datastore


def waits_for_networks(vm: VM) -> bool:
    """Whether a deployment may choose networks: not for a VM that comes back with its interfaces."""
    return vm.history is None or vm.history.action not in LEFT_HOST


def deploy(
    call: Call,
    vm: VM,
    host: Host,
    datastore: Datastore | None,
    *,
    enforce: bool,
    networks: Template | None,
    firing: Firing,
) -> None:
    """Start the VM on a host.

    enforce: refuse when the host has not enough free capacity. networks: for interfaces in automatic mode.
    Raises ActionError when state, capacity, networks, drivers or ports forbid it.
    """
    if vm.state not in _WAITS:
        raise ActionError(
            f"Deploy action is not available for state {vm.condition}; virtual machine {vm.oid} must be in "
            f"{', '.join(state.name for state in _WAITS)}",
            vm.oid,
        )
    if enforce or topology.is_pinned(vm.template):
        placement.require_room(call.tx, vm, host.oid)
    elif datastore is not None:  # a cloud elsewhere has devices of its own
        placement.require_devices(call.tx, vm, host.oid)
    if networks is not None:
        try:
            create_nics.lease_auto(call, vm, networks)
        except OneError as error:
            raise ActionError(error.message, vm.oid) from None
    _settle_drivers(call.tx, vm, host, datastore)
    if datastore is not None:
        placement.fill_volatile_disks(call.conf, vm, datastore)
    ports.take(call.tx, vm, host.cluster_id)
    firing.action = HistoryAction.DEPLOY
    firing.placement = placement.at(host, datastore)
    fire(call.tx, vm, _event(vm), firing)


def _event(vm: VM) -> str:
    if vm.template.get_bool("IMPORTED"):
        wanted = vm.user_template.get("IMPORT_STATE") or ""
        vm.user_template.remove("IMPORT_STATE")
        return "import_off" if wanted == "POWEROFF" else "import"
    return "deploy" if vm.history is None else _AFTER.get(vm.history.action, "deploy")


def _settle_drivers(tx: Tx, vm: VM, host: Host, datastore: Datastore | None) -> None:
    """Fit the disks to the system datastore's driver, once, and check what the hypervisor's can do."""
    if not vm.template.get("TM_MAD_SYSTEM"):
        tm_mad = datastore.tm_mad if datastore else ""
        for disk in vm.disks():
            if disk.get("TM_MAD", "").upper() != tm_mad.upper() and disk.get("DATASTORE_ID", "").isdigit():
                _fit(tx, vm, disk, tm_mad)
        vm.template.set("TM_MAD_SYSTEM", tm_mad)
    traits = placement.require_driver(vm, host.vm_mad)
    if not traits.shares_disks and any(is_yes(disk.get("SHAREABLE", "NO")) for disk in vm.disks()):
        raise ActionError(
            f"VM has shareable disk, but vmm driver {host.vm_mad!r} doesn't support shareable disks", vm.oid
        )


def _fit(tx: Tx, vm: VM, disk: dict[str, str], tm_mad: str) -> None:
    """Let a disk go where its datastore puts it for another system datastore driver. Raises ActionError."""
    body = pools.body(tx, Datastore.TABLE, int(disk["DATASTORE_ID"]))
    if body is None:
        raise ActionError(f"Datastore {disk['DATASTORE_ID']} of a disk does not exist", vm.oid)
    mode, store = tm_mad.strip().upper(), Datastore.from_xml(body)
    names = ("CLONE_TARGET", "LN_TARGET", "DISK_TYPE")
    values = {name: store.template.get(f"{name}_{mode}") or "" if mode else "" for name in names}
    if mode and not all(values.values()):
        raise ActionError(f"Image Datastore {store.oid} does not support transfer mode: {tm_mad}", vm.oid)
    disk.update(values, TM_MAD_SYSTEM=tm_mad)
