"""Images: disks, CD-ROMs and files that VMs use, each in a datastore.

Source: image XSD of release 6.0; image template reference; documents of real databases.
"""

from __future__ import annotations

import time
from enum import IntEnum

from services.common import xmldoc
from services.common.template import Template
from services.oned.errors import RequestError
from services.oned.model.base import PoolObject, id_list, id_list_xml, number
from services.oned.model.datastore import DiskType
from services.oned.model.quota import Usage
from services.oned.model.snapshots import Snapshots
from services.oned.store import Tx


class ImageType(IntEnum):
    """TYPE of an image; the names are the template's values."""

    OS = 0
    CDROM = 1
    DATABLOCK = 2
    KERNEL = 3
    RAMDISK = 4
    CONTEXT = 5

    @property
    def is_file(self) -> bool:
        """Whether it lies in a file datastore and is never a disk."""
        return self in (ImageType.KERNEL, ImageType.RAMDISK, ImageType.CONTEXT)


class ImageState(IntEnum):
    """STATE of an image; wire numbers."""

    INIT = 0
    READY = 1
    USED = 2
    DISABLED = 3
    LOCKED = 4
    ERROR = 5
    CLONE = 6
    DELETE = 7
    USED_PERS = 8
    LOCKED_USED = 9
    LOCKED_USED_PERS = 10

    @property
    def word(self) -> str:
        """The state in messages, which do not tell persistent images from others."""
        return self.name.removesuffix("_PERS")


class Image(PoolObject):
    """An image. ``size_mb`` is its virtual size, ``regtime`` epoch seconds.

    running_vms and cloning_ops count what vms, clones and app_clones list (ids of VMs that use it, of images
    and of appliances that are being made from it).
    """

    KIND, LABEL, TABLE, ROOT, UNIQUE_PER_OWNER = "IMAGE", "image", "image_pool", "IMAGE", True
    ONE_OF_EACH = True

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.type = ImageType.OS
        self.disk_type = DiskType.FILE
        self.is_persistent = False
        self.regtime = int(time.time())
        self.source = ""
        self.path = ""
        self.format = ""
        self.fs = ""
        self.size_mb = 0
        self.state = ImageState.INIT
        self.prev_state = ImageState.INIT
        self.running_vms = 0
        self.cloning_ops = 0
        self.cloning_id = -1
        self.target_snapshot = -1
        self.datastore_id = -1
        self.datastore = ""
        self.vms: list[int] = []
        self.clones: list[int] = []
        self.app_clones: list[int] = []
        self.snapshots = Snapshots()

    def to_xml(self) -> str:
        return (
            f"<IMAGE>{self._owner_xml()}{self._lock_xml()}{self.permissions.to_xml()}"
            f"<TYPE>{int(self.type)}</TYPE><DISK_TYPE>{int(self.disk_type)}</DISK_TYPE>"
            f"<PERSISTENT>{int(self.is_persistent)}</PERSISTENT><REGTIME>{self.regtime}</REGTIME>"
            f"<SOURCE>{xmldoc.cdata(self.source)}</SOURCE><PATH>{xmldoc.cdata(self.path)}</PATH>"
            f"<FORMAT>{xmldoc.cdata(self.format)}</FORMAT><FS>{xmldoc.cdata(self.fs)}</FS>"
            f"<SIZE>{self.size_mb}</SIZE>"
            f"<STATE>{int(self.state)}</STATE><PREV_STATE>{int(self.prev_state)}</PREV_STATE>"
            f"<RUNNING_VMS>{self.running_vms}</RUNNING_VMS><CLONING_OPS>{self.cloning_ops}</CLONING_OPS>"
            f"<CLONING_ID>{self.cloning_id}</CLONING_ID><TARGET_SNAPSHOT>{self.target_snapshot}</TARGET_SNAPSHOT>"
            f"<DATASTORE_ID>{self.datastore_id}</DATASTORE_ID>"
            f"<DATASTORE>{xmldoc.escape(self.datastore)}</DATASTORE>"
            f"{id_list_xml('VMS', self.vms)}{id_list_xml('CLONES', self.clones)}"
            f"{id_list_xml('APP_CLONES', self.app_clones)}"
            f"{self.template.to_xml()}{self.snapshots.to_xml()}</IMAGE>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> Image:
        image = cls(number(element, "ID"), element.findtext("NAME") or "")
        image._read_owner(element)
        image.type = ImageType(number(element, "TYPE"))
        image.disk_type = DiskType(number(element, "DISK_TYPE"))
        image.is_persistent = number(element, "PERSISTENT") == 1
        image.regtime = number(element, "REGTIME")
        image.source = element.findtext("SOURCE") or ""
        image.path = element.findtext("PATH") or ""
        image.format = element.findtext("FORMAT") or ""
        image.fs = element.findtext("FS") or ""
        image.size_mb = number(element, "SIZE")
        image.state = ImageState(number(element, "STATE"))
        image.prev_state = ImageState(number(element, "PREV_STATE"))
        image.running_vms = number(element, "RUNNING_VMS")
        image.cloning_ops = number(element, "CLONING_OPS")
        image.cloning_id = number(element, "CLONING_ID", -1)
        image.target_snapshot = number(element, "TARGET_SNAPSHOT", -1)
        image.datastore_id = number(element, "DATASTORE_ID", -1)
        image.datastore = element.findtext("DATASTORE") or ""
        image.vms = id_list(element.find("VMS"))
        image.clones = id_list(element.find("CLONES"))
        image.app_clones = id_list(element.find("APP_CLONES"))
        image.template = Template.from_element(element.find("TEMPLATE"))
        image.snapshots = Snapshots.from_element(element.find("SNAPSHOTS"))
        return image

    def save(self, tx: Tx) -> None:
        """Store what changed; the present state becomes the previous one."""
        self.prev_state = self.state
        super().save(tx)

    def quota_usage(self) -> Usage:
        """What it counts for: its space with its snapshots, and one image; nothing while it is deleted."""
        if self.state is ImageState.DELETE:
            return Usage()
        size = self.size_mb + self.snapshots.total_size_mb
        return Usage(datastore={self.datastore_id: {"IMAGES": 1.0, "SIZE": float(size)}})

    @property
    def is_saving(self) -> bool:
        """Whether it is being made from the disk of a running VM."""
        return (self.template.get("SAVE_AS_HOT") or "").upper() == "YES"

    @property
    def is_shareable(self) -> bool:
        """Whether several VMs may use it at once although it is persistent."""
        return (self.template.get("PERSISTENT_TYPE") or "").upper() == "SHAREABLE"

    def set_type(self, text: str) -> None:
        """Take another type. Raises RequestError for an unknown word, and when snapshots forbid it."""
        word = text.upper()
        if word not in ("OS", "DATABLOCK") and len(self.snapshots):
            raise RequestError("Image with snapshots can be only of type OS or DATABLOCK")
        if word not in ImageType.__members__:
            raise RequestError(
                f"Unknown type {text[:40]!r}, expected one of {', '.join(ImageType.__members__)}."
            )
        self.type = ImageType[word]

    # -- use -----------------------------------------------------------------------------------------
    def add_vm(self, vm_id: int) -> None:
        """Count a VM that uses the image; once."""
        if vm_id not in self.vms:
            self.vms = sorted([*self.vms, vm_id])
            self.running_vms += 1

    def remove_vm(self, vm_id: int) -> None:
        """Count a VM no more."""
        if vm_id in self.vms:
            self.vms.remove(vm_id)
            self.running_vms -= 1

    def add_clone(self, oid: int, *, app: bool = False) -> None:
        """Count an image (or an appliance) that is being made from this one; once."""
        listed = self.app_clones if app else self.clones
        if oid not in listed:
            listed.append(oid)
            listed.sort()
            self.cloning_ops += 1

    def remove_clone(self, oid: int, *, app: bool = False) -> None:
        """Count a copy no more."""
        listed = self.app_clones if app else self.clones
        if oid in listed:
            listed.remove(oid)
            self.cloning_ops -= 1


def type_of(text: str, default: str = "OS") -> ImageType:
    """The type that a template's TYPE means before it is checked: an unknown word means OS."""
    return ImageType.__members__.get((text or default).upper(), ImageType.OS)
