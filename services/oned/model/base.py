"""What every object has: id, name, owner, permission bits, lock, and a document that is its database body.

A kind of object is a subclass: it names its table and root element, reads its own elements from a document
and writes them back in OpenNebula's order (the XSDs'). Loading for a change locks the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from services.common import xmldoc
from services.common.template import Template
from services.oned.errors import NotFoundError, RequestError
from services.oned.model.quota import Usage
from services.oned.store import Tx, pools

NAME_LENGTH_MAX = 128  # bytes, as OpenNebula counts
_NAME_FORBIDDEN = "&|:\\\";/'#{}$<>"
_BITS = tuple(f"{who}_{right}" for who in ("OWNER", "GROUP", "OTHER") for right in "UMA")


@dataclass(slots=True)
class Permissions:
    """Nine bits: owner, group and other, each use, manage, admin."""

    bits: list[int]

    @classmethod
    def from_umask(cls, base: int, umask: int) -> Permissions:
        """The bits of octal ``base`` that ``umask`` leaves."""
        octal = base & ~umask & 0o777
        return cls([(octal >> shift) & 1 for shift in range(8, -1, -1)])

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element | None) -> Permissions:
        """The bits of a PERMISSIONS element."""
        if element is None:
            return cls([0] * 9)
        return cls([int(element.findtext(bit) or 0) for bit in _BITS])

    def to_xml(self) -> str:
        inner = "".join(f"<{name}>{bit}</{name}>" for name, bit in zip(_BITS, self.bits, strict=True))
        return f"<PERMISSIONS>{inner}</PERMISSIONS>"

    def allows(self, who: int, right: int) -> bool:
        """who: 0 owner, 1 group, 2 other; right: 0 use, 1 manage, 2 admin."""
        return bool(self.bits[who * 3 + right])


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that its owner put on an object; level 1 use, 2 manage, 4 admin."""

    level: int
    owner: int
    time: int
    request_id: int

    def to_xml(self) -> str:
        return (
            f"<LOCK><LOCKED>{self.level}</LOCKED><OWNER>{self.owner}</OWNER>"
            f"<TIME>{self.time}</TIME><REQ_ID>{self.request_id}</REQ_ID></LOCK>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element | None) -> Lock | None:
        if element is None:
            return None
        level, owner, time_, request = (
            int(element.findtext(name) or 0) for name in ("LOCKED", "OWNER", "TIME", "REQ_ID")
        )
        return cls(level, owner, time_, request) if level else None


def check_name(name: str, forbidden: str = _NAME_FORBIDDEN, *, spaces: bool = True) -> str:
    """The name, if an object may carry it. Raises RequestError saying which character or length is wrong."""
    if not name:
        raise RequestError("Invalid NAME, it cannot be empty.")
    length = len(name.encode())
    if length > NAME_LENGTH_MAX:
        raise RequestError(f"Invalid NAME, max length is {NAME_LENGTH_MAX} bytes, found {length}.")
    for char in name:
        if char in forbidden or char in "\r\n\t" or (char == " " and not spaces):
            raise RequestError(f"Invalid NAME, char '{char}' is not allowed.")
        if ord(char) < 32:
            raise RequestError("Invalid NAME, control characters are not allowed.")
    return name


class PoolObject:
    """Base of the kinds; see the module text."""

    KIND: ClassVar[str]
    LABEL: ClassVar[str]  # the words of "Error getting <label> [id]."
    TABLE: ClassVar[str]
    ROOT: ClassVar[str]
    UNIQUE_PER_OWNER: ClassVar[bool] = False
    ONE_OF_EACH: ClassVar[bool] = False  # an attribute that is given several times counts once, the last one
    FIRST_USER_ID: ClassVar[int] = 0  # lower ids are system objects, which cannot be deleted

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        self.oid = oid
        self.name = name
        self.uid = uid
        self.gid = gid
        self.uname = ""
        self.gname = ""
        self.permissions = Permissions([1, 0, 0, 0, 0, 0, 0, 0, 0])
        self.lock: Lock | None = None
        self.template = Template()

    # -- document ------------------------------------------------------------------------------------
    def to_xml(self) -> str:
        """The document."""
        raise NotImplementedError(self.KIND)

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> Self:
        """The object of a parsed document."""
        raise NotImplementedError(cls.KIND)

    @classmethod
    def from_xml(cls, body: str) -> Self:
        """The object of a document."""
        return cls.from_element(xmldoc.parse(body, cls.KIND))

    def _owner_xml(self) -> str:
        return (
            f"<ID>{self.oid}</ID><UID>{self.uid}</UID><GID>{self.gid}</GID>"
            f"<UNAME>{xmldoc.escape(self.uname)}</UNAME><GNAME>{xmldoc.escape(self.gname)}</GNAME>"
            f"<NAME>{xmldoc.escape(self.name)}</NAME>"
        )

    def _lock_xml(self) -> str:
        return self.lock.to_xml() if self.lock else ""

    def _read_owner(self, element: xmldoc.etree._Element) -> None:
        self.uid = number(element, "UID")
        self.gid = number(element, "GID")
        self.uname = element.findtext("UNAME") or ""
        self.gname = element.findtext("GNAME") or ""
        self.permissions = Permissions.from_element(element.find("PERMISSIONS"))
        self.lock = Lock.from_element(element.find("LOCK"))

    def quota_usage(self) -> Usage:
        """What the object counts for in the quotas of its owner and group; for most kinds nothing."""
        return Usage()

    # -- rows ----------------------------------------------------------------------------------------
    def columns(self) -> dict[str, Any]:
        """The row's columns but the id."""
        return {
            "name": self.name,
            "body": self.to_xml(),
            "uid": self.uid,
            "gid": self.gid,
            "owner_u": self.permissions.bits[0],
            "group_u": self.permissions.bits[3],
            "other_u": self.permissions.bits[6],
        }

    @classmethod
    def load(cls, tx: Tx, oid: int) -> Self:
        """The object; its row is locked in a writing transaction. Raises NotFoundError."""
        text = pools.locked_body(tx, cls.TABLE, oid) if tx.writable else pools.body(tx, cls.TABLE, oid)
        if text is None:
            raise NotFoundError(f"Error getting {cls.LABEL} [{oid}].", oid)
        return cls.from_xml(text)

    @classmethod
    def find(cls, tx: Tx, oid: int) -> Self | None:
        """The object as load() gives it, or None."""
        text = pools.locked_body(tx, cls.TABLE, oid) if tx.writable else pools.body(tx, cls.TABLE, oid)
        return None if text is None else cls.from_xml(text)

    def insert(self, tx: Tx) -> int:
        """Give the object the pool's next id and store it; the id."""
        self.oid = pools.next_oid(tx, self.TABLE)
        pools.insert(tx, self.TABLE, {"oid": self.oid, **self.columns()})
        return self.oid

    def save(self, tx: Tx) -> None:
        """Store what changed."""
        pools.update(tx, self.TABLE, self.oid, self.columns())

    def delete(self, tx: Tx) -> None:
        """Remove the object's row."""
        pools.delete(tx, self.TABLE, self.oid)

    def __str__(self) -> str:
        return f"{self.LABEL} {self.oid}"


def number(element: xmldoc.etree._Element, path: str, default: int = 0) -> int:
    """The whole number at a path, or the default when absent or empty."""
    text = element.findtext(path)
    return int(text) if text else default


def id_list(element: xmldoc.etree._Element | None) -> list[int]:
    """The ids of a collection element (``<VMS><ID>1</ID></VMS>``)."""
    return [] if element is None else [int(child.text or 0) for child in element.findall("ID")]


def id_list_xml(root: str, ids: list[int]) -> str:
    """A collection element; an empty one is written with both tags, as OpenNebula does."""
    return f"<{root}>{''.join(f'<ID>{oid}</ID>' for oid in ids)}</{root}>"
