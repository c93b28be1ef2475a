"""Methods that bring a virtual machine to a host: deploy and migrate."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import vm_call
from services.oned.api.call import Call
from services.oned.api.registry import method
from services.oned.auth.rights import Right
from services.oned.lifecycle import create_rights, placement
from services.oned.lifecycle import deploy as deployment
from services.oned.lifecycle.migrate import migrate as migrate_vm
from services.oned.model.datastore import Datastore
from services.oned.model.host import Host
from services.oned.model.vm import VM


@method("one.vm.deploy", "vm_id:i host_id:i enforce:b=0 datastore_id:i=-1 extra_template:s=")
def deploy(call: Call, vm_id: int, host_id: int, enforce: bool, ds_id: int, extra: str) -> int:
    """Start a VM on a host, in a system datastore or the default one (-1)."""
    networks = Template.parse(extra) if extra else None
    host = placement.usable_host(call.tx, host_id, vm_id)
    vm = call.load(VM, vm_id)
    datastore = deployment.choose_datastore(call.tx, vm, host, ds_id)
    if networks is not None and not deployment.waits_for_networks(vm):
        networks = None
    if networks is not None:
        vm_call.refuse_restricted(call, networks, "NIC")
        create_rights.require(call, networks)
    vm_call.require(call, vm_id, "deploy")
    vm_call.require_unlocked(call, Host, Right.MANAGE, host_id)
    if datastore is not None:
        vm_call.require_unlocked(call, Datastore, Right.USE, datastore.oid)
    deployment.deploy(
        call, vm, host, datastore, enforce=enforce, networks=networks, firing=vm_call.firing(call)
    )
    return vm_id


@method("one.vm.migrate", "vm_id:i host_id:i live:b enforce:b=0 datastore_id:i=-1 migration_type:i=0")
def migrate(call: Call, vm_id: int, host_id: int, live: bool, enforce: bool, ds_id: int, kind: int) -> int:
    """Move a VM to a host: live, or saved (0), powered off (1) or powered off hard (2) meanwhile."""
    host = placement.usable_host(call.tx, host_id, vm_id)
    if ds_id != -1:
        vm_call.require_there(call, Datastore, ds_id)
    vm_call.require(call, vm_id, "migrate")
    vm_call.require_unlocked(call, Host, Right.MANAGE, host_id)
    if ds_id != -1:
        vm_call.require_unlocked(call, Datastore, Right.USE, ds_id)
    migrate_vm(
        call,
        call.load(VM, vm_id),
        host,
        live=live,
        enforce=enforce,
        ds_id=ds_id,
        kind=kind,
        firing=vm_call.firing(call),
    )
    return vm_id
