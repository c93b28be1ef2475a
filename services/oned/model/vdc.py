"""Virtual data centers: groups of users and the resources that they may use, kept as permission rules.

Source: VDC XSD and oned.conf reference (DEFAULT_VDC_*_ACL) of release 6.0.
"""

from __future__ import annotations

from services.common import xmldoc
from services.common.template import Template
from services.oned.model import acl
from services.oned.model.acl import Rule
from services.oned.model.base import PoolObject, id_list, id_list_xml, number
from services.oned.store import Tx

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

    def add_group(self, tx: Tx, gid: int, settings: Template) -> None:
        """Let a group use the resources, with the rights that oned.conf sets."""
        self.groups = sorted({*self.groups, gid})
        for rule in self._rules(gid, settings):
            acl.add_missing(tx, rule)

    def remove_group(self, tx: Tx, gid: int, settings: Template) -> None:
        """Undo add_group()."""
        self.groups = [oid for oid in self.groups if oid != gid]
        for rule in self._rules(gid, settings):
            acl.delete_same(tx, rule)

    def _rules(self, gid: int, settings: Template) -> list[Rule]:
        found = []
        for collection, members in self.resources.items():
            for zone, oid in members:
                by_id = acl.CLUSTER if collection == "CLUSTERS" else acl.INDIVIDUAL
                selector = acl.ALL if oid == ALL_RESOURCES else by_id | oid
                for kind, setting, default in _COLLECTIONS[collection][1]:
                    rights = _rights(settings.get(setting) or default)
                    resource = acl.kinds(kind) | selector
                    if rights:
                        found.append(Rule(-1, acl.GROUP | gid, resource, rights, acl.INDIVIDUAL | zone))
        return found


def _rights(text: str) -> int:
    """The bits of ``USE+MANAGE``; "-" and unknown words give none."""
    return sum(_RIGHTS.get(word, 0) for word in {word.strip().upper() for word in text.split("+")})
