"""OpenNebula's documents as JSON, whole ones and pools that are read on while they are sent."""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from services.common import xmldoc
from services.oned.api.http.shapes import OPEN, REPEATED_ATTRIBUTES, SHAPES, TEXT, Shape

_Element = xmldoc.etree._Element
# Documents that are lists, besides the pools.
_LISTS = {"HISTORY_RECORDS": "HISTORY", "MONITORING_DATA": "MONITORING", "SHOWBACK_RECORDS": "SHOWBACK"}
_DUMP = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dumps(value: Any) -> bytes:
    """The bytes of a JSON value."""
    return _DUMP(value).encode()


def from_xml(text: str) -> Any:
    """The JSON form of a document; what a list consists of is its ``items``."""
    root = xmldoc.parse(text)
    tag = item_tag(root.tag)
    if tag:
        items, others = _split(root, tag, item_shape(root.tag))
        return {"items": items, **_once(others)}
    return _fields(root, SHAPES.get(root.tag, OPEN))


def item_tag(root: str) -> str:
    """The tag of the elements that a document lists, or an empty text when it is no list."""
    return root.removesuffix("_POOL") if root.endswith("_POOL") else _LISTS.get(root, "")


def item_shape(root: str) -> Shape:
    """The shape of those elements."""
    tag = item_tag(root)
    return SHAPES[root].fields[tag] if root in _LISTS else SHAPES.get(tag, OPEN)


# -- pools -------------------------------------------------------------------------------------------------
def pool_chunks(
    root: str,
    batches: Iterable[list[str]],
    tail: str,
    *,
    skip: int = 0,
    size: int | None = None,
    offset: int = 0,
) -> Generator[bytes, None, None]:
    """The bytes of a pool in JSON: ``items``, ``next_offset``, then what else the pool holds.

    batches: texts of one or more elements each. skip: objects to leave out. size: objects to show; when there
    are more, ``next_offset`` says where they begin, counted from ``offset``.
    """
    shown, more = 0, False
    others: dict[str, list[Any]] = {}
    tag, shape = item_tag(root), item_shape(root)
    yield b'{"items":['
    rest_of_pool = iter(batches)
    for batch in rest_of_pool:
        items, rest = _split(xmldoc.parse(f"<_>{''.join(batch)}</_>"), tag, shape)
        for name, values in rest.items():
            others.setdefault(name, []).extend(values)
        passed = min(skip, len(items))
        skip -= passed
        room = len(items) if size is None else size - shown
        page = items[passed : passed + room]
        more = len(items) - passed > room
        if page:
            yield (b"," if shown else b"") + b",".join(map(dumps, page))
            shown += len(page)
        if more:
            if isinstance(rest_of_pool, Generator):
                rest_of_pool.close()
            break
    if tail:
        others |= _split(xmldoc.parse(f"<_>{tail}</_>"), tag, shape)[1]
    ending: dict[str, Any] = {} if size is None else {"next_offset": offset + shown if more else None}
    ending |= _once(others)
    yield b"]" + (b"," + dumps(ending)[1:] if ending else b"}")


def texts(document: str) -> Iterator[list[str]]:
    """The elements below the root of a document, as the batches of a pool."""
    for child in xmldoc.parse(document):
        yield [xmldoc.etree.tostring(child, encoding="unicode", with_tail=False)]


def _split(parent: _Element, tag: str, shape: Shape) -> tuple[list[Any], dict[str, list[Any]]]:
    """The elements that a list consists of, and what else is there, by name."""
    items: list[Any] = []
    others: dict[str, list[Any]] = {}
    for child in parent:
        if child.tag == tag:
            items.append(_fields(child, shape))
        else:
            others.setdefault(child.tag, []).append(_value(child, SHAPES.get(child.tag, TEXT)))
    return items, others


def _once(others: dict[str, list[Any]]) -> dict[str, Any]:
    """Quotas come once for each user or group, the default ones once for all."""
    return {name: found[0] if name.startswith("DEFAULT_") else found for name, found in others.items()}


# -- elements ----------------------------------------------------------------------------------------------
def _value(element: _Element, shape: Shape) -> Any:
    if shape.kind in ("fields", "open"):
        return _fields(element, shape)
    if len(element):
        return _fields(element, OPEN)
    text = element.text or ""
    return text if shape.kind == "text" else _number(text, shape.kind)


def _number(text: str, kind: str) -> Any:
    """The number of a text; None for an empty one, and the text itself where it is no number after all."""
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _fields(element: _Element, shape: Shape) -> dict[str, Any]:
    fields = shape.fields
    is_open = shape.kind == "open"
    found: dict[str, Any] = {}
    for child in element:
        name = child.tag
        known = fields.get(name)
        value = _value(child, known or TEXT)
        if known.is_list if known else (is_open and name in REPEATED_ATTRIBUTES):
            found.setdefault(name, []).append(value)
        elif name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    for name in shape.lists:
        found.setdefault(name, [])
    return found
