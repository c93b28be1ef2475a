"""A YAML file as data and as places in its text. What begins with a colon is a symbol of Ruby."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from onecfg.errors import ParseError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KINDS = ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map")
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what the reader counts as one
MAX_DEPTH = 60
MAX_VALUES = 200_000  # with every alias written out


class AliasNode(Node):  # type: ignore[misc]
    """A place that names something written elsewhere (``*name``)."""

    id = "alias"

    def __init__(self, target: Node, start_mark: Any, end_mark: Any) -> None:
        super().__init__(target.tag, target.value, start_mark, end_mark)
        self.target = target


def followed(node: Node | None) -> Node | None:
    """The node itself, or what an alias names."""
    return node.target if isinstance(node, AliasNode) else node


class Tree:
    """The parsed text: ``data`` (maps, lists, text, numbers, true, false, None) and the root node.

    What an alias names is one object at both places, so that a change of it shows at both.
    """

    def __init__(self, text: str) -> None:
        """Raises ParseError: no YAML, several documents, repeated keys, objects of a language."""
        self.text = text
        self._line_starts = [0] + [match.end() for match in _LINE_END.finditer(text)]
        self._resolver: Any = yaml.SafeLoader("")
        self._objects: dict[int, tuple[Any, int]] = {}
        _check_depth(text)
        try:
            self.root: Node | None = _composed(text, self._resolver)
            self.data: Any = self._data(self.root)[0] if self.root is not None else None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f"line {mark.line + 1}: " if mark else ""
            raise ParseError(f"{where}{_problem(error)}") from None
        except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
            is_special = isinstance(error, yaml.YAMLError)
            kind = "special characters are not allowed" if is_special else "a value that cannot be used"
            raise ParseError(f"not YAML: {kind}") from None

    def start(self, node: Node) -> int:
        """Position of the first character of a node."""
        return self._at(node.start_mark)

    def end(self, node: Node) -> int:
        """Position behind the last character of a node; comments and blank lines behind it are no part."""
        if isinstance(node, MappingNode) and not node.flow_style and node.value:
            return self.end(node.value[-1][1])
        if isinstance(node, SequenceNode) and not node.flow_style and node.value:
            return self.end(node.value[-1])
        start, end = self.start(node), self._at(node.end_mark)
        if isinstance(node, ScalarNode) and node.style in ("|", ">"):
            return start + len(self.text[start:end].rstrip())
        return end

    def column(self, node: Node) -> int:
        """Column of a node's first character, from 0; of a list that is written as lines: of its dashes."""
        if isinstance(node, SequenceNode) and not node.flow_style and node.value:
            dash = self.text.rfind("-", 0, self.start(node.value[0]))
            return dash - (self.text.rfind("\n", 0, dash) + 1)
        return int(node.start_mark.column)

    def _at(self, mark: Any) -> int:
        if mark.line >= len(self._line_starts):
            return len(self.text)
        return int(self._line_starts[mark.line] + mark.column)

    def _data(self, node: Node) -> tuple[Any, int]:
        """The value of a node, and how many values it is with every alias written out."""
        if isinstance(node, AliasNode):
            return self._objects[id(node.target)]
        line = node.start_mark.line + 1
        if node.tag.removeprefix("tag:yaml.org,2002:") not in _KINDS:
            raise ParseError(f"line {line}: objects of a language are not allowed")
        size = 1
        made: Any
        if isinstance(node, MappingNode):
            made = {}
            for key_node, value_node in node.value:
                if not isinstance(key_node, ScalarNode):
                    raise ParseError(f"line {key_node.start_mark.line + 1}: a key must be a word")
                if key_node.value in made:
                    raise ParseError(f"line {key_node.start_mark.line + 1}: the key is there already")
                made[key_node.value], more = self._data(value_node)
                size += more
        elif isinstance(node, SequenceNode):
            made = []
            for item in node.value:
                value, more = self._data(item)
                made.append(value)
                size += more
        else:
            made = self._resolver.construct_object(node)
            # Dates have no place in change descriptors: the text stands for them.
            made = made if isinstance(made, str | int | float | bool | None) else node.value
        if size > MAX_VALUES:
            raise ParseError(f"line {line}: more than {MAX_VALUES} values with all aliases written out")
        self._objects[id(node)] = made, size
        return made, size


def _composed(text: str, resolver: Any) -> Node | None:
    """The root node. The library's own composer forgets where an alias stands."""
    events = yaml.parse(text, Loader=_Loader)
    anchors: dict[str, Node] = {}
    root = None
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise ParseError(f"line {event.start_mark.line + 1}: expected one document, found another")
            root = _node(next(events), events, anchors, resolver)
    if isinstance(root, ScalarNode) and root.value == "" and root.style is None:
        return None  # a file of comments
    return root


def _node(event: Any, events: Iterator[Any], anchors: dict[str, Node], resolver: Any) -> Node:
    if isinstance(event, yaml.AliasEvent):
        target = anchors.get(event.anchor)
        if target is None:
            raise ParseError(f"line {event.start_mark.line + 1}: the alias names nothing above it")
        return AliasNode(target, event.start_mark, event.end_mark)
    node: Node
    if isinstance(event, yaml.ScalarEvent):
        tag = event.tag
        if tag is None or tag == "!":
            tag = resolver.resolve(ScalarNode, event.value, event.implicit)
        node = ScalarNode(tag, event.value, event.start_mark, event.end_mark, style=event.style)
    elif isinstance(event, yaml.SequenceStartEvent):
        tag = event.tag or "tag:yaml.org,2002:seq"
        items = []
        while not isinstance(inner := next(events), yaml.SequenceEndEvent):
            items.append(_node(inner, events, anchors, resolver))
        node = SequenceNode(tag, items, event.start_mark, inner.end_mark, flow_style=event.flow_style)
    else:
        tag = event.tag or "tag:yaml.org,2002:map"
        pairs = []
        while not isinstance(inner := next(events), yaml.MappingEndEvent):
            key = _node(inner, events, anchors, resolver)
            pairs.append((key, _node(next(events), events, anchors, resolver)))
        node = MappingNode(tag, pairs, event.start_mark, inner.end_mark, flow_style=event.flow_style)
    if event.anchor is not None:
        anchors[event.anchor] = node  # only now: nothing can contain itself
    return node


def _problem(error: Any) -> str:
    return str(error.problem or error.context or "not YAML").replace("\n", " ")[:120]


def _check_depth(text: str) -> None:
    """Refuse brackets nested so deep that a reader would exhaust the stack."""
    depth = 0
    for match in re.finditer(r"[\[{\]}]|^[ ]*(?:[-?] ){60}", text, re.MULTILINE):
        depth += 1 if match[0] in ("[", "{") else -1 if match[0] in ("]", "}") else MAX_DEPTH + 1
        depth = max(depth, 0)
        if depth > MAX_DEPTH:
            raise ParseError(f"line {text.count(chr(10), 0, match.start()) + 1}: nested too deeply")
