"""The cards of virtual routers, with the addresses that they float between the router's machines.

A floating address is the router's: its machines get a card without it and take it over from each other.
Source: virtual router guide of release 6.0; one.vrouter calls of release 6.0.0.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.lifecycle import create_rights, nic_lease
from services.oned.lifecycle.create_nics import is_auto
from services.oned.lifecycle.use_rights import on_behalf
from services.oned.model import quota, restricted
from services.oned.model.vrouter import VirtualRouter, has_floating_ip

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_FLOATING = ("MAC", "IP", "IP6_LINK", "IP6_ULA", "IP6_GLOBAL", "VLAN_ID")


def require(call: Call, template: Template) -> None:
    """Find the networks that cards name, and check that the caller may use them.

    A card gets the NETWORK_ID of the network that it names; one that does not exist is left for add() to
    refuse. Raises AuthorizationError.
    """
    cards = template.vectors("NIC")
    create_rights.require(call, Template([("NIC", card) for card in cards]))
    for card in cards:
        if is_auto(card) or card.get("NETWORK_ID"):
            continue
        try:
            network_id = nic_lease.resolve(call, card)
        except RequestError:
            continue
        if network_id != nic_lease.NO_NETWORK:
            card["NETWORK_ID"] = str(network_id)


def count(call: Call, router: VirtualRouter, cards: list[Vector]) -> None:
    """Count floating addresses for the router's owner. Raises AuthorizationError when a limit is passed."""
    wanted = VirtualRouter(-1, "")
    wanted.template = Template([("NIC", card) for card in cards])
    quota.change(call.tx, router.uid, router.gid, wanted.quota_usage())


def add(call: Call, router: VirtualRouter, card: Vector) -> Vector:
    """Add a card, with a lease if its address floats; what the router's machines get of it.

    The router must be stored already, for the lease names it. Raises RequestError for networks and addresses
    that cannot be had.
    """
    given = {**card, "NIC_ID": str(router.next_nic_id())}
    owner = on_behalf(call, router.uid)
    network_id = nic_lease.resolve(owner, given)
    if network_id != nic_lease.NO_NETWORK:
        nic_lease.lease(owner, network_id, given, "VR", router.oid)
    if has_floating_ip(given):
        _set_apart(call, given)
    elif not call.caller.is_admin:
        _drop_restricted(call, given)  # the machines get it as the front-end's own word
    router.template.add("NIC", given)
    return given


def drop(call: Call, router: VirtualRouter, nic: Vector) -> None:
    """Remove a card and give its address back."""
    before = router.quota_usage()
    router.remove_nic(nic)
    nic_lease.release(call.tx, nic, "VR", router.oid)
    quota.change(call.tx, router.uid, router.gid, router.quota_usage() - before, check=False)


def drop_all(call: Call, router: VirtualRouter) -> None:
    """Give every card's address back, before the router is deleted."""
    for nic in router.nics():
        nic_lease.release(call.tx, nic, "VR", router.oid)
    quota.change(call.tx, router.uid, router.gid, -router.quota_usage(), check=False)


def _set_apart(call: Call, nic: Vector) -> None:
    """Mark the floating address as the router's, and take out what machines of users may not ask for."""
    for name in _FLOATING:
        if name in nic:
            nic[f"VROUTER_{name}"] = nic.pop(name)
    _drop_restricted(call, nic)


def _drop_restricted(call: Call, nic: Vector) -> None:
    for name in restricted.names(call.conf.settings, "VM_RESTRICTED_ATTR").get("NIC", ()):
        nic.pop(name, None)
