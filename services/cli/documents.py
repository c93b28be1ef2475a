"""Documents of the front-end as element trees, whole or piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from services.cli.errors import CliError
from services.cli.kinds import Kind


def parse(text: str) -> Element:
    """The root of a document. Raises CliError when it is not XML."""
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise CliError(f"The front-end's answer is not well-formed XML: {error}") from None


def members(text: str, kind: Kind) -> list[Element]:
    """The objects of a pool document, in its order."""
    return parse(text).findall(kind.element)


class PoolReader:
    """Takes a pool document in pieces and calls ``use`` with each member once it is complete.

    Memory stays bounded by a piece, however large the pool is. Members are cut at their closing tag; where
    that text occurs inside a member (CDATA may hold anything) the cut is not well-formed and is put off.
    """

    def __init__(self, kind: Kind, use: Callable[[Element], object]) -> None:
        self._closing = f"</{kind.element}>"
        self._opening = f"<{kind.pool_element}>"
        self._use = use
        self._pending: list[str] = []
        self._is_first = True

    def feed(self, text: str) -> None:
        """Take the next piece."""
        if self._closing not in text and not self._is_first:
            self._pending.append(text)
            return
        buffer = "".join(self._pending) + text
        if self._is_first:
            if not buffer.startswith(self._opening):
                self._pending = [buffer]
                return
            buffer = buffer[len(self._opening) :]
            self._is_first = False
        self._pending = [self._consume(buffer)]

    def finish(self) -> None:
        """Tell that the document is complete. Raises CliError when it was cut off."""
        rest = "".join(self._pending)
        if self._is_first:
            self._is_first = False
            for member in parse(rest):  # an empty pool, or one with a declaration in front
                self._use(member)
            return
        left = self._consume(rest) if self._closing in rest else rest
        if left.strip() != self._opening.replace("<", "</"):
            raise CliError("The front-end's answer is not a complete pool.")

    def _consume(self, buffer: str) -> str:
        """Use the members up to the last closing tag; what follows it."""
        cut = buffer.rfind(self._closing) + len(self._closing)
        if cut < len(self._closing):
            return buffer
        try:
            root = ElementTree.fromstring(f"<POOL>{buffer[:cut]}</POOL>")
        except ElementTree.ParseError:
            return buffer
        for member in root:
            self._use(member)
        return buffer[cut:]


def text_of(element: Element, path: str, default: str = "") -> str:
    """The text at a path of tags, or the default when there is none or it is empty."""
    found: Element | None = element
    for tag in path.split("/"):
        found = found.find(tag) if found is not None else None
    return (found.text or default) if found is not None else default


def number_of(element: Element, path: str) -> int:
    """The whole number at a path, 0 when there is none."""
    text = text_of(element, path)
    try:
        return int(text)
    except ValueError:
        try:
            return int(float(text))
        except (ValueError, OverflowError):
            return 0


def ids_of(element: Element, tag: str) -> list[str]:
    """The ids listed below a tag (HOSTS, CLUSTERS, IMAGES ...)."""
    found = element.find(tag)
    return [child.text or "" for child in found] if found is not None else []


def walk(element: Element) -> Iterator[tuple[str, str | list[tuple[str, str]]]]:
    """The attributes of a template: (name, text) and (name, [(name, text)...])."""
    for child in element:
        if len(child):
            yield child.tag, [(part.tag, part.text or "") for part in child]
        else:
            yield child.tag, child.text or ""
