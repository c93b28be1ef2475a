"""Leases: what network cards and reservations have, and what networks say they gave out, is the same."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from services.common.template import Vector
from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.model import addresses
from services.oned.model.address_range import AddressRange
from services.oned.model.lease_map import Holder
from services.oned.model.vnet import VirtualNetwork
from services.oned.store import Tx, consistency

_ON_HOLD = -1
_WORDS = {Holder.VM: "virtual machine", Holder.NET: "reservation", Holder.VR: "virtual router"}
_USED = re.compile(r"<USED_LEASES>(\d+)</USED_LEASES>")


class Taken(NamedTuple):
    """An address of a network that somebody has."""

    net_id: int
    mac: int
    holder: Holder
    oid: int

    def __str__(self) -> str:
        return f"virtual network {self.net_id}: address {addresses.format_mac(self.mac)} of {self.who}"

    @property
    def who(self) -> str:
        """Who has it, in words."""
        return f"{_WORDS[self.holder]} {self.oid}"


def check(zone: Zone) -> Iterator[Finding]:
    """Leases both ways, ranges that are too small for them, numbers of leases, listed routers."""
    given = set(_given(zone))
    nets = _Networks(zone)
    wanted = {*_of_vms(zone, nets), *_of_reservations(zone, nets), *_of_routers(zone, nets)}
    # What is given back first makes room for what is missing.
    for taken in sorted(given - wanted):
        yield Finding(f"{taken} is recorded, but not used there", partial(_give_back, taken=taken))
    holders: dict[tuple[int, int], list[Taken]] = defaultdict(list)
    for taken in sorted(wanted):
        holders[taken[:2]].append(taken)
    for taken in sorted(wanted - given):
        same = holders[taken[:2]]
        if len(same) > 1:
            other = same[0] if same[0] != taken else same[1]
            yield Finding(f"{taken} is not recorded in the network: {other.who} has it, too")
        else:
            yield Finding(f"{taken} is not recorded in the network", partial(_lease, taken=taken))
    for net in zone.networks:
        for each in net.ranges:
            if each.leases.any_beyond(each.size):
                text = (
                    f"virtual network {net.oid}: range {each.ar_id} has leases beyond its size, {each.size}"
                )
                yield Finding(text, partial(_enlarge, net_id=net.oid, ar_id=each.ar_id))
    yield from _numbers(zone)
    yield from _listed_routers(zone)


# -- what networks say -------------------------------------------------------------------------------------
def _given(zone: Zone) -> Iterator[Taken]:
    for net in zone.networks:
        for each in net.ranges:
            first = each.mac
            for lease in each.leases:
                if lease.oid != _ON_HOLD:
                    mac = addresses.step_word(first, lease.offset)
                    yield Taken(net.oid, mac, lease.holder, lease.oid)


# -- what the others say -----------------------------------------------------------------------------------
class _Networks:
    """The networks by id: what a card says of a network or range that was removed by force is passed over."""

    def __init__(self, zone: Zone) -> None:
        self._nets = {net.oid: net for net in zone.networks}

    def has(self, net_id: int, ar_id: str) -> bool:
        net = self._nets.get(net_id)
        return net is not None and (not ar_id.isdecimal() or net.find_range(int(ar_id)) is not None)


def _of_vms(zone: Zone, nets: _Networks) -> Iterator[Taken]:
    for vm in zone.vms:
        for name in ("NIC", "NIC_ALIAS", "PCI"):
            for nic in vm.template.vectors(name):
                yield from _of_card(nets, nic, nic.get("MAC", ""), Holder.VM, vm.oid)


def _of_routers(zone: Zone, nets: _Networks) -> Iterator[Taken]:
    for oid, cards in _routers(zone).items():
        for nic in cards:
            yield from _of_card(nets, nic, nic.get("VROUTER_MAC", ""), Holder.VR, oid)


def _of_card(nets: _Networks, nic: Vector, mac: str, holder: Holder, oid: int) -> Iterator[Taken]:
    net_id, address = nic.get("NETWORK_ID", ""), addresses.parse_mac(mac)
    if net_id.isdecimal() and address is not None and nets.has(int(net_id), nic.get("AR_ID", "")):
        yield Taken(int(net_id), address, holder, oid)


def _of_reservations(zone: Zone, nets: _Networks) -> Iterator[Taken]:
    for net in zone.networks:
        for each in net.ranges:
            if each.parent_ar_id >= 0 and nets.has(net.parent_id, str(each.parent_ar_id)):
                for offset in range(each.size):
                    mac = addresses.step_word(each.mac, offset)
                    yield Taken(net.parent_id, mac, Holder.NET, net.oid)


def _routers(zone: Zone) -> dict[int, list[Vector]]:
    """The cards of each virtual router."""
    return {router.oid: router.nics() for router in zone.vrouters}


def _listed_routers(zone: Zone) -> Iterator[Finding]:
    routers = _routers(zone)
    for net in zone.networks:
        here = {
            oid for oid, cards in routers.items() if any(n.get("NETWORK_ID") == str(net.oid) for n in cards)
        }
        # A router with two cards in a network is listed until the first one is detached, as in OpenNebula.
        gone = sorted(set(net.vrouters) - here)
        if gone:
            text = f"virtual network {net.oid}: VROUTERS lists {gone}, which have no card there"
            yield Finding(text, partial(_unlist, net_id=net.oid, routers=gone))


def _numbers(zone: Zone) -> Iterator[Finding]:
    for oid, body in consistency.rows(zone.tx, VirtualNetwork.TABLE, ()):
        found = _USED.search(body)
        said, used = found[1] if found else "missing", VirtualNetwork.from_xml(body).used
        if said != str(used):
            text = f"virtual network {oid}: USED_LEASES is {said}, {used} addresses are leased"
            yield Finding(text, partial(_store, net_id=oid))


# -- repairs -----------------------------------------------------------------------------------------------
def _range_of(net: VirtualNetwork, mac: int) -> tuple[AddressRange, int] | None:
    """The range that an address belongs to and its offset there, or None."""
    for each in net.ranges:
        offset = _offset(each, mac)
        if offset is not None and offset < each.size:
            return each, offset
    return None


def _offset(each: AddressRange, mac: int) -> int | None:
    """Where an address lies from a range's first one on, be it beyond its end: the last four bytes count."""
    return (mac - each.mac) & 0xFFFFFFFF if mac >> 32 == each.mac >> 32 else None


def _give_back(tx: Tx, taken: Taken) -> None:
    net = VirtualNetwork.load(tx, taken.net_id)
    for each in net.ranges:
        offset = _offset(each, taken.mac)
        if offset is not None and each.give_back(offset, taken.holder, taken.oid):
            break
    net.save(tx)


def _lease(tx: Tx, taken: Taken) -> None:
    """Lease an address to who has it; one on hold, too. An address outside of all ranges stays unknown."""
    net = VirtualNetwork.load(tx, taken.net_id)
    found = _range_of(net, taken.mac)
    if found is None:
        return
    each, offset = found
    lease = each.leases.owner(offset)
    if lease is not None and lease.oid == _ON_HOLD:
        each.give_back(offset, lease.holder, lease.oid)
        lease = None
    if lease is None:
        each.take(offset, taken.holder, taken.oid)
        net.save(tx)


def _enlarge(tx: Tx, net_id: int, ar_id: int) -> None:
    """Make a range as large as its leases need, once those that nobody uses are gone."""
    net = VirtualNetwork.load(tx, net_id)
    each = net.find_range(ar_id)
    if each is not None and each.leases.any_beyond(each.size):
        each.values["SIZE"] = str(max(lease.offset for lease in each.leases) + 1)
        net.save(tx)


def _unlist(tx: Tx, net_id: int, routers: list[int]) -> None:
    net = VirtualNetwork.load(tx, net_id)
    net.vrouters = [oid for oid in net.vrouters if oid not in routers]
    net.save(tx)


def _store(tx: Tx, net_id: int) -> None:
    VirtualNetwork.load(tx, net_id).save(tx)
