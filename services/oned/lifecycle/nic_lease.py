"""Leases of network cards: which network a NIC means, taking an address in it, giving it back.

A lease is a part of the network's document; the network's row is locked from taking it to the commit, so no
address is given out twice.

Source: virtual machine template reference (NETWORK section) and network reference of release 6.0.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.model.address_range import AddressRange, id_set
from services.oned.model.lease_map import Holder
from services.oned.model.user import User
from services.oned.model.vnet import VirtualNetwork
from services.oned.store import Tx, pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_log = logging.getLogger("VNM")
NO_NETWORK = -1
_WISHES = ("IP", "IP6", "MAC")
_NUMBER = re.compile(r"\s*([+-]?\d+)")
_MADE_BY_CORE = re.compile(r"one-[0-9]+-[0-9]+\Z", re.ASCII)
_HOLDERS = {"VM": Holder.VM, "VR": Holder.VR, "NET": Holder.NET}


def resolve(call: Call, nic: Vector) -> int:
    """The id of the network that a NIC names: by NETWORK_ID, or by NETWORK with its owner.

    The owner is the user of NETWORK_UID or NETWORK_UNAME, else the caller. NO_NETWORK when the NIC names no
    network: it gets no lease. Raises RequestError when there is no such network or user. No right is checked.
    """
    text = nic.get("NETWORK_ID", "")
    if text:
        number = _NUMBER.match(text)
        found = int(number[1]) if number else NO_NETWORK
        if pools.body(call.tx, VirtualNetwork.TABLE, found) is None:
            raise RequestError(f"Virtual network with ID: {text[:40]} does not exist")
        return found
    name = nic.get("NETWORK", "")
    if not name:
        return NO_NETWORK
    uid = _owner(call, nic)
    by_name = pools.find(call.tx, VirtualNetwork.TABLE, name, uid)
    if by_name is None:
        raise RequestError(
            f"User {uid} does not own a network with name: {name[:128]} . "
            "Set NETWORK_UNAME or NETWORK_UID of owner in NIC."
        )
    return by_name


def _owner(call: Call, nic: Vector) -> int:
    text, uname = nic.get("NETWORK_UID", ""), nic.get("NETWORK_UNAME", "")
    if text:
        number = _NUMBER.match(text)
        if number is None:
            raise RequestError(f"Cannot get user in NETWORK_UID: found {text[:40]!r}, expected a user id.")
        return int(number[1])
    if uname:
        uid = pools.find(call.tx, User.TABLE, uname)
        if uid is None:
            raise RequestError(f"User set in NETWORK_UNAME does not exist: {uname[:128]}")
        return uid
    return call.caller.uid


# -- taking ------------------------------------------------------------------------------------------------
def lease(call: Call, vnet_id: int, nic: Vector, kind: str, owner_id: int) -> None:
    """Take an address for a NIC and fill the vector in with everything that the network gives it.

    kind: "VM", or "VR" for a virtual router, which takes an address for a FLOATING_IP only and is listed in
    the network in any case; owner_id: its id. IP, IP6 or MAC in the vector asks for that address. NIC_ID must
    be set: TARGET follows from it.
    Raises RequestError when no (such) address is free, and NotFoundError; nothing is changed then.
    """
    net = call.load(VirtualNetwork, vnet_id)
    inherited = [str(name) for name in call.conf.settings.get_all("INHERIT_VNET_ATTR")]
    filled = dict(nic)
    if kind == "VR":
        filled.update(NETWORK=net.name, NETWORK_ID=str(net.oid))
        if filled.get("FLOATING_IP", "").upper() == "YES":
            _take(net, filled, Holder.VR, owner_id, inherited)
        if owner_id not in net.vrouters:
            net.vrouters = sorted([*net.vrouters, owner_id])
    else:
        _fill_from_network(net, filled, owner_id)
        taken_from = _take(net, filled, _HOLDERS[kind], owner_id, inherited)
        _inherit(net.template, filled, inherited)
        groups = id_set(filled.get("SECURITY_GROUPS", "")) | net.security_groups | taken_from.security_groups
        filled["SECURITY_GROUPS"] = ",".join(map(str, sorted(groups)))
    _store(call.tx, net)
    call.forget(VirtualNetwork, vnet_id)
    nic.clear()
    nic.update(filled)


def _fill_from_network(net: VirtualNetwork, nic: Vector, vm_id: int) -> None:
    nic.update(NETWORK=net.name, NETWORK_ID=str(net.oid), BRIDGE=net.bridge)
    wiring = {
        "VN_MAD": net.vn_mad,
        "PHYDEV": net.phydev,
        "VLAN_ID": net.vlan_id,
        "OUTER_VLAN_ID": net.outer_vlan_id,
        "BRIDGE_TYPE": net.bridge_type,
        "PARENT_NETWORK_ID": str(net.parent_id) if net.is_reservation else "",
    }
    nic.update({name: text for name, text in wiring.items() if text})
    # A name of this form that is not the card's own is of a document that a template was copied from. It may
    # be the name of another machine's interface.
    if not nic.get("TARGET") or _MADE_BY_CORE.match(nic["TARGET"]):
        nic["TARGET"] = f"one-{vm_id}-{nic.get('NIC_ID', '')}"
    nic["CLUSTER_ID"] = ",".join(map(str, sorted(net.clusters)))


def _take(
    net: VirtualNetwork, nic: Vector, holder: Holder, owner_id: int, inherited: list[str]
) -> AddressRange:
    """Take the address that a NIC asks for, or the first free one; the range that it is of."""
    wishes = [(name, nic[name]) for name in _WISHES if nic.get(name)]
    if len(wishes) > 1:
        names = " and ".join(name for name, _ in wishes)
        raise RequestError(f"{_no_lease(net)} {names} ask for an address each, only one may be set.", net.oid)
    for each in net.ranges_in_order():
        offset = _free_offset(each, wishes[0] if wishes else None)
        if offset is not None:
            each.take(offset, holder, owner_id)
            each.fill_nic(nic, offset, inherited)
            return each
    reason = f"{wishes[0][1][:40]} is not free or not in a range." if wishes else "No address is free."
    raise RequestError(f"{_no_lease(net)} {reason}", net.oid)


def _free_offset(each: AddressRange, wish: tuple[str, str] | None) -> int | None:
    if each.is_ipam:  # its driver would have to be asked
        return None
    if wish is None:
        return each.leases.first_free(each.size)
    offset = each.offset_of(*wish)
    return None if offset is None or offset in each.leases else offset


def _no_lease(net: VirtualNetwork) -> str:
    return f"Cannot get IP/MAC lease from virtual network {net.oid}."


def _inherit(template: Template, nic: Vector, inherited: list[str]) -> None:
    """Attributes of the network that its cards take over, unless they have their own."""
    for name in inherited:
        vector = template.get_vector(name)
        values = vector if vector is not None else {name: template.get(name) or ""}
        nic.update({part: text for part, text in values.items() if text and not nic.get(part)})


# -- giving back -------------------------------------------------------------------------------------------
def release(tx: Tx, nic: Vector, kind: str, owner_id: int) -> None:
    """Give a NIC's address back; nothing happens when network, range or lease are gone.

    A virtual router's NIC keeps its address in VROUTER_MAC, and the network no longer lists the router.
    """
    number = _NUMBER.match(nic.get("NETWORK_ID", ""))
    if number is None:
        return
    mac = nic.get("VROUTER_MAC" if kind == "VR" else "MAC", "")
    if not mac and kind != "VR":
        return
    net = VirtualNetwork.find(tx, int(number[1]))
    if net is None:
        return
    range_id = nic.get("AR_ID", "")
    for each in net.ranges_in_order(int(range_id) if range_id.isdecimal() else None):
        offset = each.offset_of("MAC", mac)
        if offset is not None and each.give_back(offset, _HOLDERS[kind], owner_id) and each.is_ipam:
            driver = each.values["IPAM_MAD"]
            _log.warning("network %d: %s is free, but IPAM driver %s was not told", net.oid, mac, driver)
    if kind == "VR":
        net.vrouters = [oid for oid in net.vrouters if oid != owner_id]
    _store(tx, net)


def _store(tx: Tx, net: VirtualNetwork) -> None:
    # Only the document changes: the other columns are left alone.
    pools.update(tx, net.TABLE, net.oid, {"body": net.to_xml()})
