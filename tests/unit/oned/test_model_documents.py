"""Documents are read and written back without a change, in the form of real databases."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.oned.model.base import PoolObject
from services.oned.model.cluster import Cluster
from services.oned.model.datastore import Datastore
from services.oned.model.host import Host
from services.oned.model.vmtemplate import VMTemplate

_PERMISSIONS = (
    "<PERMISSIONS><OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A><GROUP_U>1</GROUP_U>"
    "<GROUP_M>0</GROUP_M><GROUP_A>0</GROUP_A><OTHER_U>0</OTHER_U><OTHER_M>0</OTHER_M><OTHER_A>0</OTHER_A>"
    "</PERMISSIONS>"
)
_OWNER = "<UID>2</UID><GID>1</GID><UNAME>ann</UNAME><GNAME>users</GNAME>"
DOCUMENTS: list[tuple[type[PoolObject], str]] = [
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
        "<CPUS><![CDATA[0:-1,4:-1]]></CPUS><DEDICATED><![CDATA[NO]]></DEDICATED><FREE><![CDATA[2]]></FREE><ID>"
        "<![CDATA[0]]></ID></CORE><NODE_ID><![CDATA[0]]></NODE_ID></NODE></NUMA_NODES></HOST_SHARE><VMS><ID>7</ID>"
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
]


@pytest.mark.parametrize(("model", "text"), DOCUMENTS, ids=[model.KIND for model, _ in DOCUMENTS])
def test_a_document_is_written_as_it_was_read(model: type[PoolObject], text: str) -> None:
    assert model.from_xml(text).to_xml() == text


@pytest.mark.parametrize("model", [Cluster, Host, Datastore, VMTemplate])
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
