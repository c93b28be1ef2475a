"""Looking attributes up in the document of a host or a datastore, by the names that expressions use.

A plain name is sought in a fixed order of places and the first place that has it answers; ``A/B`` names an
element below those places, ``/HOST/A/B`` one from the root. Only the names that some expression uses are
ever looked up, and each once a cycle.

Source: requirement expression syntax; the order of places was seen at a real 6.0 front-end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml import etree

HOST_PLACES = (
    "TEMPLATE/", "HOST_SHARE/", "HOST_SHARE/DATASTORES/", "MONITORING/CAPACITY/", "MONITORING/SYSTEM/", "",
    "MONITORING/",
)  # fmt: skip
DATASTORE_PLACES = NETWORK_PLACES = ("TEMPLATE/", "")


class Attributes:
    """The values of one object's attributes; ``parent`` (a host's cluster) is asked last."""

    __slots__ = ("_element", "_known", "_parent", "_places")

    def __init__(
        self, element: etree._Element, places: Sequence[str], parent: etree._Element | None = None
    ) -> None:
        self._element = element
        self._places = places
        self._parent = parent
        self._known: dict[str, tuple[str, ...]] = {}

    def values(self, name: str) -> tuple[str, ...]:
        """The texts of that attribute in document order, empty when there is none."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._find(name)
        return known

    def _find(self, name: str) -> tuple[str, ...]:
        if name.startswith("/"):
            root, _, path = name[1:].partition("/")
            return _texts(self._element.iterfind(path)) if path and root == self._element.tag else ()
        for place in self._places:
            found = _texts(self._element.iterfind(place + name))
            if found:
                return found
        return _texts(self._parent.iterfind("TEMPLATE/" + name)) if self._parent is not None else ()


def _texts(elements: Iterable[etree._Element]) -> tuple[str, ...]:
    return tuple((element.text or "").strip() for element in elements if not len(element))
