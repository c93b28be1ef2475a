"""Reservations: addresses of a network that another user gets as a network of their own."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.template import Template, TemplateError
from services.oned.api.call import Call
from services.oned.api.registry import method
from services.oned.api.vnet_create import create_vnet
from services.oned.auth.rights import Right
from services.oned.errors import ActionError
from services.oned.model import quota
from services.oned.model.address_range import AddressRange
from services.oned.model.lease_map import COUNT_MAX, Holder
from services.oned.model.vnet import VirtualNetwork
from services.oned.store import pools

_KINDS = ("IP", "IP6", "MAC")


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a reservation asks for; ``address`` is (IP, IP6 or MAC; text) of the first one."""

    size: int
    network_id: int | None
    name: str
    ar_id: int | None
    address: tuple[str, str] | None


@method("one.vn.reserve", "vnet_id:i reservation_template:s")
def reserve(call: Call, vnet_id: int, text: str) -> int:
    """Reserve addresses as a new network, or as one more range of a reservation; that network's id."""
    wish = _parsed(call, vnet_id, text)
    parent = call.load(VirtualNetwork, vnet_id)
    if parent.is_reservation:
        raise ActionError(f"Cannot reserve addresses from a reserved VNET, network {vnet_id}.", vnet_id)
    call.authorize(VirtualNetwork, Right.USE, vnet_id)
    if wish.network_id is None:
        reserved = create_vnet(call, _template(parent, wish.name), parent.clusters, parent.oid)
        # OpenNebula makes the network first and removes it again when there is no room in quota or ranges.
        pools.lose_oid_on_refusal(call.tx, VirtualNetwork.TABLE)
    else:
        call.authorize(VirtualNetwork, Right.MANAGE, wish.network_id)
        reserved = call.load(VirtualNetwork, wish.network_id)
    quota.change(call.tx, reserved.uid, reserved.gid, reserved.usage_of(wish.size))
    reserved.ranges.append(_cut(parent, reserved, wish))
    parent.save(call.tx)
    reserved.save(call.tx)
    return reserved.oid


# -- what is asked for -------------------------------------------------------------------------------------
def _parsed(call: Call, vnet_id: int, text: str) -> _Wish:
    """The checked wish. Raises ActionError, NotFoundError."""
    try:
        template = Template.parse(text)
    except TemplateError as error:
        raise ActionError(str(error), vnet_id) from None
    size = _number(template, "SIZE") or 0
    if size <= 0:
        found = (template.get("SIZE") or "")[:40]
        raise ActionError(f"Reservation SIZE must be a greater than 0, found {found!r}.", vnet_id)
    if size > COUNT_MAX:
        raise ActionError(f"Reservation SIZE must be at most {COUNT_MAX}, found {size}.", vnet_id)
    network_id = _number(template, "NETWORK_ID")
    if network_id is not None:
        _check_target(call, vnet_id, network_id)
    name = (template.get("NAME") or "").rstrip()
    if not name and network_id is None:
        raise ActionError("NAME for reservation has to be set.", vnet_id)
    ar_id = _number(template, "AR_ID")
    if ar_id is not None and ar_id < 0:
        raise ActionError(f"AR_ID must be equal or greater than 0, found {ar_id}.", vnet_id)
    address = next(((kind, named) for kind in _KINDS if (named := template.get(kind))), None)
    if ar_id is None and address is not None:
        raise ActionError("AR_ID must be specified for IP/MAC based reservations.", vnet_id)
    return _Wish(size, network_id, name, ar_id, address)


def _number(template: Template, name: str) -> int | None:
    """The whole number of an attribute; None when it is absent or no number, which OpenNebula takes alike."""
    text = (template.get(name) or "").strip()
    digits = text[1:] if text[:1] in ("+", "-") else text
    return int(text) if digits.isdecimal() and abs(int(text)) < 1 << 31 else None


def _check_target(call: Call, vnet_id: int, network_id: int) -> None:
    """Raise ActionError unless a network can take more addresses of this one, NotFoundError without it."""
    if network_id < 0:
        raise ActionError(f"NETWORK_ID must be equal or greater than 0, found {network_id}.", vnet_id)
    if network_id == vnet_id:
        raise ActionError(f"Cannot add a reservation from the same network, {vnet_id}.", vnet_id)
    parent_id = call.load(VirtualNetwork, network_id).parent_id
    if parent_id < 0:
        raise ActionError(
            f"Cannot add reservations to a non-reservation VNET, network {network_id}.", vnet_id
        )
    if parent_id != vnet_id:
        raise ActionError(
            f"New reservations for virtual network {network_id} have to be from network {parent_id}, "
            f"found {vnet_id}.",
            vnet_id,
        )


def _template(parent: VirtualNetwork, name: str) -> Template:
    """What a new reservation is made from: the parent's attributes, with the VLAN ids that it has."""
    made = parent.template.copy()
    for vlan_id, text in (("VLAN_ID", parent.vlan_id), ("OUTER_VLAN_ID", parent.outer_vlan_id)):
        if text:
            made.set(vlan_id, text)
        else:
            made.set(f"AUTOMATIC_{vlan_id}", "NO")
    made.set("NAME", name)
    return made


# -- addresses ---------------------------------------------------------------------------------------------
def _cut(parent: VirtualNetwork, reserved: VirtualNetwork, wish: _Wish) -> AddressRange:
    """Take the addresses in the parent; the range that the reservation gets. Raises ActionError."""
    for each in parent.ranges_in_order(wish.ar_id):
        start = _start(each, wish)
        if start is not None:
            each.take_range(start, wish.size, Holder.NET, reserved.oid)
            return each.cut(start, wish.size, reserved.next_ar_id())
    if wish.ar_id is None:
        raise ActionError(
            f"Not enough free addresses in a range of network {parent.oid}: {wish.size} in a row are needed.",
            parent.oid,
        )
    raise ActionError(
        f"Not enough free addresses in address range {wish.ar_id} of network {parent.oid}, or it does not "
        f"exist: {wish.size} are needed.",
        parent.oid,
    )


def _start(each: AddressRange, wish: _Wish) -> int | None:
    # An IPAM driver would have to be asked.
    if each.is_ipam or len(each.leases) + wish.size > COUNT_MAX:
        return None
    if wish.address is None:
        return each.leases.first_gap(wish.size, each.size) if each.free >= wish.size else None
    start = each.offset_of(*wish.address)
    if start is None or start + wish.size > each.size or each.leases.any_in(start, wish.size):
        return None
    return start
