"""Pieces that several ``show`` views share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import table, template_text
from services.cli.documents import ids_of, number_of, text_of

_LOCKS = {"1": "Use", "2": "Manage", "3": "Admin", "4": "All"}


class Page:
    """Lines of a ``show``; ``width`` is that of the names before the colon."""

    def __init__(self, inv: Any, width: int) -> None:
        self.lines: list[str] = []
        self.width = width
        self._styled = inv.is_styled

    def head(self, text: str, width: int = 80) -> None:
        """The head of a section."""
        self.lines.append(table.heading(text, self._styled, width))

    def field(self, name: str, value: object) -> None:
        """``NAME   : value``."""
        self.lines.append(f"{name:<{self.width}}: {value!s:<20}")

    def blank(self) -> None:
        """An empty line."""
        self.lines.append("")

    def add(self, lines: Sequence[str]) -> None:
        """Lines as they are."""
        self.lines.extend(lines)

    def table(self, columns: Sequence[table.Column], rows: Sequence[Sequence[str]]) -> None:
        """A small table."""
        self.lines.extend(table.lines(columns, rows, styled=self._styled, state_column=""))

    def owner(self, element: Element) -> None:
        """ID, NAME, USER and GROUP."""
        self.field("ID", text_of(element, "ID"))
        self.field("NAME", text_of(element, "NAME"))
        self.field("USER", text_of(element, "UNAME"))
        self.field("GROUP", text_of(element, "GNAME"))

    def permissions(self, element: Element) -> None:
        """The section PERMISSIONS."""
        self.head("PERMISSIONS")
        found = element.find("PERMISSIONS")
        for who in ("OWNER", "GROUP", "OTHER"):
            bits = (
                letter if found is not None and found.findtext(f"{who}_{letter.upper()}") == "1" else "-"
                for letter in "uma"
            )
            self.field(who, "".join(bits))

    def template(self, head: str, element: Element | None, without: tuple[str, ...] = ()) -> None:
        """A section with a template's attributes."""
        self.head(head)
        text = template_text.from_element(element, without) if element is not None else ""
        if text:
            self.lines.append(text)

    def id_list(self, head: str, element: Element, tag: str) -> None:
        """A section with one id a line."""
        self.head(head, 15)
        self.lines.extend(f"{oid:<15}" for oid in ids_of(element, tag))


def lock_text(element: Element) -> str:
    """``None``, or the level of the lock."""
    level = text_of(element, "LOCK/LOCKED")
    return _LOCKS.get(level, level) if level else "None"


def dash(text: str) -> str:
    """The text, or ``-`` when there is none."""
    return text or "-"


def user_text(element: Element, look: Any) -> str:
    """Owner's name, or id with --numeric."""
    return element.findtext("UID" if look.numeric else "UNAME", "")


def group_text(element: Element, look: Any) -> str:
    """Group's name, or id with --numeric."""
    return element.findtext("GID" if look.numeric else "GNAME", "")


def plain(tag: str) -> Any:
    """A column function: the text of that element."""

    def value(element: Element, _look: Any) -> str:
        return element.findtext(tag, "")

    return value


def joined(tag: str) -> Any:
    """A column function: the ids below that element, joined by commas."""

    def value(element: Element, _look: Any) -> str:
        return ",".join(ids_of(element, tag))

    return value


def counted(tag: str) -> Any:
    """A column function: how many ids there are below that element."""

    def value(element: Element, _look: Any) -> str:
        return str(len(ids_of(element, tag)))

    return value


def percent(part: Element, used: str, total: str) -> int:
    """Used of total, in whole percents rounded down."""
    whole = number_of(part, total)
    return number_of(part, used) * 100 // whole if whole else 0
