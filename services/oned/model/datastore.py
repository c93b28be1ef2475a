"""Datastores: where images, files and the disks of running VMs lie.

Source: datastore XSD of release 6.0; datastore reference; documents of real databases.
"""

from __future__ import annotations

from enum import IntEnum

from services.common import xmldoc
from services.common.template import Template
from services.oned.errors import RequestError
from services.oned.model.base import Permissions, PoolObject, id_list, id_list_xml, number
from services.oned.store import Tx, pools

SYSTEM_ID = 0


class DatastoreType(IntEnum):
    """TYPE of a datastore; the names are the template's values."""

    IMAGE_DS = 0
    SYSTEM_DS = 1
    FILE_DS = 2


class DatastoreState(IntEnum):
    """STATE of a datastore."""

    READY = 0
    DISABLED = 1


class DiskType(IntEnum):
    """DISK_TYPE of a datastore or image."""

    FILE = 0
    CDROM = 1
    BLOCK = 2
    RBD = 3
    RBD_CDROM = 4
    GLUSTER = 5
    GLUSTER_CDROM = 6
    SHEEPDOG = 7
    SHEEPDOG_CDROM = 8
    ISCSI = 9
    NONE = 255


_DISK_TYPES = {
    DatastoreType.IMAGE_DS: (
        DiskType.FILE,
        DiskType.BLOCK,
        DiskType.ISCSI,
        DiskType.RBD,
        DiskType.GLUSTER,
        DiskType.SHEEPDOG,
    ),
    DatastoreType.SYSTEM_DS: (DiskType.FILE, DiskType.RBD),
}


class Datastore(PoolObject):
    """A datastore. The clusters' documents list it too; api/cluster.py keeps both sides equal."""

    KIND = "DATASTORE"
    LABEL = "datastore"
    TABLE = "datastore_pool"
    ROOT = "DATASTORE"
    FIRST_USER_ID = 100

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.permissions = Permissions([1, 1, 0, 1, 0, 0, 0, 0, 0])
        self.ds_mad = ""
        self.tm_mad = ""
        self.base_path = ""
        self.type = DatastoreType.IMAGE_DS
        self.disk_type = DiskType.FILE
        self.state = DatastoreState.READY
        self.clusters: list[int] = []
        self.total_mb = 0
        self.free_mb = 0
        self.used_mb = 0
        self.images: list[int] = []

    def to_xml(self) -> str:
        return (
            f"<DATASTORE>{self._owner_xml()}{self.permissions.to_xml()}<DS_MAD>{xmldoc.cdata(self.ds_mad)}</DS_MAD>"
            f"<TM_MAD>{xmldoc.cdata(self.tm_mad)}</TM_MAD><BASE_PATH>{xmldoc.cdata(self.base_path)}</BASE_PATH>"
            f"<TYPE>{int(self.type)}</TYPE><DISK_TYPE>{int(self.disk_type)}</DISK_TYPE>"
            f"<STATE>{int(self.state)}</STATE>{id_list_xml('CLUSTERS', self.clusters)}"
            f"<TOTAL_MB>{self.total_mb}</TOTAL_MB><FREE_MB>{self.free_mb}</FREE_MB><USED_MB>{self.used_mb}</USED_MB>"
            f"{id_list_xml('IMAGES', self.images)}{self.template.to_xml()}</DATASTORE>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> Datastore:
        store = cls(number(element, "ID"), element.findtext("NAME") or "")
        store._read_owner(element)
        store.ds_mad = element.findtext("DS_MAD") or ""
        store.tm_mad = element.findtext("TM_MAD") or ""
        store.base_path = element.findtext("BASE_PATH") or ""
        store.type = DatastoreType(number(element, "TYPE"))
        store.disk_type = DiskType(number(element, "DISK_TYPE"))
        store.state = DatastoreState(number(element, "STATE"))
        store.clusters = id_list(element.find("CLUSTERS"))
        store.total_mb = number(element, "TOTAL_MB")
        store.free_mb = number(element, "FREE_MB")
        store.used_mb = number(element, "USED_MB")
        store.images = id_list(element.find("IMAGES"))
        store.template = Template.from_element(element.find("TEMPLATE"))
        return store

    def insert(self, tx: Tx) -> int:
        """Store a new datastore; ``base_path`` is the folder of all datastores until then."""
        self.oid = pools.next_oid(tx, self.TABLE)
        self.base_path = f"{self.base_path.rstrip('/')}/{self.oid}"
        pools.insert(tx, self.TABLE, {"oid": self.oid, **self.columns()})
        return self.oid

    def forget_size(self) -> None:
        """Show no sizes until the next report; those of another driver mean nothing."""
        self.total_mb = self.free_mb = self.used_mb = 0

    def set_disk_type(self, text: str) -> None:
        """Take DISK_TYPE (empty: FILE), in the template too. Raises RequestError when TYPE forbids it."""
        disk_type = parse_disk_type(text)
        self.template.remove("DISK_TYPE")
        if self.type is DatastoreType.FILE_DS:
            self.disk_type = DiskType.FILE
            return
        if disk_type is DiskType.NONE:
            raise RequestError(f"Unknown DISK_TYPE in template, found {text[:40]!r}.")
        if disk_type not in _DISK_TYPES[self.type]:
            kind = "an Image" if self.type is DatastoreType.IMAGE_DS else "a System"
            expected = ", ".join(sorted(allowed.name for allowed in _DISK_TYPES[self.type]))
            raise RequestError(
                f"Invalid DISK_TYPE for {kind} Datastore: found {disk_type.name}, expected {expected}."
            )
        self.disk_type = disk_type
        self.template.set("DISK_TYPE", disk_type.name)


def parse_type(text: str) -> DatastoreType:
    """TYPE of a template; an unknown word means IMAGE_DS, as in OpenNebula."""
    return DatastoreType.__members__.get(text.strip().upper(), DatastoreType.IMAGE_DS)


def parse_disk_type(text: str) -> DiskType:
    """DISK_TYPE of a template; empty means FILE, an unknown word NONE."""
    word = text.strip().upper()
    return DiskType.__members__.get(word, DiskType.NONE) if word else DiskType.FILE
