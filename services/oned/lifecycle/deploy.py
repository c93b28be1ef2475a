"""Deploying a VM: which host and system datastore it may go to, then the event."""

from __future__ import annotations

from services.oned.config import OnedConf
from services.oned.errors import ActionError, NotFoundError
from services.oned.lifecycle.actions import HistoryAction
from services.oned.lifecycle.effects import Firing, Placement
from services.oned.lifecycle.fire import fire
from services.oned.lifecycle.transitions import TABLE, allowed_conditions
from services.oned.model.cluster import Cluster
from services.oned.model.datastore import Datastore
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Tx

_OFFLINE = 8
_SYSTEM_DS = 1
# The event of a deployment depends on how the VM left its last host.
_AFTER: dict[int, str] = {
    HistoryAction.STOP: "deploy_stopped",
    HistoryAction.UNDEPLOY: "deploy_undeployed",
    HistoryAction.UNDEPLOY_HARD: "deploy_undeployed",
}


def deploy(tx: Tx, conf: OnedConf, vm: VM, host_id: int, ds_id: int, enforce: bool, firing: Firing) -> None:
    """Start the VM on a host.

    ds_id: a system datastore, or -1 for the one that the VM used or the cluster's first.
    enforce: refuse when the host has not enough free capacity.
    Raises NotFoundError for host or datastore, ActionError when state, capacity or cluster forbid it.
    """
    event = _event(vm)
    if (vm.condition, event) not in TABLE:
        raise ActionError(
            f"Deploy action is not available for state {vm.condition}; virtual machine {vm.oid} must be in "
            f"{' or '.join(allowed_conditions(event))}",
            vm.oid,
        )
    host = Host.load(tx, host_id)
    if host.state == _OFFLINE:
        raise ActionError("Host is offline, cannot use it to deploy VM", vm.oid)
    if enforce:
        missing = host.fits(round(vm.cpu * 100), vm.memory_mb * 1024)
        if missing:
            raise ActionError(f"Not enough capacity in host {host.name} ({host_id}): {missing}", vm.oid)
    datastore = _system_datastore(tx, vm, host, ds_id)
    _require_vm_driver(conf, host)
    firing.action = HistoryAction.DEPLOY
    firing.placement = Placement(
        host.oid, host.name, host.cluster_id, host.vm_mad, datastore.tm_mad, datastore.oid
    )
    vm.template.set("TM_MAD_SYSTEM", datastore.tm_mad)
    fire(tx, vm, event, firing)


def _event(vm: VM) -> str:
    if vm.history is None:
        return "deploy"
    return _AFTER.get(vm.history.action, "deploy")


def _system_datastore(tx: Tx, vm: VM, host: Host, ds_id: int) -> Datastore:
    if ds_id < 0 and vm.history is not None and _event(vm) != "deploy":
        ds_id = vm.history.ds_id
    if ds_id < 0:
        cluster = Cluster.find(tx, host.cluster_id)
        candidates = sorted(cluster.datastores) if cluster else []
        for candidate in candidates:
            datastore = Datastore.find(tx, candidate)
            if datastore is not None and datastore.type == _SYSTEM_DS and datastore.state == 0:
                return datastore
        raise ActionError(
            f"CLUSTER [{host.cluster_id}] does not have any DATASTORE of type SYSTEM_DS.", vm.oid
        )
    datastore = Datastore.load(tx, ds_id)
    if datastore.type != _SYSTEM_DS:
        raise ActionError(
            f"Trying to use DATASTORE [{ds_id}] to deploy the VM, but it is not SYSTEM_DS type.", vm.oid
        )
    if host.cluster_id not in datastore.clusters:
        raise ActionError(
            f"Host [{host.oid}] and DATASTORE [{ds_id}] are not in the same cluster; "
            f"the host's is {host.cluster_id}.",
            vm.oid,
        )
    return datastore


def _require_vm_driver(conf: OnedConf, host: Host) -> None:
    if conf.driver("VM_MAD", host.vm_mad) is None:
        raise NotFoundError(
            f"VM_MAD {host.vm_mad!r} of host {host.oid} is not defined in oned.conf", host.oid
        )
