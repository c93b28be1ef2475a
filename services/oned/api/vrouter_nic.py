"""Cards that come to a virtual router and leave it, with all its machines or not at all."""

from __future__ import annotations

from collections.abc import Callable

from services.common.template import Template, Vector
from services.oned.api import vm_call
from services.oned.api.call import Call
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, OneError, RequestError
from services.oned.lifecycle import create_rights, nics, vrouter_nics
from services.oned.model.vm import VM
from services.oned.model.vrouter import VirtualRouter


@method("one.vrouter.attachnic", "vrouter_id:i template:s")
def attach(call: Call, vrouter_id: int, text: str) -> int:
    """Add a card to a virtual router and to each of its machines."""
    template = Template.parse(text)
    call.authorize(VirtualRouter, Right.MANAGE, vrouter_id)
    vrouter_nics.require(call, template)
    router = call.load(VirtualRouter, vrouter_id)
    cards = template.vectors("NIC")
    vrouter_nics.count(call, router, cards)
    if template.get_vector("NIC_ALIAS") is not None:
        raise ActionError("Alias can't be attached to virtual router.", vrouter_id)
    if len(cards) != 1:
        raise ActionError(f"The template must contain one NIC attribute, found {len(cards)}.", vrouter_id)
    try:
        added = vrouter_nics.add(call, router, cards[0])
    except RequestError as error:
        raise ActionError(error.message, vrouter_id) from None
    router.save(call.tx)
    _for_machines(call, router, lambda vm: _attach(call, vm, added))
    return vrouter_id


@method("one.vrouter.detachnic", "vrouter_id:i nic_id:i", Check(VirtualRouter, Right.MANAGE, "vrouter_id"))
def detach(call: Call, vrouter_id: int, nic_id: int) -> int:
    """Take a card away from a virtual router and from each of its machines."""
    router = call.load(VirtualRouter, vrouter_id)
    card = router.find_nic(nic_id)
    if card is None:
        raise ActionError(f"NIC with NIC_ID {nic_id} does not exist.", vrouter_id)
    vrouter_nics.drop(call, router, card)
    router.save(call.tx)
    _for_machines(call, router, lambda vm: _detach(call, vm, nic_id))
    return vrouter_id


def _for_machines(call: Call, router: VirtualRouter, what: Callable[[VM], None]) -> None:
    """Do something to each machine. Raises ActionError when one refuses, whatever its reason."""
    for vm_id in router.vms:
        try:
            what(call.load(VM, vm_id))
        except OneError as error:
            raise ActionError(error.message, router.oid) from None


def _attach(call: Call, vm: VM, card: Vector) -> None:
    template = Template([("NIC", card)])
    call.authorize(VM, Right.MANAGE, vm.oid)
    create_rights.require(call, template)
    vm_call.refuse_restricted(call, template, "NIC")
    nics.attach(call, vm, template, vm_call.firing(call))


def _detach(call: Call, vm: VM, nic_id: int) -> None:
    call.authorize(VM, Right.MANAGE, vm.oid)
    nics.detach(call, vm, nic_id, vm_call.firing(call))
