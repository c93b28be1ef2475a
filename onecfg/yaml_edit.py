"""Small edits of a YAML text; each returns the new text, and leaves all other lines as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from onecfg import yaml_render
from onecfg.document import line_end, line_start, with_line
from onecfg.errors import ChangeError
from onecfg.yaml_nodes import Tree


def is_block(node: Node) -> bool:
    """Whether a map or list is written over several lines, one entry a line, and has an entry."""
    return isinstance(node, MappingNode | SequenceNode) and not node.flow_style and bool(node.value)


def is_root(tree: Tree, node: Node) -> bool:
    """Whether a node is the whole file."""
    return node is tree.root


def replace(tree: Tree, owner: MappingNode, key: str, value: Any) -> str:
    """Another value for a key that is there."""
    text = tree.text
    key_node, old = next(pair for pair in owner.value if pair[0].value == key)
    if owner.flow_style:
        return text[: tree.start(old)] + yaml_render.flow(value) + text[tree.end(old) :]
    colon = text.index(":", tree.end(key_node)) + 1
    end = max(tree.end(old), colon)
    if isinstance(value, dict | list) and value:
        lines = yaml_render.block(value, tree.column(key_node) + 2)
        if is_block(old):
            return text[:colon] + "".join(f"\n{line}" for line in lines) + text[end:]
        text = text[:colon] + text[end:]
        return with_line(text, line_end(text, colon), "\n".join(lines))
    written = yaml_render.flow(value) if isinstance(value, dict | list) else yaml_render.scalar(value)
    is_inline = not is_block(old) and not _is_nothing(tree, old)
    if is_inline and written:
        return text[: tree.start(old)] + written + text[end:]
    return text[:colon] + (f" {written}" if written else "") + text[end:]


def insertions(tree: Tree, owner: MappingNode | None, key: str, value: Any) -> Iterator[str]:
    """The text with a further key, at its preferred place first. owner: None for a file without content."""
    text = tree.text
    if owner is None or (is_root(tree, owner) and not owner.value):
        if owner is not None:  # {}
            text = text[: tree.start(owner)] + text[tree.end(owner) :]
            text = re.sub(r"\n[ \t]*\n\Z", "\n", text) if text.strip() else ""
        yield with_line(text, len(text), "\n".join(yaml_render.entry(key, value, 0)))
        return
    if owner.flow_style:
        entry = f"{yaml_render.key(key)}: {yaml_render.flow(value)}"
        if owner.value:
            end = tree.end(owner.value[-1][1])
            yield text[:end] + f", {entry}" + text[end:]
        else:
            yield text[: tree.start(owner)] + f"{{ {entry} }}" + text[tree.end(owner) :]
        return
    column = tree.column(owner.value[0][0])
    line = "\n".join(yaml_render.entry(key, value, column))
    if is_root(tree, owner):
        for match in re.finditer(rf"(?m)^#[ \t]*{re.escape(key)}:(?:[ \t].*)?$", text):
            yield with_line(text, _comment_end(text, line_end(text, match.end())), line)
            break
    yield with_line(text, _region_end(text, tree.end(owner), column), line)


def remove(tree: Tree, owner: MappingNode, key: str) -> str:
    """The text without a key; not for the last key of a map that is written as lines."""
    text = tree.text
    at = next(at for at, pair in enumerate(owner.value) if pair[0].value == key)
    key_node, value = owner.value[at]
    if owner.flow_style:
        return _without_item(tree, [pair[0] for pair in owner.value], [pair[1] for pair in owner.value], at)
    start = line_start(text, tree.start(key_node))
    if text[start : tree.start(key_node)].strip():
        raise ChangeError("the key shares its line with something else")
    colon = text.index(":", tree.end(key_node)) + 1
    return text[:start] + text[line_end(text, max(colon, tree.end(value))) :]


def append(tree: Tree, items: SequenceNode, value: Any, owner_column: int) -> str:
    """The text with a further item at the end of a list. owner_column: where the key of the list starts."""
    text = tree.text
    if items.flow_style or not items.value:
        if not items.value:
            return text[: tree.start(items)] + yaml_render.flow([value]) + text[tree.end(items) :]
        end = tree.end(items.value[-1])
        return text[:end] + f", {yaml_render.flow(value)}" + text[end:]
    column = tree.column(items)
    line = "\n".join(yaml_render.block([value], column))
    if column <= owner_column:  # comments below may belong to the next key
        return with_line(text, line_end(text, tree.end(items)), line)
    return with_line(text, _region_end(text, tree.end(items), column), line)


def insert_item(tree: Tree, items: SequenceNode, at: int, value: Any) -> str:
    """The text with a further item before the one at a place."""
    text = tree.text
    if items.flow_style:
        start = tree.start(items.value[at])
        return text[:start] + f"{yaml_render.flow(value)}, " + text[start:]
    start = line_start(text, _dash(tree, items, at))
    return with_line(text, start, "\n".join(yaml_render.block([value], tree.column(items))))


def remove_item(tree: Tree, items: SequenceNode, at: int) -> str:
    """The text without an item; not for the last item of a list that is written as lines."""
    text = tree.text
    if items.flow_style:
        return _without_item(tree, items.value, items.value, at)
    dash = _dash(tree, items, at)
    start = line_start(text, dash)
    if text[start:dash].strip():
        raise ChangeError("the item shares its line with something else")
    return text[:start] + text[line_end(text, max(dash, tree.end(items.value[at]))) :]


def _without_item(tree: Tree, firsts: list[Node], lasts: list[Node], at: int) -> str:
    """Within brackets: an item goes with the comma behind it, the last one with the comma before it."""
    text = tree.text
    if at + 1 < len(firsts):
        return text[: tree.start(firsts[at])] + text[tree.start(firsts[at + 1]) :]
    start = tree.end(lasts[at - 1]) if at else tree.start(firsts[at])
    return text[:start] + text[tree.end(lasts[at]) :]


def _dash(tree: Tree, items: SequenceNode, at: int) -> int:
    column = tree.column(items)
    start = line_start(tree.text, tree.start(items.value[at]))
    while start > 0 and tree.text[start + column : start + column + 1] != "-":
        start = line_start(tree.text, start - 1)
    return start + column


def _region_end(text: str, content_end: int, column: int) -> int:
    """Behind a map or list: after its last line, and after comments below it that are indented as it is."""
    at = found = line_end(text, content_end)
    while at < len(text):
        line = text[at : line_end(text, at)]
        indent = len(line) - len(line.lstrip(" "))
        if line.strip() and not (line.lstrip().startswith("#") and indent >= column):
            break
        at += len(line)
        found = at if line.strip() else found
    return found


def _comment_end(text: str, at: int) -> int:
    """Behind the lines that continue a commented-out entry."""
    while re.match(r"#[ \t]*-[ \t]|#(?:[ \t]{3,}|[ \t]*:?\w+:.*\n(?=#[ \t]{3,}))", text[at:]):
        at = line_end(text, at)
    return at


def _is_nothing(tree: Tree, node: Node) -> bool:
    return isinstance(node, ScalarNode) and tree.start(node) == tree.end(node)
