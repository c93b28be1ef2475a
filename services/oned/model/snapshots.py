"""Snapshots of a disk: the tree that an image or a VM keeps in its SNAPSHOTS element.

Source: image and VM XSDs of release 6.0; documents of real databases; ALLOW_ORPHANS of the storage driver
reference.
"""

from __future__ import annotations

import time
from enum import Enum

from services.common import xmldoc
from services.common.template import Template, Vector

NONE = -1


class Orphans(Enum):
    """ALLOW_ORPHANS: how a new snapshot hangs together with the others.

    DENY: below the active one, and it becomes the active one. ALLOW: each stands alone. MIXED: below the one
    that was last reverted to.
    """

    ALLOW = "YES"
    DENY = "NO"
    MIXED = "MIXED"

    @classmethod
    def of(cls, text: str) -> Orphans:
        """The mode that a text means; DENY for an unknown one."""
        word = text.upper()
        return next((mode for mode in cls if mode.value == word), cls.DENY)


class Snapshots:
    """The snapshots of one disk. ``disk_id`` is -1 for those of an image. Sizes are MB."""

    ROOT = "SNAPSHOTS"

    def __init__(self, disk_id: int = NONE, orphans: Orphans = Orphans.DENY) -> None:
        self._attributes = Template()
        if disk_id != NONE:
            self._attributes.set("DISK_ID", str(disk_id))
        self._attributes.set("ALLOW_ORPHANS", orphans.value)
        self._attributes.set("NEXT_SNAPSHOT", "0")
        self._attributes.set("CURRENT_BASE", str(NONE))

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element | None) -> Snapshots:
        """The snapshots of a SNAPSHOTS element; None gives an empty list."""
        made = cls()
        if element is not None:
            made._attributes = Template.from_element(element)
        return made

    def to_xml(self) -> str:
        """The SNAPSHOTS element."""
        return self._attributes.to_xml(self.ROOT)

    def copy(self) -> Snapshots:
        """An independent copy."""
        twin = Snapshots()
        twin._attributes = self._attributes.copy()
        return twin

    # -- reading -------------------------------------------------------------------------------------
    def __len__(self) -> int:
        return len(self.all())

    def __contains__(self, snapshot_id: int) -> bool:
        return self.find(snapshot_id) is not None

    def all(self) -> list[Vector]:
        """Every snapshot, oldest first; the vectors themselves."""
        return self._attributes.vectors("SNAPSHOT")

    def find(self, snapshot_id: int) -> Vector | None:
        """The snapshot of that id, or None."""
        return next((vector for vector in self.all() if _number(vector, "ID", NONE) == snapshot_id), None)

    @property
    def disk_id(self) -> int:
        """The disk whose snapshots these are, -1 for an image's."""
        return _whole(self._attributes.get("DISK_ID"), NONE)

    @disk_id.setter
    def disk_id(self, disk_id: int) -> None:
        if disk_id == NONE:
            self._attributes.remove("DISK_ID")
        else:
            self._attributes.set("DISK_ID", str(disk_id))

    @property
    def orphans(self) -> Orphans:
        """How new snapshots hang together."""
        return Orphans.of(self._attributes.get("ALLOW_ORPHANS") or "")

    @property
    def active(self) -> int:
        """The snapshot that the disk stands on, or -1."""
        marked = [v for v in self.all() if v.get("ACTIVE", "").upper() == "YES"]
        return _number(marked[-1], "ID", NONE) if marked else NONE

    @property
    def next_id(self) -> int:
        """The id that the next snapshot gets."""
        return _whole(self._attributes.get("NEXT_SNAPSHOT"), 0)

    @property
    def current_base(self) -> int:
        """The snapshot that was last reverted to (MIXED only), or -1."""
        return _whole(self._attributes.get("CURRENT_BASE"), NONE)

    @property
    def total_size_mb(self) -> int:
        """The sum of all sizes."""
        return sum(_number(vector, "SIZE", 0) for vector in self.all())

    def size_mb(self, snapshot_id: int) -> int:
        """The size of one snapshot, 0 when there is none of that id."""
        return _number(self.find(snapshot_id) or {}, "SIZE", 0)

    # -- changing ------------------------------------------------------------------------------------
    def create(self, name: str, size_mb: int, date: int | None = None) -> int:
        """Add a snapshot of the disk as it is; its id, or -1 when the active one is missing.

        date: epoch seconds, now without it. The new one is not made active: activate() does that.
        """
        number = self.next_id
        made: Vector = {"SIZE": str(size_mb), "ID": str(number), "DATE": str(date or int(time.time()))}
        if name:
            made["NAME"] = name
        parent = {Orphans.ALLOW: NONE, Orphans.DENY: self.active, Orphans.MIXED: self.current_base}
        made["PARENT"] = str(parent[self.orphans])
        above = self.find(parent[self.orphans])
        if above is not None:
            children = above.get("CHILDREN", "")
            above["CHILDREN"] = f"{children},{number}" if children else str(number)
        elif self.orphans is Orphans.DENY and self.active != NONE:
            return NONE
        self._attributes.set("NEXT_SNAPSHOT", str(number + 1))
        self._attributes.add("SNAPSHOT", made)
        return number

    def refusal_to_delete(self, snapshot_id: int) -> str:
        """Why a snapshot cannot be deleted, or an empty text."""
        found = self.find(snapshot_id)
        if found is None:
            return "Snapshot does not exist"
        if self.orphans is not Orphans.ALLOW:
            if found.get("ACTIVE", "").upper() == "YES":
                return "Cannot delete the active snapshot"
            if found.get("CHILDREN"):
                return "Cannot delete snapshot with children"
        return ""

    def delete(self, snapshot_id: int) -> None:
        """Forget a snapshot; nothing when there is none of that id."""
        doomed = self.find(snapshot_id)
        if doomed is None:
            return
        above = self.find(_number(doomed, "PARENT", NONE))
        if above is not None and self.orphans is not Orphans.ALLOW:
            children = [child for child in _ids(above.get("CHILDREN", "")) if child != snapshot_id]
            above["CHILDREN"] = ",".join(map(str, children))
            if not children:
                del above["CHILDREN"]
        kept = [vector for vector in self.all() if vector is not doomed]
        self._attributes.remove("SNAPSHOT")
        for vector in kept:
            self._attributes.add("SNAPSHOT", vector)

    def activate(self, snapshot_id: int, *, revert: bool) -> bool:
        """Note that the disk now stands on a snapshot; False when there is none of that id.

        revert: it went back to it; otherwise it was just made (which changes nothing in MIXED).
        """
        before = self.active
        if snapshot_id == before:
            return True
        found = self.find(snapshot_id)
        if found is None:
            return False
        if self.orphans is Orphans.MIXED:
            if not revert:
                return True
            self._attributes.set("CURRENT_BASE", str(snapshot_id))
        old = self.find(before)
        if old is not None:
            del old["ACTIVE"]
        found["ACTIVE"] = "YES"
        return True

    def rename(self, snapshot_id: int, name: str) -> bool:
        """Give a snapshot another name; False when there is none of that id."""
        found = self.find(snapshot_id)
        if found is None:
            return False
        found["NAME"] = name
        return True

    def clear(self) -> None:
        """Forget every snapshot, and the settings too, as flattening does."""
        self._attributes = Template()


def _ids(text: str) -> list[int]:
    return sorted({_whole(part, NONE) for part in text.split(",") if part})


def _number(vector: Vector, name: str, default: int) -> int:
    return _whole(vector.get(name), default)


def _whole(text: str | None, default: int) -> int:
    try:
        return int(text or "")
    except ValueError:
        return default
