"""Clusters, hosts, VNC ports."""

from __future__ import annotations

from services.oned.store import Tx, clusters
from tests.support.breaks.base import Break, body, both, sql


def _port(tx: Tx, *, taken: bool) -> None:
    ports = clusters.locked_ports(tx, 0) or 0
    clusters.save_ports(tx, 0, ports | 1 << 6000 if taken else 0)


PLACES = (
    Break(
        "a host in a cluster that does not exist",
        both(
            body("host_pool", 1, ("<CLUSTER_ID>0<", "<CLUSTER_ID>55<")),
            sql("UPDATE host_pool SET cid = 55 WHERE oid = 1"),
        ),
        ("host 1: is in cluster 55, which does not exist",),
        has_more=True,
    ),
    Break(
        "the name of a host's cluster",
        body("host_pool", 1, ("<CLUSTER>default<", "<CLUSTER>old<")),
        ("host 1: CLUSTER is 'old', the cluster's name is 'default'",),
    ),
    Break(
        "members of a cluster that does not exist",
        both(
            body("datastore_pool", 100, ("<CLUSTERS><ID>0</ID>", "<CLUSTERS><ID>0</ID><ID>55</ID>")),
            body("network_pool", 1, ("<CLUSTERS><ID>0</ID>", "<CLUSTERS><ID>0</ID><ID>55</ID>")),
        ),
        (
            "datastore 100: is in clusters [55], which do not exist",
            "virtual network 1: is in clusters [55], which do not exist",
        ),
    ),
    Break(
        "the name of an image's datastore",
        body("image_pool", 0, ("<DATASTORE>img<", "<DATASTORE>old<")),
        ("image 0: DATASTORE is 'old', the datastore's name is 'img'",),
    ),
    Break(
        "the name of a VM's host",
        body("vm_pool", 1, ("<HOSTNAME>node1<", "<HOSTNAME>old<")),
        ("virtual machine 1: HOSTNAME is 'old', the host's name is 'node1'",),
    ),
    Break(
        "the members of a cluster",
        body("cluster_pool", 100, ("<HOSTS></HOSTS>", "<HOSTS><ID>0</ID></HOSTS>")),
        ("cluster 100: HOSTS are [0], the hosts say []",),
    ),
    Break(
        "the relations of clusters",
        sql(
            "DELETE FROM cluster_datastore_relation WHERE oid = 100",
            "INSERT INTO cluster_network_relation (cid, oid) VALUES (100, 0)",
        ),
        (
            "cluster_datastore_relation: lacks cluster 0 with 100, the datastores say that it is there",
            "cluster_network_relation: holds cluster 100 with 0, "
            "the virtual networks say that it is not there",
        ),
    ),
    Break(
        "what a host counts",
        body(
            "host_pool",
            0,
            ("<CPU_USAGE>100<", "<CPU_USAGE>300<"),
            ("<RUNNING_VMS>2<", "<RUNNING_VMS>1<"),
            ("<MEM_USAGE>131072<", "<MEM_USAGE>1<"),
            ("<VMS><ID>1</ID><ID>2</ID></VMS>", "<VMS><ID>1</ID></VMS>"),
        ),
        (
            "host 0: VMS is [1], the virtual machines say [1, 2]",
            "host 0: CPU_USAGE is 300, the virtual machines say 100",
            "host 0: MEM_USAGE is 1, the virtual machines say 131072",
            "host 0: RUNNING_VMS is 1, the virtual machines say 2",
        ),
    ),
    Break(
        "a PCI device",
        body("host_pool", 1, ("<VMID><![CDATA[-1]]></VMID>", "<VMID><![CDATA[77]]></VMID>")),
        ("host 1: PCI device 0000:00:02:0 is taken by virtual machine 77, which is not there",),
    ),
    Break(
        "CPUs of a host",
        body("host_pool", 1, ("0:-1,1:-1", "0:-1,1:77"), ("<FREE><![CDATA[2]]>", "<FREE><![CDATA[1]]>")),
        ("host 1: CPUs are pinned to virtual machine 77, which is not there",),
    ),
    Break(
        "memory of a NUMA node",
        body("host_pool", 1, ("<USAGE><![CDATA[0]]></USAGE>", "<USAGE><![CDATA[7]]></USAGE>")),
        ("host 1: NUMA node 0 counts 0 KB and pages {2048: 7}, the virtual machines say 0 KB and {2048: 0}",),
    ),
    Break(
        "a VNC port that nobody has",
        lambda tx: _port(tx, taken=True),
        ("cluster 0: VNC port 6000 is taken, but no virtual machine holds it",),
    ),
    Break(
        "a VNC port that is not taken",
        lambda tx: _port(tx, taken=False),
        ("cluster 0: VNC port 5901 is held by a virtual machine, but not taken",),
    ),
    Break(
        "no map of VNC ports",
        sql("DELETE FROM cluster_vnc_bitmap WHERE id = 100"),
        ("cluster 100: has no map of VNC ports",),
    ),
)
