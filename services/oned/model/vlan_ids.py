"""Giving VLAN ids to networks that ask for an automatic one, and taking them back.

802.1Q ids come from a pool of the whole zone (VLAN_IDS of oned.conf); VXLAN ids follow from the network's own
id (VXLAN_IDS). Source: oned.conf reference and network drivers' pages of release 6.0.
"""

from __future__ import annotations

from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.model.vnet import VirtualNetwork
from services.oned.store import Tx
from services.oned.store.vlans import COUNT, VlanMap

# Drivers that take an id from the pool, as VLAN_ID.
POOL_DRIVERS = frozenset({"802.1Q", "vcenter", "ovswitch", "ovswitch_vxlan"})
_FIRST_ID = 2
_DEFAULT_RANGE = {"START": "2", "RESERVED": "0, 1, 4095"}


def assign(tx: Tx, net: VirtualNetwork, settings: Template) -> None:
    """Set the automatic ids of a new network. Raises RequestError when the pool is empty."""
    if net.vn_mad in POOL_DRIVERS and net.is_vlan_automatic and not net.vlan_id:
        net.vlan_id = str(_take(tx, net.oid, settings))
    vxlan_id = str(_number(settings.get_vector("VXLAN_IDS") or {}, "START", _FIRST_ID) + net.oid)
    if net.vn_mad == "vxlan" and net.is_vlan_automatic and not net.vlan_id:
        net.vlan_id = vxlan_id
    if net.vn_mad == "ovswitch_vxlan" and net.is_outer_vlan_automatic and not net.outer_vlan_id:
        net.outer_vlan_id = vxlan_id


def release(tx: Tx, net: VirtualNetwork) -> None:
    """Put the id of a deleted network back into the pool."""
    if net.is_vlan_automatic and net.vlan_id.isdecimal() and net.vn_mad in POOL_DRIVERS:
        found = VlanMap.load(tx)
        found.mark(int(net.vlan_id), False)
        found.save(tx)


def _take(tx: Tx, net_id: int, settings: Template) -> int:
    conf = settings.get_vector("VLAN_IDS") or _DEFAULT_RANGE
    start = _number(conf, "START", 0)
    reserved = _reserved(conf.get("RESERVED", ""))
    found = VlanMap.load(tx)
    # Neighbours in time get different ids, so that one that is freed is not in use again at once.
    wish = start + net_id % max(1, COUNT - 1 - start)
    for vlan_id in ([wish] if wish else []) + list(range(start, COUNT)):
        if vlan_id < COUNT and vlan_id not in reserved and not found.is_taken(vlan_id):
            found.mark(vlan_id, True)
            found.save(tx)
            return vlan_id
    raise RequestError("Cannot automatically assign VLAN_ID to network: every id of VLAN_IDS is in use.")


def _number(conf: Vector, name: str, default: int) -> int:
    text = conf.get(name, "").strip()
    return int(text) if text.isdecimal() else default


def _reserved(text: str) -> set[int]:
    """The ids of a list of numbers and ranges (``0, 1, 100:200``)."""
    found: set[int] = set()
    for part in text.split(","):
        ends = [end.strip() for end in part.split(":")]
        if len(ends) <= 2 and all(end.isdecimal() for end in ends):
            found.update(range(int(ends[0]), min(int(ends[-1]), COUNT) + 1))
    return found
