"""The columns beside a document, which lists and searches use, against what the document says."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from services.common import xmldoc
from services.oned.model.base import PoolObject
from services.oned.model.hook import Hook, HookType
from services.oned.model.user import User
from services.oned.model.vm import VM
from services.oned.store import Tx, consistency, pools

Element = xmldoc.etree._Element
# The children of a document's root, by name.
Fields = dict[str, Element]

_BASE = ("name", "uid", "gid", "owner_u", "group_u", "other_u")
_BITS = {"OWNER_U": "owner_u", "GROUP_U": "group_u", "OTHER_U": "other_u"}
_NO_PARENT = -1
# Kinds of which no two objects have the same name, whoever owns them.
_ONE_OF_A_NAME = ("CLUSTER", "GROUP", "USER", "VDC", "ZONE")
# Columns that one kind has besides, each with the element that decides it and what its absence means.
_EXTRA: dict[str, dict[str, tuple[str, int]]] = {
    "VM": {"state": ("STATE", 0), "lcm_state": ("LCM_STATE", 0)},
    "HOST": {"state": ("STATE", 0), "cid": ("CLUSTER_ID", 0)},
    "NET": {"pid": ("PARENT_NETWORK_ID", _NO_PARENT)},
    "DOCUMENT": {"type": ("TYPE", 0)},
    "HOOK": {"type": ("TYPE", 0)},
}
# What the short form of a VM repeats, in this order.
_SHORT = re.compile(
    r"<VM><ID>\d+</ID><UID>(\d+)</UID><GID>(\d+)</GID>.*?<STATE>(\d+)</STATE><LCM_STATE>(\d+)</LCM_STATE>",
    re.DOTALL,
)


class Difference(NamedTuple):
    """Columns of an object that do not say what its document says."""

    model: type[PoolObject]
    oid: int
    found: dict[str, Any]
    expected: dict[str, Any]

    def __str__(self) -> str:
        parts = [
            f"column {name} is {self.found[name]!r}, the document says {right!r}"
            for name, right in self.expected.items()
        ]
        return f"{self.model.LABEL} {self.oid}: {'; '.join(parts)}"


def names(model: type[PoolObject]) -> list[str]:
    """The columns of a kind that documents decide."""
    more = ("short_body",) if model is VM else ()
    return [*_BASE, *_EXTRA.get(model.KIND, {}), *more]


def differences(model: type[PoolObject], oid: int, stored: dict[str, Any], given: Fields) -> list[Difference]:
    """What an object's columns say otherwise than its document; one entry at most.

    Documents of some kinds have neither owner nor permissions; then nothing is known of these columns.
    """
    said = _said(model, given)
    short = stored.pop("short_body", None)
    wrong = {name: value for name, value in said.items() if stored[name] != value}
    found = {name: stored[name] for name in wrong}
    if model is VM and not wrong and not _fits(short, said):
        wrong, found = {"short_body": "another one"}, {"short_body": "of another state or owner"}
    return [Difference(model, oid, found, wrong)] if wrong else []


def fix(tx: Tx, model: type[PoolObject], oid: int) -> bool:
    """Make the columns of an object say what its document says; False when another object has its name."""
    wanted = names(model)
    row = consistency.locked_row(tx, model.TABLE, oid, wanted)
    if row is None:
        return True
    stored = dict(zip(wanted, row[2:], strict=True))
    for difference in differences(model, oid, dict(stored), fields(xmldoc.parse(row[1], model.KIND))):
        changes = dict(difference.expected)
        if _is_taken(tx, model, oid, {**stored, **changes}):
            return False
        if model is VM:
            forms = VM.load(tx, oid).columns()
            changes.update({part: forms[part] for part in ("short_body", "search_token")})
        pools.update(tx, model.TABLE, oid, changes)
    return True


def _is_taken(tx: Tx, model: type[PoolObject], oid: int, wanted: dict[str, Any]) -> bool:
    """Whether another object has the name already that the table allows only once."""
    if not model.UNIQUE_PER_OWNER and model.KIND not in _ONE_OF_A_NAME:
        return False
    uid = wanted["uid"] if model.UNIQUE_PER_OWNER else None
    return consistency.has_name(tx, model.TABLE, wanted["name"], uid, oid)


def fields(root: Element) -> Fields:
    """The children of a document's root, by name; the last of a name."""
    return {str(child.tag): child for child in root}


def whole(given: Fields, name: str, default: int = 0) -> int:
    """The whole number of an element, or the default when it is absent or empty. Raises ValueError."""
    element = given.get(name)
    return int(element.text) if element is not None and element.text else default


def text(given: Fields, name: str) -> str:
    """The text of an element, empty when it is absent."""
    element = given.get(name)
    return "" if element is None else element.text or ""


def _said(model: type[PoolObject], given: Fields) -> dict[str, Any]:
    said: dict[str, Any] = {"name": text(given, "NAME")}
    if model is User:
        said["uid"] = whole(given, "ID")
    for column in ("uid", "gid"):
        if text(given, column.upper()):
            said[column] = whole(given, column.upper())
    for part in given.get("PERMISSIONS", ()):
        if part.tag in _BITS:
            said[_BITS[str(part.tag)]] = int(part.text or 0)
    for column, (name, default) in _EXTRA.get(model.KIND, {}).items():
        if model is Hook:
            said[column] = int(HookType.find(text(given, name)) or HookType.STATE)
        else:
            said[column] = whole(given, name, default)
    return said


def _fits(short: str | None, said: dict[str, Any]) -> bool:
    """Whether the short form of a VM is of the same state and owner."""
    found = _SHORT.match(short or "")
    wanted = tuple(str(said.get(name, "")) for name in ("uid", "gid", "state", "lcm_state"))
    return found is not None and found.groups() == wanted
