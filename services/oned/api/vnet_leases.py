"""Methods about the addresses of a virtual network: its ranges, and addresses that are kept from use."""

from __future__ import annotations

from collections.abc import Callable

from services.common.template import Template, Vector
from services.oned.api.call import Call
from services.oned.api.registry import Check, method
from services.oned.api.vnet_create import encrypt_range
from services.oned.auth.rights import Right
from services.oned.errors import RequestError
from services.oned.model import quota, restricted, vnet_settings
from services.oned.model.address_range import AddressRange, unsigned
from services.oned.model.address_range_edit import refuse_ipam, update_range
from services.oned.model.lease_map import Holder
from services.oned.model.vnet import VirtualNetwork

ON_HOLD = -1  # such an address counts as leased to a VM of this id
_KINDS = ("MAC", "IP", "IP6")


def _vector(text: str, name: str, missing: str) -> Vector:
    """The first vector of that name in a template. Raises RequestError saying what is missing."""
    found = Template.parse(text).get_vector(name)
    if found is None:
        raise RequestError(missing)
    return found


# -- ranges ------------------------------------------------------------------------------------------------
_NO_AR = "Wrong AR definition. AR vector attribute is missing."


@method("one.vn.add_ar", "vnet_id:i ar_template:s", Check(VirtualNetwork, Right.ADMIN, "vnet_id"))
def add_ar(call: Call, vnet_id: int, text: str) -> int:
    """Add an address range to a virtual network."""
    written = _vector(text, "AR", _NO_AR)
    net = call.load(VirtualNetwork, vnet_id)
    vnet_settings.add_range(net, written, call.conf)
    encrypt_range(call, net.ranges[-1])
    net.save(call.tx)
    return vnet_id


@method("one.vn.update_ar", "vnet_id:i ar_template:s", Check(VirtualNetwork, Right.MANAGE, "vnet_id"))
def update_ar(call: Call, vnet_id: int, text: str) -> int:
    """Replace the attributes of an address range, except for those that make it what it is."""
    written = _vector(text, "AR", _NO_AR)
    net = call.load(VirtualNetwork, vnet_id)
    ar_id = unsigned(written.get("AR_ID", ""))
    if ar_id is None:
        raise RequestError("AR/AR_ID attribute is missing.", vnet_id)
    kept: set[str] = set()
    if net.is_reservation and not call.caller.is_admin:
        kept = restricted.names(call.conf.settings, "VNET_RESTRICTED_ATTR").get("AR", set())
    update_range(_range(net, ar_id), written, kept)
    net.save(call.tx)
    return vnet_id


@method("one.vn.rm_ar", "vnet_id:i ar_id:i force:b=0", Check(VirtualNetwork, Right.ADMIN, "vnet_id"))
def rm_ar(call: Call, vnet_id: int, ar_id: int, force: bool) -> int:
    """Remove an address range; one with leases only by force."""
    return _remove(call, vnet_id, ar_id, force)


@method("one.vn.free_ar", "vnet_id:i ar_id:i force:b=0", Check(VirtualNetwork, Right.MANAGE, "vnet_id"))
def free_ar(call: Call, vnet_id: int, ar_id: int, force: bool) -> int:
    """Give an address range of a reservation back to the network that it was cut from."""
    return _remove(call, vnet_id, ar_id, force)


def _range(net: VirtualNetwork, ar_id: int) -> AddressRange:
    found = net.find_range(ar_id)
    if found is None:
        raise RequestError(f"Address Range with ID {ar_id} was not found in network {net.oid}.", net.oid)
    return found


def _remove(call: Call, vnet_id: int, ar_id: int, force: bool) -> int:
    net = call.load(VirtualNetwork, vnet_id)
    gone = _range(net, ar_id)
    if len(gone.leases) and not force:
        raise RequestError(
            f"Address Range {ar_id} of network {vnet_id} has leases in use: {len(gone.leases)}.", vnet_id
        )
    if not force:
        refuse_ipam(gone)
    net.ranges.remove(gone)
    net.save(call.tx)
    if net.is_reservation and gone.parent_ar_id >= 0:
        _give_back(call, net, gone)
    return vnet_id


def _give_back(call: Call, net: VirtualNetwork, gone: AddressRange) -> None:
    """Free the addresses of a reservation's range in the parent network, and the quota for them."""
    quota.change(call.tx, net.uid, net.gid, -net.usage_of(gone.size))
    parent = VirtualNetwork.find(call.tx, net.parent_id)
    cut_from = parent.find_range(gone.parent_ar_id) if parent is not None else None
    if parent is None or cut_from is None:
        return
    start = cut_from.offset_of("MAC", gone.values.get("MAC", ""))
    if start is not None:
        cut_from.give_back_all(Holder.NET, net.oid, range(start, start + gone.size))
        parent.save(call.tx)


# -- addresses on hold -------------------------------------------------------------------------------------
def _address(text: str) -> tuple[str, str, int | None]:
    """What a LEASES vector names: (MAC, IP or IP6; the address; the range or None). Raises RequestError."""
    written = _vector(text, "LEASES", "Empty lease description: expected LEASES = [ IP = ..., AR_ID = ... ].")
    named = [(name, written[name]) for name in _KINDS if written.get(name)]
    if not named:
        raise RequestError("Missing MAC, IP or IP6.")
    if len(named) > 1:
        names = ", ".join(name for name, _ in named)
        raise RequestError(f"Only one attribute MAC, IP or IP6 can be set, found {names}.")
    return *named[0], unsigned(written.get("AR_ID", ""))


def _on_each(
    call: Call, vnet_id: int, text: str, change: Callable[[AddressRange, int], bool]
) -> tuple[str, bool]:
    """Apply a change to an address in every range that has it; the address, and whether something changed."""
    kind, address, ar_id = _address(text)
    net = call.load(VirtualNetwork, vnet_id)
    changed = False
    for each in net.ranges_in_order(ar_id):
        offset = None if each.is_ipam else each.offset_of(kind, address)
        if offset is not None:
            changed |= change(each, offset)
    if changed:
        net.save(call.tx)
    return address, changed


@method("one.vn.hold", "vnet_id:i lease_template:s", Check(VirtualNetwork, Right.MANAGE, "vnet_id"))
def hold(call: Call, vnet_id: int, text: str) -> int:
    """Keep an address from being leased."""

    def take(each: AddressRange, offset: int) -> bool:
        if offset in each.leases:
            return False
        each.take(offset, Holder.VM, ON_HOLD)
        return True

    address, changed = _on_each(call, vnet_id, text, take)
    if not changed:
        raise RequestError(
            f"Address {address[:40]} is not part of an address range of network {vnet_id}, or in use.",
            vnet_id,
        )
    return vnet_id


@method("one.vn.release", "vnet_id:i lease_template:s", Check(VirtualNetwork, Right.MANAGE, "vnet_id"))
def release(call: Call, vnet_id: int, text: str) -> int:
    """Let an address that is on hold be leased again; other addresses are left as they are."""
    _on_each(call, vnet_id, text, lambda each, offset: each.give_back(offset, Holder.VM, ON_HOLD))
    return vnet_id
