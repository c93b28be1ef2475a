"""Pieces that several ``show`` views share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import table, template_text
from services.cli.documents import ids_of, number_of, text_of

_LOOSE_SIZE = 5
_LOCKS = {"1": "Use", "2": "Manage", "3": "Admin", "4": "All"}


class Page:
    """Lines of a ``show``; ``width`` is that of the names before the colon."""

    def __init__(self, inv: Any, width: int) -> None:
        self.lines: list[str] = []
        self.width = width
        self._styled = inv.is_styled

    def head(self, text: str, width: int = 80, underlined: bool | None = None) -> None:
        """The head of a section; unless told otherwise only that of the page is underlined."""
        is_first = not self.lines if underlined is None else underlined
        self.lines.append(table.heading(text, self._styled, width, is_first))

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

    def permissions(self, element: Element, blank: bool = False) -> None:
        """The section PERMISSIONS; blank: an empty line below its head, as VM groups have."""
        self.head("PERMISSIONS")
        if blank:
            self.blank()
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
        self.lines.append(template_text.from_element(element, without) if element is not None else "")

    def id_list(self, head: str, element: Element, tag: str) -> None:
        """A section with one id a line."""
        self.head(head, 15, underlined=True)
        self.lines.extend(f"{oid:<15}" for oid in ids_of(element, tag))


def loose_table(
    names: Sequence[str], rows: Sequence[Sequence[str]], styled: bool, left: Sequence[int] = ()
) -> list[str]:
    """A table whose right-aligned columns are as wide as their texts; longer names stand out.

    left: widths of the first columns, which are aligned left and cut.
    """
    fixed = len(left)
    sizes = [max([_LOOSE_SIZE, *(len(row[at]) for row in rows)]) for at in range(fixed, len(names))]
    form = " ".join([*(f"%-{size}.{size}s" for size in left), *(f"%{size}s" for size in sizes)])
    return [table.heading(form % tuple(names), styled, 0), *((form % tuple(row)).rstrip() for row in rows)]


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
