"""Machines of virtual routers: leaving the router's list when they end."""

from __future__ import annotations

from services.oned.lifecycle.numbers import whole
from services.oned.model.vm import VM
from services.oned.model.vrouter import VirtualRouter
from services.oned.store import Tx


def leave(tx: Tx, vm: VM) -> None:
    """Take a VM off its virtual router; nothing happens for other VMs, or when the router is gone."""
    router_id = whole(vm.template.get("VROUTER_ID"))
    router = None if router_id is None else VirtualRouter.find(tx, router_id)
    if router is not None and vm.oid in router.vms:
        router.vms.remove(vm.oid)
        router.save(tx)
