"""Virtual networks: where cards are plugged in, the addresses they get, and reservations cut from a network.

Source: virtual network XSD of release 6.0; documents of real databases.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from services.common import xmldoc
from services.common.template import Template
from services.oned.model.address_range import AddressRange, id_set
from services.oned.model.base import PoolObject, id_list, id_list_xml, number
from services.oned.model.lease_map import Holder, LeaseMap
from services.oned.model.quota import Usage

NO_PARENT = -1
# A value cannot hold the end of a CDATA section, so what lies between these two is an element's own text.
_LEASES, _LEASES_END = "<ALLOCATED><![CDATA[", "]]></ALLOCATED>"


class VirtualNetwork(PoolObject):
    """A network, or a reservation (``parent_id`` is the network that it was cut from).

    The clusters' documents list it too; api/cluster.py keeps both sides equal.
    """

    KIND = "NET"
    LABEL = "virtual network"
    TABLE = "network_pool"
    ROOT = "VNET"
    UNIQUE_PER_OWNER = True

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.clusters: list[int] = []
        self.bridge = ""
        self.bridge_type = ""
        self.parent_id = NO_PARENT
        self.vn_mad = ""
        self.phydev = ""
        self.vlan_id = ""
        self.outer_vlan_id = ""
        self.is_vlan_automatic = False
        self.is_outer_vlan_automatic = False
        self.vrouters: list[int] = []
        self.ranges: list[AddressRange] = []

    # -- addresses -----------------------------------------------------------------------------------
    @property
    def is_reservation(self) -> bool:
        """Whether its addresses belong to another network."""
        return self.parent_id != NO_PARENT

    @property
    def used(self) -> int:
        """How many addresses are taken."""
        return sum(len(each.leases) for each in self.ranges)

    def usage_of(self, count: int) -> Usage:
        """What so many addresses of a reservation count for: leases of the network they were cut from."""
        return Usage(network={self.parent_id: {"LEASES": count}})

    def quota_usage(self) -> Usage:
        """What counts for the owner's quotas: the addresses that were reserved, used or not."""
        if not self.is_reservation:
            return Usage()
        return self.usage_of(sum(each.size for each in self.ranges if each.parent_ar_id >= 0))

    def find_range(self, ar_id: int) -> AddressRange | None:
        """The range of that number, or None."""
        return next((each for each in self.ranges if each.ar_id == ar_id), None)

    def ranges_in_order(self, ar_id: int | None = None) -> list[AddressRange]:
        """The ranges by number; with ``ar_id`` that one only, or none."""
        chosen = [each for each in self.ranges if ar_id in (None, each.ar_id)]
        return sorted(chosen, key=lambda each: each.ar_id)

    def next_ar_id(self) -> int:
        """The number of the next range."""
        return max((each.ar_id for each in self.ranges), default=-1) + 1

    @property
    def security_groups(self) -> set[int]:
        """The security groups of every card in the network."""
        return id_set(self.template.get("SECURITY_GROUPS") or "")

    @property
    def all_security_groups(self) -> set[int]:
        """Those of the network and of its ranges."""
        return self.security_groups.union(*(each.security_groups for each in self.ranges))

    # -- document ------------------------------------------------------------------------------------
    def to_xml(self) -> str:
        ranges = "".join(each.to_xml() for each in self.ranges)
        return self._xml(id_list_xml("VROUTERS", self.vrouters), ranges)

    def to_xml_extended(self, sees: Mapping[Holder, Collection[int] | None]) -> str:
        """The form of ``one.vn.info``: leases by owner, as far as the caller may see the owners.

        sees: for each kind of holder the visible ids, None meaning all.
        """
        routers = sees[Holder.VR]
        shown = [oid for oid in self.vrouters if routers is None or oid in routers]
        ranges = "".join(each.to_xml_extended(sees) for each in self.ranges_in_order())
        return self._xml(id_list_xml("VROUTERS", shown), ranges)

    def _xml(self, vrouters: str, ranges: str) -> str:
        parent = f"<PARENT_NETWORK_ID>{self.parent_id}</PARENT_NETWORK_ID>" if self.is_reservation else ""
        return (
            f"<VNET>{self._owner_xml()}{self._lock_xml()}{self.permissions.to_xml()}"
            f"{id_list_xml('CLUSTERS', self.clusters)}<BRIDGE>{xmldoc.cdata(self.bridge)}</BRIDGE>"
            f"<BRIDGE_TYPE>{xmldoc.cdata(self.bridge_type)}</BRIDGE_TYPE>{parent or '<PARENT_NETWORK_ID/>'}"
            f"{_optional('VN_MAD', self.vn_mad)}{_optional('PHYDEV', self.phydev)}"
            f"{_optional('VLAN_ID', self.vlan_id)}{_optional('OUTER_VLAN_ID', self.outer_vlan_id)}"
            f"<VLAN_ID_AUTOMATIC>{int(self.is_vlan_automatic)}</VLAN_ID_AUTOMATIC>"
            f"<OUTER_VLAN_ID_AUTOMATIC>{int(self.is_outer_vlan_automatic)}</OUTER_VLAN_ID_AUTOMATIC>"
            f"<USED_LEASES>{self.used}</USED_LEASES>{vrouters}{self.template.to_xml()}"
            f"<AR_POOL>{ranges}</AR_POOL></VNET>"
        )

    @classmethod
    def from_xml(cls, body: str) -> VirtualNetwork:
        """The network of a document. The leases, perhaps a megabyte of them, are kept from the XML parser."""
        texts: list[str] = []
        kept: list[str] = []
        at = 0
        while (start := body.find(_LEASES, at)) >= 0 and (end := body.find(_LEASES_END, start)) >= 0:
            text = body[start + len(_LEASES) : end]
            if "<" in text:  # somebody's value that looks like leases
                kept.append(body[at : start + 1])
                at = start + 1
                continue
            kept += [body[at:start], f'<ALLOCATED at="{len(texts)}"/>']
            texts.append(text)
            at = end + len(_LEASES_END)
        kept.append(body[at:])
        root = xmldoc.parse("".join(kept), cls.KIND)
        net = cls.from_element(root)
        for each, element in zip(net.ranges, root.iterfind("AR_POOL/AR"), strict=True):
            place = element.find("ALLOCATED")
            if place is not None and place.get("at"):
                each.leases = LeaseMap(texts[int(place.get("at", ""))])
        return net

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> VirtualNetwork:
        net = cls(number(element, "ID"), element.findtext("NAME") or "")
        net._read_owner(element)
        net.clusters = id_list(element.find("CLUSTERS"))
        net.bridge = element.findtext("BRIDGE") or ""
        net.bridge_type = element.findtext("BRIDGE_TYPE") or ""
        net.parent_id = number(element, "PARENT_NETWORK_ID", NO_PARENT)
        net.vn_mad = element.findtext("VN_MAD") or ""
        net.phydev = element.findtext("PHYDEV") or ""
        net.vlan_id = element.findtext("VLAN_ID") or ""
        net.outer_vlan_id = element.findtext("OUTER_VLAN_ID") or ""
        net.is_vlan_automatic = bool(number(element, "VLAN_ID_AUTOMATIC"))
        net.is_outer_vlan_automatic = bool(number(element, "OUTER_VLAN_ID_AUTOMATIC"))
        net.vrouters = id_list(element.find("VROUTERS"))
        net.template = Template.from_element(element.find("TEMPLATE"))
        net.ranges = [AddressRange.from_element(part) for part in element.findall("AR_POOL/AR")]
        return net

    def columns(self) -> dict[str, Any]:
        return {**super().columns(), "pid": self.parent_id}


def _optional(name: str, text: str) -> str:
    return f"<{name}>{xmldoc.cdata(text)}</{name}>" if text else f"<{name}/>"
