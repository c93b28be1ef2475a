"""Variables in values: ``$NAME``, ``$DISK[TARGET]``, ``$NETWORK[DNS, NETWORK_ID="0"]``, ``$FILE[IMAGE="x"]``.

A variable ends at the first character that cannot belong to it; ``\\$`` stays as it is. What has no value is
replaced by nothing. Source: template variables of the virtual machine template reference of release 6.0.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import NoReturn

from services.common import xmldoc
from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.lifecycle.numbers import whole
from services.oned.model.image import Image
from services.oned.model.user import User
from services.oned.model.vm import VM
from services.oned.model.vnet import VirtualNetwork
from services.oned.store import Tx, pools

_PLAIN = re.compile(r"(?:[^$\\]|\\.)+", re.DOTALL)
_WORD = re.compile(r"[A-Za-z0-9_]+")
# Within a variable, blanks around these are part of them.
_MARKS = {
    "=": re.compile(r"[ \t]*=[ \t]*"),
    ",": re.compile(r"[ \t]*,[ \t]*"),
    "[": re.compile(r"\[[ \t]*"),
    "]": re.compile(r"[ \t]*\]"),
}
_VALUE = re.compile(r'"([^"]*)"|([A-Za-z0-9]+)')
_NETWORK_KEYS = ("NETWORK", "NETWORK_ID", "NIC_ID")
_IMAGE_KEYS = ("IMAGE", "IMAGE_ID")


@dataclass(frozen=True, slots=True)
class Variable:
    """``$NAME``, ``$NAME[PART]``, ``$NAME[PART, KEY=VALUE]`` or, of files, ``$NAME[KEY=VALUE, …]``."""

    name: str
    part: str = ""
    conditions: tuple[tuple[str, str], ...] = ()
    end: str = ""  # the character that ended it, which belongs to the text


def substitute(tx: Tx, vm: VM, text: str, documents: Documents | None = None) -> str:
    """The text with its variables replaced. Raises RequestError when it cannot be read.

    documents: what earlier calls for the same VM have read, to be used again.
    """
    documents = documents or Documents(tx)
    return "".join(_text_of(vm, piece, documents) for piece in _pieces(text))


def substitute_vector(tx: Tx, vm: VM, vector: Vector, documents: Documents | None = None) -> Vector:
    """A copy of a vector with the variables of its values replaced. Raises RequestError."""
    documents = documents or Documents(tx)
    return {
        name: substitute(tx, vm, text, documents) if "$" in text or "\\" in text else text
        for name, text in vector.items()
    }


def file_conditions(text: str) -> list[dict[str, str]]:
    """The image that each ``$FILE[IMAGE="x", IMAGE_UNAME="y"]`` of a text asks for.

    Raises RequestError for anything else in the text.
    """
    wanted = []
    for piece in _pieces(text.lstrip(" \t\n\v\f\r")):
        if isinstance(piece, str) or piece.part or not piece.conditions:
            raise RequestError(f'Error parsing: {text[:80]}. Expected $FILE[IMAGE="…"] or $FILE[IMAGE_ID=…].')
        if piece.name != "FILE":
            raise RequestError(f"Error parsing: {text[:80]}. Must use FILE variable for attribute.")
        wanted.append(dict(piece.conditions))
    return wanted


# -- reading -----------------------------------------------------------------------------------------------
def _pieces(text: str) -> list[str | Variable]:
    """Plain text and variables, in order. Raises RequestError naming the place."""
    pieces: list[str | Variable] = []
    at = 0
    if not text:
        raise RequestError("Error parsing: the value is empty, expected text or variables.")
    while at < len(text):
        plain = _PLAIN.match(text, at)
        if plain is not None:
            pieces.append(plain.group())
            at = plain.end()
        elif text[at] == "$":
            at = _variables(text, at + 1, pieces)
        else:  # a backslash at the very end
            pieces.append(text[at])
            at += 1
    return pieces


def _variables(text: str, at: int, pieces: list[str | Variable]) -> int:
    """Read one variable, and those that follow it at once (``$A$B``); where plain text goes on."""
    while True:
        variable, at = _Reader(text, at).variable()
        if variable.end != "$":
            pieces.append(variable)
            return at
        pieces.append(Variable(variable.name, variable.part, variable.conditions))


class _Reader:
    """Reads one variable from behind its dollar sign."""

    def __init__(self, text: str, at: int) -> None:
        self._text, self._at = text, at

    def variable(self) -> tuple[Variable, int]:
        name = self._word().upper()
        if not self._mark("["):
            return Variable(name, end=self._end()), self._at
        first = self._word().upper()
        conditions: list[tuple[str, str]] = []
        part = first
        if self._mark("="):
            part = ""
            conditions.append((first, self._quoted()))
        if self._mark(","):
            key = self._word().upper()
            self._require("=")
            conditions.append((key, self._quoted()))
        self._require("]")
        return Variable(name, part, tuple(conditions), self._end()), self._at

    def _word(self) -> str:
        self._skip_lines()
        word = _WORD.match(self._text, self._at)
        if word is None:
            self._fail("a name")
        self._at = word.end()
        return word.group()

    def _quoted(self) -> str:
        self._skip_lines()
        value = _VALUE.match(self._text, self._at)
        if value is None:
            self._fail("a value")
        self._at = value.end()
        return value.group(1) if value.group(1) is not None else value.group(2)

    def _mark(self, mark: str) -> bool:
        self._skip_lines()
        found = _MARKS[mark].match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found is not None

    def _require(self, mark: str) -> None:
        if not self._mark(mark):
            self._fail(mark)

    def _end(self) -> str:
        """The character behind the variable; it must not look like more of it."""
        self._skip_lines()
        if self._at >= len(self._text):
            return ""
        if any(mark.match(self._text, self._at) for mark in _MARKS.values()):
            self._fail("the end of the variable")
        if _WORD.match(self._text, self._at):
            self._fail("the end of the variable")
        self._at += 1
        return self._text[self._at - 1]

    def _skip_lines(self) -> None:
        # Ends of lines within and right behind a variable are passed over, as OpenNebula does.
        while self._text[self._at : self._at + 1] == "\n":
            self._at += 1

    def _fail(self, expected: str) -> NoReturn:
        found = repr(self._text[self._at]) if self._at < len(self._text) else "the end"
        shown = self._text if len(self._text) <= 80 else f"{self._text[:77]}..."
        raise RequestError(
            f"Error parsing: {shown}. Expected {expected} at column {self._at + 1}, found {found}; "
            "write \\$ for a dollar sign."
        )


# -- values ------------------------------------------------------------------------------------------------
@dataclass
class Documents:
    """What variables have read so far, each object once."""

    tx: Tx
    _read: dict[tuple[str, int], xmldoc.etree._Element | None] = field(default_factory=dict)

    def element(self, table: str, oid: int) -> xmldoc.etree._Element | None:
        """The parsed document of an object, or None."""
        key = (table, oid)
        if key not in self._read:
            body = pools.body(self.tx, table, oid)
            self._read[key] = None if body is None else xmldoc.parse(body, table)
        return self._read[key]

    def attribute(self, table: str, oid: int, name: str) -> str:
        """An attribute of an object's template; TEMPLATE is the whole document in base64."""
        if name == "TEMPLATE":
            body = pools.body(self.tx, table, oid)
            return "" if body is None else _base64(body)
        element = self.element(table, oid)
        template = None if element is None else element.find("TEMPLATE")
        return "" if template is None else Template.from_element(template).get(name) or ""


def _text_of(vm: VM, piece: str | Variable, documents: Documents) -> str:
    return piece if isinstance(piece, str) else _value(vm, piece, documents) + piece.end


def _value(vm: VM, variable: Variable, documents: Documents) -> str:
    if not variable.part and not variable.conditions:
        return _single(vm, variable.name)
    if not variable.part or len(variable.conditions) > 1:
        raise RequestError(
            f"Error parsing: ${variable.name}: expected [ATTRIBUTE] or [ATTRIBUTE, KEY=VALUE] behind it."
        )
    key, wanted = variable.conditions[0] if variable.conditions else ("", "")
    if variable.name == "NETWORK":
        return network_attribute(vm, variable.part, key, wanted, documents)
    if variable.name == "IMAGE":
        return _of_image(vm, variable.part, key, wanted, documents)
    if variable.name == "USER":
        return documents.attribute(User.TABLE, vm.uid, variable.part)
    vectors = vm.template.vectors(variable.name)
    found = next((v for v in vectors if not key or v.get(key, "") == wanted), None)
    return "" if found is None else found.get(variable.part, "")


def _single(vm: VM, name: str) -> str:
    known = {"UID": str(vm.uid), "GID": str(vm.gid), "UNAME": vm.uname, "GNAME": vm.gname, "NAME": vm.name}
    if name in known:
        return known[name]
    if name == "TEMPLATE":
        return _base64(vm.to_xml())
    return vm.template.get(name) or vm.user_template.get(name) or ""


def _of_image(vm: VM, part: str, key: str, wanted: str, documents: Documents) -> str:
    """Of an image that a disk of the VM uses; others are none of the VM's business."""
    if key not in _IMAGE_KEYS:
        return ""
    disk = next((d for d in vm.template.vectors("DISK") if d.get(key, "") == wanted), {})
    image_id = whole(disk.get("IMAGE_ID"))
    return "" if image_id is None else documents.attribute(Image.TABLE, image_id, part)


def network_attribute(vm: VM, part: str, key: str, wanted: str, documents: Documents) -> str:
    """What the network of one of the VM's NICs says, its address range before the network itself.

    key: which attribute of the NIC (NETWORK, NETWORK_ID, NIC_ID) must have the value ``wanted``.
    """
    if key not in _NETWORK_KEYS:
        return ""
    found: Vector = {}
    for kind in ("NIC", "NIC_ALIAS"):
        found = next((v for v in vm.template.vectors(kind) if v.get(key, "") == wanted), found)
    network_id, range_id = whole(found.get("NETWORK_ID")), whole(found.get("AR_ID"))
    if network_id is None or range_id is None:
        return ""
    if part != "TEMPLATE":
        network = documents.element(VirtualNetwork.TABLE, network_id)
        for address_range in () if network is None else network.iterfind("AR_POOL/AR"):
            if address_range.findtext("AR_ID") == str(range_id) and address_range.findtext(part):
                return address_range.findtext(part) or ""
    return documents.attribute(VirtualNetwork.TABLE, network_id, part)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
