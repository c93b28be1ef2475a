"""Virtual routers: network cards that several VMs share, with an address that floats between them.

Source: virtual router XSD and guide of release 6.0; checks of release 6.0.0.3.
"""

from __future__ import annotations

from services.common import xmldoc
from services.common.template import Template, Vector
from services.oned.model.base import PoolObject, id_list, id_list_xml, number
from services.oned.model.quota import Usage

_KEEPALIVED_IDS = 255


class VirtualRouter(PoolObject):
    """A virtual router. ``vms``: the machines that do its work; its cards are NIC vectors of the template."""

    KIND, LABEL, TABLE, ROOT = "VROUTER", "virtual router", "vrouter_pool", "VROUTER"

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.vms: list[int] = []

    def to_xml(self) -> str:
        return (
            f"<VROUTER>{self._owner_xml()}{self.permissions.to_xml()}{self._lock_xml()}"
            f"{id_list_xml('VMS', self.vms)}{self.template.to_xml()}</VROUTER>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> VirtualRouter:
        router = cls(number(element, "ID", -1), element.findtext("NAME") or "")
        router._read_owner(element)
        router.vms = id_list(element.find("VMS"))
        router.template = Template.from_element(element.find("TEMPLATE"))
        return router

    def quota_usage(self) -> Usage:
        """One lease for each card with a floating address; what its VMs use counts as theirs."""
        leases: dict[int, dict[str, float]] = {}
        for nic in self.nics():
            if has_floating_ip(nic) and nic.get("NETWORK_ID", "").isdigit():
                amounts = leases.setdefault(int(nic["NETWORK_ID"]), {"LEASES": 0})
                amounts["LEASES"] += 1
        return Usage(network=leases)

    # -- cards ---------------------------------------------------------------------------------------
    def nics(self) -> list[Vector]:
        """Its cards; the vectors themselves."""
        return self.template.vectors("NIC")

    def find_nic(self, nic_id: int) -> Vector | None:
        """The card of that id, or None."""
        return next((nic for nic in self.nics() if nic.get("NIC_ID") == str(nic_id)), None)

    def next_nic_id(self) -> int:
        """The id of a further card."""
        ids = [int(nic["NIC_ID"]) for nic in self.nics() if nic.get("NIC_ID", "").isdigit()]
        return max(ids, default=-1) + 1

    def remove_nic(self, nic: Vector) -> None:
        """Drop a card, one of those that nics() gave."""
        rest = [value for value in self.template.get_all("NIC") if value is not nic]
        self.template.remove("NIC")
        for value in rest:
            self.template.add("NIC", value)

    # -- machines ------------------------------------------------------------------------------------
    @property
    def vm_template_id(self) -> int | None:
        """The VM template that its machines were made from last, or that its user chose."""
        text = self.template.get("TEMPLATE_ID") or ""
        return int(text) if text.isdigit() else None

    def vm_attributes(self) -> Template:
        """What each machine's template gets: the cards, and what the machines need to find each other."""
        text = self.template.get("KEEPALIVED_ID") or ""
        keepalived_id = int(text) if text.isdigit() else self.oid % _KEEPALIVED_IDS + 1
        found = Template([("NIC", dict(nic)) for nic in self.nics()])
        found.add("VROUTER_ID", str(self.oid))
        found.add("VROUTER_KEEPALIVED_ID", str(keepalived_id))
        password = self.template.get("KEEPALIVED_PASSWORD")
        if password:
            found.add("VROUTER_KEEPALIVED_PASSWORD", password)
        return found


def has_floating_ip(nic: Vector) -> bool:
    """Whether the router holds an address of its own for a card."""
    return nic.get("FLOATING_IP", "").upper() == "YES"
