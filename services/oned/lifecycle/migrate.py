"""Migrating a VM to another host or system datastore: what it takes, then the event.

Source: order of the checks of one.vm.migrate in release 6.0.0.3; VM states reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.template import is_yes
from services.oned.errors import ActionError, NotFoundError, OneError
from services.oned.lifecycle import placement, ports, requirements, site, topology
from services.oned.lifecycle.actions import HistoryAction
from services.oned.lifecycle.effects import Firing
from services.oned.lifecycle.fire import fire
from services.oned.model import history
from services.oned.model.datastore import Datastore
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Tx, pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_ALLOWED = ("RUNNING", "UNKNOWN", "POWEROFF", "SUSPENDED")
# How a running VM is moved when not live: saved, shut down, or killed. Another number means saved.
POWEROFF, POWEROFF_HARD = 1, 2
_KINDS = {
    POWEROFF: ("migrate_poweroff", HistoryAction.POFF_MIGRATE),
    POWEROFF_HARD: ("migrate_poweroff_hard", HistoryAction.POFF_HARD_MIGRATE),
}


def migrate(
    call: Call, vm: VM, host: Host, *, live: bool, enforce: bool, ds_id: int, kind: int, firing: Firing
) -> None:
    """Move the VM to a host, and with ``ds_id`` to another system datastore (-1: it keeps its own).

    live: a running machine keeps running. enforce: refuse when the host has not enough free capacity.
    kind: 0 save and restore, 1 power off, 2 power off hard.
    Raises ActionError, RequestError, NotFoundError.
    """
    tx = call.tx
    _require_state(tx, vm)
    assert vm.history is not None
    if live and topology.is_pinned(vm.template):
        raise ActionError("VM with a pinned NUMA topology cannot be live-migrated", vm.oid)
    _require_imported(vm, "live-migrate" if live else "migrate")
    present = vm.history
    if present.hid == host.oid and ds_id in (-1, present.ds_id):
        raise ActionError(f"VM is already running on HOST [{host.oid}]", vm.oid)
    if enforce:
        placement.require_room(tx, vm, host.oid)
    else:
        placement.require_devices(tx, vm, host.oid)
    try:
        clusters = requirements.settle(tx, vm)
    except OneError as error:
        raise ActionError(error.message, vm.oid) from None
    if vm.template.vectors("PCI") and not kind and vm.condition != "POWEROFF":
        raise ActionError(
            f"Cannot migrate VM [{vm.oid}], use poweroff or poweroff-hard flag for migrating a VM with PCI "
            "devices",
            vm.oid,
        )
    _require_place(tx, vm, host, clusters)
    datastore = _datastore(tx, vm, host, live, ds_id)
    if present.cid != host.cluster_id:
        ports.move(tx, vm, host.cluster_id, keep=live)
    placement.fill_volatile_disks(call.conf, vm, datastore)
    event, firing.action = _KINDS.get(kind, ("migrate", HistoryAction.MIGRATE))
    if live and vm.condition == "RUNNING":
        event, firing.action = "migrate_live", HistoryAction.LIVE_MIGRATE
    firing.placement = placement.at(host, datastore)
    fire(tx, vm, event, firing)


def _require_state(tx: Tx, vm: VM) -> None:
    """Raise ActionError unless the VM is in a condition to be moved, with no other move still open."""
    if vm.condition not in _ALLOWED or vm.history is None:
        raise ActionError(
            f"Migrate action is not available for state {vm.condition}; virtual machine {vm.oid} must be in "
            f"{', '.join(_ALLOWED)}",
            vm.oid,
        )
    before = history.before(tx, vm.history)
    if before is not None and before.etime == 0:
        raise ActionError(
            f"Migrate action is not available for state {vm.condition}: history record {before.seq} of "
            f"virtual machine {vm.oid} is still open",
            vm.oid,
        )


def _require_imported(vm: VM, action: str) -> None:
    if vm.template.get_bool("IMPORTED") and vm.history is not None:
        if action not in site.traits(vm.history.vm_mad).imported_actions:
            raise ActionError("Migration is not supported for imported VMs", vm.oid)


def _require_place(tx: Tx, vm: VM, host: Host, clusters: set[int]) -> None:
    """Raise unless the present host exists, the new one is in a cluster that fits, and none is a cloud."""
    assert vm.history is not None
    body = pools.body(tx, Host.TABLE, vm.history.hid)
    if body is None:
        raise NotFoundError(f"Error getting host [{vm.history.hid}].", vm.history.hid)
    if clusters and host.cluster_id not in clusters:
        raise ActionError(
            f"Cannot migrate VM [{vm.oid}] to host [{host.oid}]. Host is in cluster [{host.cluster_id}], and "
            f"VM requires to be placed on cluster {sorted(clusters)}",
            vm.oid,
        )
    if placement.is_public_cloud(host) or placement.is_public_cloud(Host.from_xml(body)):
        raise ActionError("Cannot migrate to or from a Public Cloud Host", vm.oid)


def _datastore(tx: Tx, vm: VM, host: Host, live: bool, ds_id: int) -> Datastore:
    """The system datastore that the VM goes to. Raises ActionError when its disks cannot."""
    assert vm.history is not None
    if ds_id != -1:
        traits = placement.require_driver(vm, host.vm_mad)
        if vm.history.ds_id != ds_id and live and not traits.moves_datastore_live:
            raise ActionError("A migration to a different system datastore cannot be performed live.", vm.oid)
        datastore = placement.system_datastore(tx, ds_id)
        if not is_yes(datastore.template.get("DS_MIGRATE") or "NO"):
            raise ActionError("System datastore migration not supported by TM driver", vm.oid)
        if vm.history.tm_mad != datastore.tm_mad:
            raise ActionError(
                f"Cannot migrate to a system datastore with a different TM driver: it is "
                f"{datastore.tm_mad}, the VM's is {vm.history.tm_mad}",
                vm.oid,
            )
    else:
        datastore = placement.system_datastore(tx, vm.history.ds_id)
    if datastore.clusters and host.cluster_id not in datastore.clusters:
        raise ActionError(
            f"Cannot migrate VM [{vm.oid}] to host [{host.oid}] and system datastore [{datastore.oid}]. Host "
            f"is in cluster [{host.cluster_id}], and the datastore is in cluster {datastore.clusters}",
            vm.oid,
        )
    return datastore
