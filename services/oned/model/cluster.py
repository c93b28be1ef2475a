"""Clusters: groups of hosts, datastores and networks, with reserved capacity for all their hosts.

Source: cluster XSD of release 6.0; documents of real databases.
"""

from __future__ import annotations

from services.common import xmldoc
from services.common.template import Template
from services.oned.model.base import PoolObject, id_list, id_list_xml, number
from services.oned.store import Tx, clusters, pools

DEFAULT_ID = 0


class Cluster(PoolObject):
    """A cluster. The members' documents name the cluster too; api/cluster.py keeps both sides equal."""

    KIND = "CLUSTER"
    LABEL = "cluster"
    TABLE = "cluster_pool"
    ROOT = "CLUSTER"
    FIRST_USER_ID = 100

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.hosts: list[int] = []
        self.datastores: list[int] = []
        self.vnets: list[int] = []
        self.template = Template([("RESERVED_CPU", ""), ("RESERVED_MEM", "")])

    def to_xml(self) -> str:
        return (
            f"<CLUSTER><ID>{self.oid}</ID><NAME>{xmldoc.escape(self.name)}</NAME>"
            f"{id_list_xml('HOSTS', self.hosts)}{id_list_xml('DATASTORES', self.datastores)}"
            f"{id_list_xml('VNETS', self.vnets)}{self.template.to_xml()}</CLUSTER>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> Cluster:
        cluster = cls(number(element, "ID"), element.findtext("NAME") or "")
        cluster.hosts = id_list(element.find("HOSTS"))
        cluster.datastores = id_list(element.find("DATASTORES"))
        cluster.vnets = id_list(element.find("VNETS"))
        cluster.template = Template.from_element(element.find("TEMPLATE"))
        return cluster

    @property
    def reserved(self) -> tuple[str, str]:
        """RESERVED_CPU and RESERVED_MEM, for hosts that set none of their own."""
        return self.template.get("RESERVED_CPU") or "", self.template.get("RESERVED_MEM") or ""

    def why_not_empty(self) -> str | None:
        """What is still in the cluster, or None."""
        for what, members in (("hosts", self.hosts), ("datastores", self.datastores), ("vnets", self.vnets)):
            if members:
                return f"Cluster {self.oid} is not empty, it contains {len(members)} {what}."
        return None

    def insert(self, tx: Tx) -> int:
        oid = super().insert(tx)
        clusters.add_ports(tx, oid)
        return oid

    def delete(self, tx: Tx) -> None:
        super().delete(tx)
        clusters.remove_ports(tx, self.oid)

    # -- members: each method changes the cluster's side and the relation table ------------------------
    def add_host(self, host_id: int) -> None:
        """List a host; the caller sets the host's own cluster."""
        self.hosts = _with(self.hosts, host_id)

    def remove_host(self, host_id: int) -> None:
        """Drop a host from the list."""
        self.hosts = [oid for oid in self.hosts if oid != host_id]

    def add_datastore(self, tx: Tx, datastore_id: int) -> None:
        """List a datastore, in its table too; the caller changes the datastore's document."""
        if datastore_id not in self.datastores:
            self.datastores = _with(self.datastores, datastore_id)
            clusters.add_datastore(tx, self.oid, datastore_id)

    def remove_datastore(self, tx: Tx, datastore_id: int) -> None:
        """Undo add_datastore()."""
        self.datastores = [oid for oid in self.datastores if oid != datastore_id]
        clusters.remove_datastore(tx, self.oid, datastore_id)

    def add_vnet(self, tx: Tx, vnet_id: int) -> None:
        """List a network, in its table too; the caller changes the network's document."""
        if vnet_id not in self.vnets:
            self.vnets = _with(self.vnets, vnet_id)
            clusters.add_network(tx, self.oid, vnet_id)

    def remove_vnet(self, tx: Tx, vnet_id: int) -> None:
        """Undo add_vnet()."""
        self.vnets = [oid for oid in self.vnets if oid != vnet_id]
        clusters.remove_network(tx, self.oid, vnet_id)


def reserved_of(tx: Tx, cluster_id: int) -> tuple[str, str]:
    """The reservations of a cluster as last committed, without locking it; empty when it does not exist."""
    body = pools.body(tx, Cluster.TABLE, cluster_id)
    return Cluster.from_xml(body).reserved if body else ("", "")


def _with(ids: list[int], oid: int) -> list[int]:
    return sorted({*ids, oid})
