"""Machines of virtual routers: the addresses that they share, and leaving the router's list when they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.oned.auth.rights import Right
from services.oned.errors import AuthorizationError
from services.oned.lifecycle import use_rights
from services.oned.lifecycle.numbers import whole
from services.oned.model.vm import VM
from services.oned.model.vrouter import VirtualRouter
from services.oned.store import Tx

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call


def floating(call: Call, vm: VM) -> set[str]:
    """The addresses that a VM shares with others of its virtual router, if the caller may manage that router.

    A VM says itself, by VROUTER_ID, whose machine it is: anybody can write that into a template.
    """
    router_id = whole(vm.template.get("VROUTER_ID"))
    router = None if router_id is None else VirtualRouter.find(call.tx, router_id)
    if router is None:
        return set()
    try:
        use_rights.require_use(call, VirtualRouter, router.oid, right=Right.MANAGE, despite_lock=True)
    except AuthorizationError:
        return set()
    return {text for nic in router.nics() for name, text in nic.items() if name.startswith("VROUTER_IP")}


def leave(tx: Tx, vm: VM) -> None:
    """Take a VM off its virtual router; nothing happens for other VMs, or when the router is gone."""
    router_id = whole(vm.template.get("VROUTER_ID"))
    router = None if router_id is None else VirtualRouter.find(tx, router_id)
    if router is not None and vm.oid in router.vms:
        router.vms.remove(vm.oid)
        router.save(tx)
