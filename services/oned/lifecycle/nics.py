"""Attaching and detaching interfaces of a VM; the rights are the caller's business.

Source: order of the checks of one.vm.attachnic and one.vm.detachnic in release 6.0.0.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.template import Template
from services.oned.errors import ActionError
from services.oned.lifecycle import create, resources, site
from services.oned.lifecycle.actions import HistoryAction
from services.oned.lifecycle.effects import Firing
from services.oned.lifecycle.fire import fire
from services.oned.lifecycle.states import VmState
from services.oned.model import vm_usage
from services.oned.model.vm import VM

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call


def attach(call: Call, vm: VM, template: Template, firing: Firing) -> None:
    """Add the NIC, or else the NIC_ALIAS, of a template. Raises ActionError, AuthorizationError (quotas)."""
    given, alias = template.get_vector("NIC"), template.get_vector("NIC_ALIAS")
    with create.refused_as(ActionError):
        if given is not None:
            resources.add_nic(call, vm, given)
        elif alias is not None:
            resources.add_nic(call, vm, alias, alias=True)
        else:
            raise ActionError("Wrong format or missing NIC/NIC_ALIAS attribute", vm.oid)
    vm_usage.account(call.tx, vm)
    firing.action = HistoryAction.NIC_ATTACH if given is not None else HistoryAction.ALIAS_ATTACH
    fire(call.tx, vm, f"attach_nic{_where(vm)}", firing)


def detach(call: Call, vm: VM, nic_id: int, firing: Firing) -> None:
    """Take an interface, with its aliases, or one alias away. Raises ActionError."""
    nic = vm.find_nic(nic_id)
    if nic is None:
        have = ", ".join(found.get("NIC_ID", "?") for found in vm.nics()) or "none"
        raise ActionError(
            f"Could not detach NIC with NIC_ID {nic_id}, it does not exist: virtual machine {vm.oid} has "
            f"{have}",
            vm.oid,
        )
    is_alias = any(nic is found for found in vm.template.vectors("NIC_ALIAS"))
    nic["ATTACH"] = "YES"
    firing.action = HistoryAction.ALIAS_DETACH if is_alias else HistoryAction.NIC_DETACH
    fire(call.tx, vm, f"detach_nic{_where(vm)}", firing)


def _where(vm: VM) -> str:
    """What the event of a VM that is off ends in, when its driver need not hear of it."""
    if vm.state != VmState.POWEROFF or vm.history is None:
        return ""
    return "" if site.traits(vm.history.vm_mad).attaches_nics_cold else "_offline"
