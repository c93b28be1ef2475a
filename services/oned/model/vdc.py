"""Virtual data centers: groups of users and the resources that they may use, kept as permission rules.

Source: VDC XSD and oned.conf reference (DEFAULT_VDC_*_ACL) of release 6.0.
"""

from __future__ import annotations

from services.common import xmldoc
from services.common.template import Template
from services.oned.errors import RequestError
from services.oned.model import acl
from services.oned.model.acl import Rule
from services.oned.model.base import PoolObject, id_list, id_list_xml, number
from services.oned.store import Tx, pools

DEFAULT_ID = 0
ALL_RESOURCES = -10
_RIGHTS = {"USE": 1, "MANAGE": 2, "ADMIN": 4, "CREATE": 8}
# collection of the document: (element, kinds that a member opens: kind, setting, its default)
_COLLECTIONS: dict[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "CLUSTERS": (
        "CLUSTER",
        (
            ("HOST", "DEFAULT_VDC_CLUSTER_HOST_ACL", "MANAGE"),
            ("NET", "DEFAULT_VDC_CLUSTER_NET_ACL", "USE"),
            ("DATASTORE", "DEFAULT_VDC_CLUSTER_DATASTORE_ACL", "USE"),
        ),
    ),
    "HOSTS": ("HOST", (("HOST", "DEFAULT_VDC_HOST_ACL", "MANAGE"),)),
    "DATASTORES": ("DATASTORE", (("DATASTORE", "DEFAULT_VDC_DATASTORE_ACL", "USE"),)),
    "VNETS": ("VNET", (("NET", "DEFAULT_VDC_VNET_ACL", "USE"),)),
}


class Vdc(PoolObject):
    """A VDC. ``resources``: for each collection the members as (zone id, object id); -10 means all."""

    KIND = "VDC"
    LABEL = "VDC"
    TABLE = "vdc_pool"
    ROOT = "VDC"
    FIRST_USER_ID = 100

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.groups: list[int] = []
        self.resources: dict[str, list[tuple[int, int]]] = {name: [] for name in _COLLECTIONS}

    def to_xml(self) -> str:
        members = "".join(self._members_xml(collection) for collection in _COLLECTIONS)
        return (
            f"<VDC><ID>{self.oid}</ID><NAME>{xmldoc.escape(self.name)}</NAME>"
            f"{id_list_xml('GROUPS', self.groups)}{members}{self.template.to_xml()}</VDC>"
        )

    def _members_xml(self, collection: str) -> str:
        element, _ = _COLLECTIONS[collection]
        inner = "".join(
            f"<{element}><ZONE_ID>{zone}</ZONE_ID><{element}_ID>{oid}</{element}_ID></{element}>"
            for zone, oid in self.resources[collection]
        )
        return f"<{collection}>{inner}</{collection}>"

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> Vdc:
        vdc = cls(number(element, "ID", -1), element.findtext("NAME") or "")
        vdc.groups = id_list(element.find("GROUPS"))
        for collection, (member, _) in _COLLECTIONS.items():
            vdc.resources[collection] = [
                (number(found, "ZONE_ID"), number(found, f"{member}_ID"))
                for found in element.findall(f"{collection}/{member}")
            ]
        vdc.template = Template.from_element(element.find("TEMPLATE"))
        return vdc

    # -- members: each method changes the document and the rules ---------------------------------------
    def add_group(self, tx: Tx, gid: int, settings: Template) -> None:
        """Let a group use the resources, with the rights that oned.conf sets.

        Raises RequestError when the group is in the VDC already.
        """
        if gid in self.groups:
            raise RequestError(f"Group {gid} is already assigned to the VDC {self.oid}")
        self.groups = sorted([*self.groups, gid])
        for rule in self._rules(gid, settings):
            acl.add_missing(tx, rule)

    def remove_group(self, tx: Tx, gid: int, settings: Template) -> None:
        """Undo add_group(). Raises RequestError when the group is not in the VDC."""
        if gid not in self.groups:
            raise RequestError(f"Group {gid} is not assigned to the VDC {self.oid}")
        self.groups.remove(gid)
        self._end(tx, gid, self._rules(gid, settings), settings)

    def add(self, tx: Tx, collection: str, member: tuple[int, int], settings: Template) -> None:
        """Let the groups use a member, (zone id, object id), of CLUSTERS, HOSTS, DATASTORES or VNETS.

        All (-10) takes the place of the zone's other members. Raises RequestError for one that is there.
        """
        zone, oid = member
        if member in self.resources[collection]:
            raise RequestError(f"{self._named(collection, member)} is already assigned to the VDC {self.oid}")
        self.resources[collection] = sorted([*self.resources[collection], member])
        for gid in self.groups:
            for rule in _rules_of(gid, collection, member, settings):
                acl.add_missing(tx, rule)
        if oid == ALL_RESOURCES:
            for other in list(self.resources[collection]):
                if other[0] == zone and other != member:
                    self.remove(tx, collection, other, settings)

    def remove(self, tx: Tx, collection: str, member: tuple[int, int], settings: Template) -> None:
        """Undo add(). Raises RequestError for a member that is not there."""
        if member not in self.resources[collection]:
            raise RequestError(f"{self._named(collection, member)} is not assigned to the VDC {self.oid}")
        self.resources[collection].remove(member)
        for gid in self.groups:
            self._end(tx, gid, _rules_of(gid, collection, member, settings), settings)

    def disband(self, tx: Tx, settings: Template) -> None:
        """End every group's use, before the VDC is deleted."""
        for gid in list(self.groups):
            self.remove_group(tx, gid, settings)

    @staticmethod
    def _named(collection: str, member: tuple[int, int]) -> str:
        return f"{_COLLECTIONS[collection][0]} {member[1]} from Zone {member[0]}"

    def _rules(self, gid: int, settings: Template) -> list[Rule]:
        """What the VDC's members give to a group."""
        return [
            rule
            for collection, members in self.resources.items()
            for member in members
            for rule in _rules_of(gid, collection, member, settings)
        ]

    def _end(self, tx: Tx, gid: int, rules: list[Rule], settings: Template) -> None:
        """Remove rules of a group, but those that its VDCs (this one as it is now) still give it."""
        # Release 6.0.0.3 removes them all the same, and the group loses what another VDC lets it use.
        if not rules:
            return
        ids = [oid for oid in pools.ids(tx, self.TABLE) if oid != self.oid]
        given = [vdc for vdc in (self, *(Vdc.load(tx, oid) for oid in ids)) if gid in vdc.groups]
        kept = {rule for vdc in given for rule in vdc._rules(gid, settings)}
        for rule in rules:
            if rule not in kept:
                acl.delete_same(tx, rule)


def _rules_of(gid: int, collection: str, member: tuple[int, int], settings: Template) -> list[Rule]:
    zone, oid = member
    by_id = acl.CLUSTER if collection == "CLUSTERS" else acl.INDIVIDUAL
    selector = acl.ALL if oid == ALL_RESOURCES else by_id | oid
    found = []
    for kind, setting, default in _COLLECTIONS[collection][1]:
        rights = _rights(settings.get(setting) or default)
        if rights:
            resource = acl.kinds(kind) | selector
            found.append(Rule(-1, acl.GROUP | gid, resource, rights, acl.INDIVIDUAL | zone))
    return found


def _rights(text: str) -> int:
    """The bits of ``USE+MANAGE``; "-" and unknown words give none."""
    return sum(_RIGHTS.get(word, 0) for word in {word.strip().upper() for word in text.split("+")})
