"""Documents are read and written back without a change, in the form of real databases."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.oned.model.base import PoolObject
from services.oned.model.cluster import Cluster
from services.oned.model.datastore import Datastore
from services.oned.model.host import Host
from services.oned.model.image import Image
from services.oned.model.marketplace import Marketplace
from services.oned.model.marketplaceapp import MarketplaceApp
from services.oned.model.secgroup import SecurityGroup
from services.oned.model.vmtemplate import VMTemplate
from services.oned.model.vnet import VirtualNetwork
from services.oned.model.vntemplate import NetworkTemplate

_PERMISSIONS = (
    "<PERMISSIONS><OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A><GROUP_U>1</GROUP_U>"
    "<GROUP_M>0</GROUP_M><GROUP_A>0</GROUP_A><OTHER_U>0</OTHER_U><OTHER_M>0</OTHER_M><OTHER_A>0</OTHER_A>"
    "</PERMISSIONS>"
)
_OWNER = "<UID>2</UID><GID>1</GID><UNAME>ann</UNAME><GNAME>users</GNAME>"
DOCUMENTS: list[tuple[type[PoolObject], str]] = [
    (
        Image,
        f"<IMAGE><ID>7</ID>{_OWNER}<NAME>db</NAME><LOCK><LOCKED>1</LOCKED><OWNER>2</OWNER><TIME>1795231308</TIME>"
        f"<REQ_ID>77</REQ_ID></LOCK>{_PERMISSIONS}<TYPE>2</TYPE><DISK_TYPE>3</DISK_TYPE><PERSISTENT>1</PERSISTENT>"
        "<REGTIME>1795231308</REGTIME><SOURCE><![CDATA[one/one-7]]></SOURCE><PATH><![CDATA[http://x/?a=1&b=2]]>"
        "</PATH><FORMAT><![CDATA[raw]]></FORMAT><FS><![CDATA[ext4]]></FS><SIZE>64</SIZE><STATE>8</STATE>"
        "<PREV_STATE>1</PREV_STATE><RUNNING_VMS>1</RUNNING_VMS><CLONING_OPS>2</CLONING_OPS><CLONING_ID>-1"
        "</CLONING_ID><TARGET_SNAPSHOT>0</TARGET_SNAPSHOT><DATASTORE_ID>100</DATASTORE_ID><DATASTORE>ceph"
        "</DATASTORE><VMS><ID>4</ID></VMS><CLONES><ID>9</ID></CLONES><APP_CLONES><ID>3</ID></APP_CLONES><TEMPLATE>"
        "<DEV_PREFIX><![CDATA[vd]]></DEV_PREFIX></TEMPLATE><SNAPSHOTS><ALLOW_ORPHANS><![CDATA[MIXED]]>"
        "</ALLOW_ORPHANS><CURRENT_BASE><![CDATA[0]]></CURRENT_BASE><NEXT_SNAPSHOT><![CDATA[1]]></NEXT_SNAPSHOT>"
        "<SNAPSHOT><ACTIVE><![CDATA[YES]]></ACTIVE><DATE><![CDATA[1795231400]]></DATE><ID><![CDATA[0]]></ID><NAME>"
        "<![CDATA[first]]></NAME><PARENT><![CDATA[-1]]></PARENT><SIZE><![CDATA[64]]></SIZE></SNAPSHOT></SNAPSHOTS>"
        "</IMAGE>",
    ),
    (
        Marketplace,
        f"<MARKETPLACE><ID>100</ID>{_OWNER}<NAME>own</NAME><MARKET_MAD><![CDATA[http]]></MARKET_MAD><ZONE_ID>"
        "<![CDATA[0]]></ZONE_ID><TOTAL_MB>10</TOTAL_MB><FREE_MB>4</FREE_MB><USED_MB>6</USED_MB><MARKETPLACEAPPS>"
        f"<ID>2</ID></MARKETPLACEAPPS>{_PERMISSIONS}<TEMPLATE><BASE_URL><![CDATA[http://x]]></BASE_URL><MARKET_MAD>"
        "<![CDATA[http]]></MARKET_MAD></TEMPLATE></MARKETPLACE>",
    ),
    (
        MarketplaceApp,
        f"<MARKETPLACEAPP><ID>2</ID>{_OWNER}<LOCK><LOCKED>4</LOCKED><OWNER>0</OWNER><TIME>9"
        "</TIME><REQ_ID>8</REQ_ID></LOCK><REGTIME>1795231308</REGTIME><NAME>app</NAME><ZONE_ID><![CDATA[0]]>"
        "</ZONE_ID><ORIGIN_ID><![CDATA[7]]></ORIGIN_ID><SOURCE><![CDATA[http://x/1]]></SOURCE><MD5><![CDATA[m]]>"
        "</MD5><SIZE>64</SIZE><DESCRIPTION><![CDATA[a & b]]></DESCRIPTION><VERSION><![CDATA[1.0]]></VERSION>"
        "<FORMAT><![CDATA[raw]]></FORMAT><APPTEMPLATE64><![CDATA[eA==]]></APPTEMPLATE64><MARKETPLACE_ID>100"
        "</MARKETPLACE_ID><MARKETPLACE>own</MARKETPLACE><STATE>1</STATE><TYPE>1</TYPE>"
        f"{_PERMISSIONS}<TEMPLATE><DESCRIPTION><![CDATA[a & b]]></DESCRIPTION></TEMPLATE></MARKETPLACEAPP>",
    ),
    (
        Cluster,
        "<CLUSTER><ID>100</ID><NAME>east</NAME><HOSTS><ID>1</ID><ID>4</ID></HOSTS><DATASTORES></DATASTORES>"
        "<VNETS></VNETS><TEMPLATE><RESERVED_CPU><![CDATA[10%]]></RESERVED_CPU><RESERVED_MEM><![CDATA[]]>"
        "</RESERVED_MEM></TEMPLATE></CLUSTER>",
    ),
    (
        Host,
        "<HOST><ID>1</ID><NAME>n1</NAME><STATE>2</STATE><PREV_STATE>2</PREV_STATE><IM_MAD><![CDATA[kvm]]></IM_MAD>"
        "<VM_MAD><![CDATA[kvm]]></VM_MAD><CLUSTER_ID>100</CLUSTER_ID><CLUSTER>east</CLUSTER><HOST_SHARE>"
        "<MEM_USAGE>1048576</MEM_USAGE><CPU_USAGE>50</CPU_USAGE><TOTAL_MEM>8000000</TOTAL_MEM>"
        "<TOTAL_CPU>800</TOTAL_CPU><MAX_MEM>7200000</MAX_MEM><MAX_CPU>720</MAX_CPU><RUNNING_VMS>1</RUNNING_VMS>"
        "<VMS_THREAD>2</VMS_THREAD><DATASTORES><DISK_USAGE><![CDATA[5]]></DISK_USAGE><DS><FREE_MB><![CDATA[1]]>"
        "</FREE_MB><ID><![CDATA[0]]></ID></DS><FREE_DISK><![CDATA[9]]></FREE_DISK><MAX_DISK><![CDATA[10]]>"
        "</MAX_DISK><USED_DISK><![CDATA[1]]></USED_DISK></DATASTORES><PCI_DEVICES><PCI><ADDRESS>"
        "<![CDATA[0000:00:02:0]]></ADDRESS><VMID><![CDATA[-1]]></VMID></PCI></PCI_DEVICES><NUMA_NODES><NODE><CORE>"
        "<CPUS><![CDATA[0:7,4:-1]]></CPUS><DEDICATED><![CDATA[NO]]></DEDICATED><FREE><![CDATA[3]]></FREE><ID>"
        "<![CDATA[0]]></ID></CORE><HUGEPAGE><FREE><![CDATA[5]]></FREE><PAGES><![CDATA[8]]></PAGES><SIZE>"
        "<![CDATA[2048]]></SIZE><USAGE><![CDATA[1]]></USAGE></HUGEPAGE><MEMORY><DISTANCE>"
        "<![CDATA[0 1]]></DISTANCE>"
        "<FREE><![CDATA[7]]></FREE><TOTAL><![CDATA[9]]></TOTAL><USAGE><![CDATA[3]]></USAGE><USED><![CDATA[2]]>"
        "</USED></MEMORY><NODE_ID><![CDATA[0]]></NODE_ID></NODE></NUMA_NODES></HOST_SHARE><VMS><ID>7</ID>"
        "</VMS><TEMPLATE><ARCH><![CDATA[x86_64]]></ARCH><IM_MAD><![CDATA[kvm]]></IM_MAD><VM_MAD><![CDATA[kvm]]>"
        "</VM_MAD></TEMPLATE><MONITORING/></HOST>",
    ),
    (
        Datastore,
        f"<DATASTORE><ID>100</ID>{_OWNER}<NAME>ceph</NAME>{_PERMISSIONS}<DS_MAD><![CDATA[ceph]]></DS_MAD><TM_MAD>"
        "<![CDATA[ceph]]></TM_MAD><BASE_PATH><![CDATA[/var/lib/one/datastores/100]]></BASE_PATH><TYPE>0</TYPE>"
        "<DISK_TYPE>3</DISK_TYPE><STATE>0</STATE><CLUSTERS><ID>0</ID><ID>100</ID></CLUSTERS><TOTAL_MB>10</TOTAL_MB>"
        "<FREE_MB>4</FREE_MB><USED_MB>6</USED_MB><IMAGES><ID>3</ID></IMAGES><TEMPLATE><DISK_TYPE><![CDATA[RBD]]>"
        "</DISK_TYPE><TYPE><![CDATA[IMAGE_DS]]></TYPE></TEMPLATE></DATASTORE>",
    ),
    (
        VMTemplate,
        f"<VMTEMPLATE><ID>3</ID>{_OWNER}<NAME>web</NAME><LOCK><LOCKED>2</LOCKED><OWNER>2</OWNER><TIME>1795231308"
        f"</TIME><REQ_ID>77</REQ_ID></LOCK>{_PERMISSIONS}<REGTIME>1795231308</REGTIME><TEMPLATE><CPU><![CDATA[0.1]]>"
        "</CPU><NIC><MODEL><![CDATA[a & b <c> ]]]]><![CDATA[>]]></MODEL></NIC></TEMPLATE></VMTEMPLATE>",
    ),
    (
        VirtualNetwork,
        f"<VNET><ID>7</ID>{_OWNER}<NAME>lan</NAME>{_PERMISSIONS}<CLUSTERS><ID>0</ID><ID>100</ID></CLUSTERS>"
        "<BRIDGE><![CDATA[onebr7]]></BRIDGE><BRIDGE_TYPE><![CDATA[linux]]></BRIDGE_TYPE><PARENT_NETWORK_ID>3"
        "</PARENT_NETWORK_ID><VN_MAD><![CDATA[vxlan]]></VN_MAD><PHYDEV><![CDATA[eth0]]></PHYDEV><VLAN_ID>"
        "<![CDATA[9]]></VLAN_ID><OUTER_VLAN_ID/><VLAN_ID_AUTOMATIC>1</VLAN_ID_AUTOMATIC><OUTER_VLAN_ID_AUTOMATIC>0"
        "</OUTER_VLAN_ID_AUTOMATIC><USED_LEASES>2</USED_LEASES><VROUTERS><ID>1</ID></VROUTERS><TEMPLATE><BRIDGE>"
        "<![CDATA[onebr7]]></BRIDGE><VLAN_ID><![CDATA[]]></VLAN_ID></TEMPLATE><AR_POOL><AR><ALLOCATED>"
        "<![CDATA[ 0 274877906949 3 68719476741]]></ALLOCATED><AR_ID><![CDATA[0]]></AR_ID><IP>"
        "<![CDATA[10.0.0.1]]></IP><MAC><![CDATA[02:00:0a:00:00:01]]></MAC><SIZE><![CDATA[10]]></SIZE><TYPE>"
        "<![CDATA[IP4]]></TYPE></AR><AR><ALLOCATED><![CDATA[]]></ALLOCATED><AR_ID><![CDATA[2]]></AR_ID><MAC>"
        "<![CDATA[02:00:AA:00:00:01]]></MAC><SIZE><![CDATA[1]]></SIZE><TYPE><![CDATA[ETHER]]></TYPE></AR></AR_POOL>"
        "</VNET>",
    ),
    (
        SecurityGroup,
        f"<SECURITY_GROUP><ID>100</ID>{_OWNER}<NAME>web</NAME>{_PERMISSIONS}<UPDATED_VMS><ID>4</ID><ID>5</ID>"
        "</UPDATED_VMS><OUTDATED_VMS><ID>6</ID></OUTDATED_VMS><UPDATING_VMS></UPDATING_VMS><ERROR_VMS><ID>7</ID>"
        "</ERROR_VMS><TEMPLATE><RULE><PROTOCOL><![CDATA[TCP]]></PROTOCOL><RANGE><![CDATA[22:25,80]]></RANGE>"
        "<RULE_TYPE><![CDATA[inbound]]></RULE_TYPE></RULE></TEMPLATE></SECURITY_GROUP>",
    ),
    (
        NetworkTemplate,
        f"<VNTEMPLATE><ID>3</ID>{_OWNER}<NAME>vt</NAME>{_PERMISSIONS}<REGTIME>1795231307</REGTIME><TEMPLATE><AR>"
        "<SIZE><![CDATA[4]]></SIZE><TYPE><![CDATA[ETHER]]></TYPE></AR><VN_MAD><![CDATA[bridge]]></VN_MAD>"
        "</TEMPLATE></VNTEMPLATE>",
    ),
]


@pytest.mark.parametrize(("model", "text"), DOCUMENTS, ids=[model.KIND for model, _ in DOCUMENTS])
def test_a_document_is_written_as_it_was_read(model: type[PoolObject], text: str) -> None:
    assert model.from_xml(text).to_xml() == text


@pytest.mark.parametrize("model", [Cluster, Host, Datastore, VMTemplate, VirtualNetwork, SecurityGroup])
def test_documents_of_real_databases(shared_folder: Path, model: type[PoolObject]) -> None:
    compared = 0
    for dump in sorted((shared_folder / "dumps").glob("*.sql")):
        for text in _bodies(dump.read_text(), model):
            assert model.from_xml(text).to_xml() == text
            compared += 1
    assert compared >= 3


def _bodies(dump: str, model: type[PoolObject]) -> list[str]:
    """The documents of a pool in a MySQL dump, which escapes quotes and line ends."""
    found = re.findall(rf"'(<{model.ROOT}>.*?</{model.ROOT}>)'", dump)
    return [
        text.replace("\\'", "'").replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
        for text in found
    ]
