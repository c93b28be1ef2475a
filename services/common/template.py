"""OpenNebula's template: a multi-map of attributes, each a text or a vector of named texts.

Both input forms are read: ``NAME = "value"`` / ``NAME = [ A = "1", B = "2" ]`` with ``#`` comments, and XML.
Names are stored in upper case. Documents list attributes by name, and a vector's parts by name, as
OpenNebula's own documents do; attributes of the same name keep their order.

Source: template syntax page (operation references) and the bodies of real databases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from services.common import xmldoc
from services.common.template_text import TemplateError, Value, Vector, parse_text

__all__ = ["Template", "TemplateError", "TemplateValueError", "Value", "Vector", "is_yes"]

_XML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_\-.]*\Z")


class TemplateValueError(ValueError):
    """An attribute whose value is not of the expected kind; the message names attribute and value."""


class Template:
    """A multi-map of upper-case names; see the module text."""

    __slots__ = ("_entries",)

    def __init__(self, entries: list[tuple[str, Value]] | None = None) -> None:
        self._entries: list[tuple[str, Value]] = []
        for name, value in entries or []:
            self.add(name, value)

    # -- reading -------------------------------------------------------------------------------------
    @classmethod
    def parse(cls, text: str) -> Template:
        """The template of a text in either form. Raises TemplateError with line and column."""
        if text.startswith("<"):
            try:
                return cls.from_element(xmldoc.parse(text, "template"))
            except xmldoc.XmlError as error:
                raise TemplateError(str(error)) from None
        return cls(parse_text(text))

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element | None) -> Template:
        """The template below an XML element; None gives an empty one.

        As OpenNebula reads XML: an element without content is no attribute (an empty CDATA section is an
        empty one), and the parts of vectors keep the case of their names.
        """
        template = cls()
        for child in element if element is not None else ():
            if len(child):
                vector = {str(part.tag): part.text for part in child if part.text is not None}
                template._append(str(child.tag), vector)
            elif child.text is not None:
                template._append(str(child.tag), child.text)
        return template

    def get(self, name: str) -> str | None:
        """The first text of that name, or None."""
        for key, value in self._entries:
            if key == name and isinstance(value, str):
                return value
        return None

    def get_vector(self, name: str) -> Vector | None:
        """The first vector of that name, or None."""
        for key, value in self._entries:
            if key == name and isinstance(value, dict):
                return value
        return None

    def get_all(self, name: str) -> list[Value]:
        """Every value of that name, in order."""
        return [value for key, value in self._entries if key == name]

    def vectors(self, name: str) -> list[Vector]:
        """Every vector of that name, in order; the vectors themselves, so changes are kept."""
        return [value for key, value in self._entries if key == name and isinstance(value, dict)]

    def get_int(self, name: str, default: int | None = None) -> int | None:
        """The number in a text, or the default when absent. Raises TemplateValueError."""
        text = self.get(name)
        if text is None or text == "":
            return default
        try:
            return int(text)
        except ValueError:
            raise TemplateValueError(f"{name} must be an integer, found {text[:40]!r}") from None

    def get_float(self, name: str, default: float | None = None) -> float | None:
        """The number in a text, or the default when absent. Raises TemplateValueError."""
        text = self.get(name)
        if text is None or text == "":
            return default
        try:
            number = float(text)
        except ValueError:
            raise TemplateValueError(f"{name} must be a number, found {text[:40]!r}") from None
        if number != number or number in (float("inf"), float("-inf")):
            raise TemplateValueError(f"{name} must be a finite number, found {text[:40]!r}")
        return number

    def get_bool(self, name: str, default: bool = False) -> bool:
        """YES, TRUE, Y, T or 1 (any case) is true; absent gives the default."""
        text = self.get(name)
        return default if text is None else is_yes(text)

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._entries)

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and self._sorted() == other._sorted()

    __hash__ = None  # type: ignore[assignment]  # mutable

    def names(self) -> set[str]:
        """The names that occur."""
        return {key for key, _ in self._entries}

    # -- changing ------------------------------------------------------------------------------------
    def add(self, name: str, value: Value) -> None:
        """Add one more value. Raises TemplateError for a name that XML cannot carry."""
        if isinstance(value, dict):
            value = {_checked(part): text for part, text in value.items()}
        self._append(name, value)

    def _append(self, name: str, value: Value) -> None:
        if name[:1].isdigit() or name[:3] == "XML":
            name = f"ONE_{name}"  # as OpenNebula makes it a name that XML can carry
        self._entries.append((_checked(name), value))

    def set(self, name: str, value: Value) -> None:
        """Replace every value of that name by one."""
        self.remove(name.upper())
        self.add(name, value)

    def remove(self, name: str) -> int:
        """Drop every value of that name; how many there were."""
        before = len(self._entries)
        self._entries = [entry for entry in self._entries if entry[0] != name]
        return before - len(self._entries)

    def keep_last(self) -> None:
        """Drop all values of each name but the last one, as OpenNebula does for images and users."""
        last = dict(self._entries)
        self._entries = list(last.items())

    def merge(self, other: Template) -> None:
        """Take the other's attributes; a name that it has replaces all of ours."""
        replaced = other.names()
        self._entries = [entry for entry in self._entries if entry[0] not in replaced]
        self._entries.extend(other.copy()._entries)

    def copy(self) -> Template:
        """An independent copy."""
        twin = Template()
        twin._entries = [(key, dict(v) if isinstance(v, dict) else v) for key, v in self._entries]
        return twin

    # -- writing -------------------------------------------------------------------------------------
    def _sorted(self) -> list[tuple[str, Value]]:
        return sorted(self._entries, key=lambda entry: entry[0])

    def to_xml(self, root: str = "TEMPLATE") -> str:
        """The XML text in OpenNebula's form: sorted names, values as CDATA."""
        parts = []
        for name, value in self._sorted():
            if isinstance(value, str):
                parts.append(f"<{name}>{xmldoc.cdata(value)}</{name}>")
            elif value:  # a vector without parts is kept but not shown
                inner = "".join(f"<{part}>{xmldoc.cdata(value[part])}</{part}>" for part in sorted(value))
                parts.append(f"<{name}>{inner}</{name}>")
        return f"<{root}>{''.join(parts)}</{root}>"

    def to_text(self) -> str:
        """The template in ``NAME="value"`` form, one attribute a line."""
        lines = []
        for name, value in self._sorted():
            if isinstance(value, str):
                lines.append(f"{name}={_quote(value)}")
            else:
                inner = ",\n".join(f"  {part}={_quote(value[part])}" for part in sorted(value))
                lines.append(f"{name}=[\n{inner} ]")
        return "\n".join(lines)


def is_yes(text: str) -> bool:
    """Whether a text means yes in OpenNebula's documents."""
    return text.strip().upper() in ("YES", "Y", "TRUE", "T", "1")


def _quote(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


@lru_cache(maxsize=4096)  # documents repeat the same few hundred names
def _checked(name: str) -> str:
    if not _XML_NAME.match(name):
        raise TemplateError(
            f"attribute name {name[:40]!r} must start with a letter and hold letters, digits, _ - ."
        )
    return name.upper()
