"""Hosts and system datastores that a VM may go to; shared by deployment and migration.

Source: order of the checks of one.vm.deploy and one.vm.migrate in release 6.0.0.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from services.common.template import is_yes
from services.oned.config import OnedConf
from services.oned.errors import ActionError, NotFoundError, RequestError
from services.oned.lifecycle import image_use, site
from services.oned.lifecycle.effects import Placement, capacity_of
from services.oned.model.base import PoolObject
from services.oned.model.cluster import Cluster
from services.oned.model.datastore import Datastore, DatastoreType
from services.oned.model.host import Host, HostState
from services.oned.model.vm import VM
from services.oned.model.vm_usage import is_volatile
from services.oned.store import Tx, pools

_P = TypeVar("_P", bound=PoolObject)


def usable_host(tx: Tx, host_id: int, vm_id: int) -> Host:
    """A host that VMs may go to; its row is not locked. Raises NotFoundError, ActionError when offline."""
    host = _read(tx, Host, host_id)
    if host.state is HostState.OFFLINE:
        raise ActionError(f"Host {host.name} ({host_id}) is offline, cannot use it to deploy VM", vm_id)
    return host


def is_public_cloud(host: Host) -> bool:
    """Whether the host stands for a cloud elsewhere, which has no datastores of ours."""
    return is_yes(host.template.get("PUBLIC_CLOUD") or "NO")


def default_datastore(tx: Tx, cluster_id: int, vm_id: int) -> Datastore:
    """The first system datastore of a cluster. Raises NotFoundError, ActionError when it has none."""
    for candidate in sorted(_read(tx, Cluster, cluster_id).datastores):
        body = pools.body(tx, Datastore.TABLE, candidate)
        if body is not None and Datastore.from_xml(body).type is DatastoreType.SYSTEM_DS:
            return Datastore.from_xml(body)
    raise ActionError(f"CLUSTER [{cluster_id}] does not have any DATASTORE of type SYSTEM_DS.", vm_id)


def system_datastore(tx: Tx, ds_id: int) -> Datastore:
    """A system datastore; its row is not locked. Raises NotFoundError, RequestError for another type."""
    datastore = _read(tx, Datastore, ds_id)
    if datastore.type is not DatastoreType.SYSTEM_DS:
        raise RequestError(
            f"Trying to use DATASTORE [{ds_id}] to deploy the VM, but it is of type {datastore.type.name}, "
            "not of type SYSTEM_DS.",
            ds_id,
        )
    return datastore


def require_room(tx: Tx, vm: VM, host_id: int) -> None:
    """Raise ActionError unless the host has room for the VM; the host is locked, so that it stays so."""
    _require(
        tx, vm, host_id, lambda host: host.fits(*capacity_of(vm)) or host.share.why_not_pinned(vm.template)
    )


def require_devices(tx: Tx, vm: VM, host_id: int) -> None:
    """The same for the PCI devices and the pinned CPUs of the VM alone, whatever its CPU and memory."""
    if vm.template.vectors("PCI") or vm.template.vectors("NUMA_NODE"):
        _require(tx, vm, host_id, lambda host: host.share.why_not_pinned(vm.template))


def _require(tx: Tx, vm: VM, host_id: int, why_not: Callable[[Host], str | None]) -> None:
    host = Host.find(tx, host_id)
    if host is None:
        raise ActionError("Host no longer exists", vm.oid)
    if vm.oid in host.vms:
        return
    missing = why_not(host)
    if missing:
        raise ActionError(
            f"VM [{vm.oid}] does not fit in HOST [{host_id}]. Not enough capacity: {missing}", vm.oid
        )


def require_driver(vm: VM, vm_mad: str) -> site.Traits:
    """What the driver of a host can do. Raises ActionError for one that oned.conf does not know."""
    traits = site.traits(vm_mad)
    if not traits.is_known:
        raise ActionError(f"Cannot find vmm driver: {vm_mad}; there is no such VM_MAD in oned.conf", vm.oid)
    return traits


def fill_volatile_disks(conf: OnedConf, vm: VM, datastore: Datastore) -> None:
    """Give disks without an image what they take from the system datastore that they are made in."""
    for disk in vm.disks():
        if is_volatile(disk):
            image_use.fill_from_datastore(conf, datastore, disk)


def at(host: Host, datastore: Datastore | None) -> Placement:
    """The place on a host; without a datastore in a public cloud."""
    return Placement(
        host.oid,
        host.name,
        host.cluster_id,
        host.vm_mad,
        datastore.tm_mad if datastore else "",
        datastore.oid if datastore else -1,
    )


def _read(tx: Tx, model: type[_P], oid: int) -> _P:
    """An object whose row is not locked: others may deploy to the same place meanwhile."""
    body = pools.body(tx, model.TABLE, oid)
    if body is None:
        raise NotFoundError(f"Error getting {model.LABEL} [{oid}].", oid)
    return model.from_xml(body)
