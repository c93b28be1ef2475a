"""The map of VLAN ids against the virtual networks that were given one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.model.vlan_ids import POOL_DRIVERS
from services.oned.store import Tx
from services.oned.store.vlans import VlanMap


def check(zone: Zone) -> Iterator[Finding]:
    """Every id that is given out is a network's, and every network's id is given out."""
    used = sorted(
        {
            int(net.vlan_id)
            for net in zone.networks
            if net.is_vlan_automatic and net.vlan_id.isdecimal() and net.vn_mad in POOL_DRIVERS
        }
    )
    taken = VlanMap.read(zone.tx).taken()
    if used != taken:
        text = f"VLAN ids: {taken} are given out, the virtual networks have {used}"
        yield Finding(text, partial(_set, used=used))


def _set(tx: Tx, used: list[int]) -> None:
    vlans = VlanMap.load(tx)
    for vlan_id in set(vlans.taken()) ^ set(used):
        vlans.mark(vlan_id, vlan_id in used)
    vlans.save(tx)
