"""YAML files, those with Ruby's symbols included. Lists of strict files are ordered, others are sets."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from yaml.nodes import MappingNode, Node, SequenceNode

from onecfg import yaml_edit
from onecfg.change import Change, Outcome
from onecfg.document import Document
from onecfg.errors import ChangeError, ParseError, PathNotFound
from onecfg.values import index, list_steps, same, tree_changes
from onecfg.yaml_nodes import Tree, followed
from onecfg.yaml_render import block, flow


class YamlDocument(Document):
    """A YAML file. Values are those of JSON; text that begins with a colon is a symbol."""

    is_strict = False

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._tree = Tree(text)

    def get(self, path: tuple[str, ...]) -> Any:
        """The value at a path of keys."""
        found = self._tree.data
        for key in path:
            if not isinstance(found, dict) or key not in found:
                raise PathNotFound(path)
            found = found[key]
        return copy.deepcopy(found)

    def apply(self, change: Change) -> Outcome:
        if change.state == "set" and change.key is None:
            if change.path:
                raise ChangeError("an item of a list cannot be set: remove it and insert another")
            return self._set_all(change.value)
        if change.key is None:
            if not change.path:
                raise ChangeError("path (top level): a key is missing")
            return self._apply_item(change)
        parent = self.get(change.path) if change.path else self._tree.data
        if parent is not None and not isinstance(parent, dict):
            raise ChangeError(f"Expected Hash but got {_kind(parent)} at '{'/'.join(change.path)}'")
        parent = parent or {}
        is_there = change.key in parent
        if change.state == "rm":
            if not is_there:
                return Outcome(False, is_present=True, reason="it is not there")
            self._remove(change.path, change.key)
            return Outcome(True)
        if not is_there:
            self._insert(change.path, change.key, change.value)
            return Outcome(True, mode="" if change.state == "ins" else "replace")
        old = parent[change.key]
        if change.state == "ins" and change.is_from_line and isinstance(old, list):
            return self._add(change.full_path, change.value, None, None)
        if change.state == "ins" and same(old, change.value, is_ordered=self.is_strict):
            return Outcome(False, is_present=True)
        self._set(change.full_path, old, change.value)
        return Outcome(True, mode="" if same(old, change.old) else "replace")

    def diff(self, newer: Document) -> list[Change]:
        assert isinstance(newer, YamlDocument)
        old, new = self._tree.data, newer._tree.data
        if old is None and isinstance(new, dict):
            old = {}
        found = []
        for change in tree_changes(old, new):
            if self.is_strict and change.key is None and change.path and change.state == "rm":
                at = index(self.get(change.path), change.old)
                change = Change("rm", change.path, None, old=change.old, extra={"index": at})
            found.append(change)
        # A later removal finds its place moved by the ones before it: from the end of each list backwards.
        items = [change for change in found if "index" in change.extra]
        rest = [change for change in found if "index" not in change.extra]
        return rest + sorted(items, key=lambda change: -int(change.extra["index"]))

    def _apply_item(self, change: Change) -> Outcome:
        items = self.get(change.path)
        at = change.extra.get("index") if self.is_strict else None
        if items is None and change.state == "ins":
            items = []
        if not isinstance(items, list):
            if change.state == "rm" and change.is_from_line and same(items, change.old):
                self._remove(change.path[:-1], change.path[-1])
                return Outcome(True)
            raise ChangeError(f"Expected Array but got {_kind(items)} at '{'/'.join(change.path)}'")
        if change.state == "ins":
            return self._add(change.path, change.value, at, change.old)
        found = index(items, change.old, is_ordered=self.is_strict)
        mode = ""
        if isinstance(at, int) and 0 <= at < len(items) and same(items[at], change.old):
            found = at
        elif isinstance(at, int) and found is not None:
            mode = "force"
        if found is None:
            return Outcome(False, is_present=True, reason="the list has no such item")
        self._set(change.path, items, items[:found] + items[found + 1 :])
        return Outcome(True, mode=mode)

    def _add(self, path: tuple[str, ...], value: Any, at: Any, before: Any) -> Outcome:
        items = self.get(path) or []
        if index(items, value, is_ordered=self.is_strict) is not None:
            return Outcome(False, is_present=True)
        if not isinstance(at, int) or not 0 <= at < len(items):
            self._set(path, items, [*items, value])
            return Outcome(True)
        mode = "" if same(items[at], before) else "force"
        guess = index(items, before)
        at = guess if mode and guess is not None and abs(guess - at) <= 1 else at
        wanted = [*items[:at], value, *items[at:]]
        self._take([yaml_edit.insert_item(self._tree, _items(self._node(path)), at, value)], path, wanted)
        return Outcome(True, mode=mode)

    def _set_all(self, value: Any) -> Outcome:
        lines = block(value, 0) if isinstance(value, dict | list) and value else [flow(value)]
        self._take(["---\n" + "\n".join(lines) + "\n"], (), value)
        return Outcome(True, mode="replace")

    def _set(self, path: tuple[str, ...], old: Any, new: Any) -> None:
        """Give a thing that is there another value; what is the same in both keeps its place and comments."""
        if same(old, new):
            return
        if isinstance(old, dict) and isinstance(new, dict) and old and new:
            for change in tree_changes(old, new):
                self.apply(Change(change.state, (*path, *change.path), change.key, change.value, change.old))
            return
        if (
            isinstance(old, list)
            and isinstance(new, list)
            and old
            and new
            and (steps := list_steps(old, new))
        ):
            for item in steps[1]:
                wanted = [*self.get(path), item]
                text = yaml_edit.append(self._tree, _items(self._node(path)), item, self._column(path))
                self._take([text], path, wanted)
            for item in steps[0]:
                items = self.get(path)
                at = index(items, item)
                assert at is not None
                text = yaml_edit.remove_item(self._tree, _items(self._node(path)), at)
                self._take([text], path, items[:at] + items[at + 1 :])
            return
        self._take([yaml_edit.replace(self._tree, self._owner(path), path[-1], new)], path, new)

    def _insert(self, path: tuple[str, ...], key: str, value: Any) -> None:
        if path and not self.get(path):  # nothing, or {}
            self._take(
                [yaml_edit.replace(self._tree, self._owner(path), path[-1], {key: value})], path, {key: value}
            )
            return
        node = self._node(path)
        owner = node if isinstance(node, MappingNode) else None
        self._take(yaml_edit.insertions(self._tree, owner, key, value), (*path, key), value)

    def _remove(self, path: tuple[str, ...], key: str) -> None:
        owner = self._owner((*path, key))
        if len(owner.value) == 1 and not owner.flow_style:
            if path:
                self._set(path, self.get(path), {})
                return
            text = yaml_edit.remove(self._tree, owner, key)
            self._take([text + ("" if not text or text.endswith("\n") else "\n") + "{}\n"], (), {})
            return
        self._take([yaml_edit.remove(self._tree, owner, key)], (*path, key), None, is_gone=True)

    def _take(
        self, texts: Iterable[str], path: tuple[str, ...], value: Any, *, is_gone: bool = False
    ) -> None:
        """Accept the first of these texts that says what the present one says, but for one value."""
        wanted = copy.deepcopy(self._tree.data)
        if not path:
            wanted = value
        else:
            wanted = wanted if wanted is not None else {}
            place = wanted
            for key in path[:-1]:
                place = place[key]
            if is_gone:
                del place[path[-1]]
            else:
                place[path[-1]] = value
        for text in texts:
            try:
                tree = Tree(text)
            except ParseError:
                continue
            if same(tree.data, wanted):
                self._tree, self.text = tree, text
                return
        raise ChangeError(f"'{'/'.join(path)}' is written in a way that cannot be changed in place")

    def _node(self, path: tuple[str, ...]) -> Node | None:
        node = followed(self._tree.root)
        for key in path:
            assert isinstance(node, MappingNode)
            node = followed(next(value for name, value in node.value if name.value == key))
        return node

    def _owner(self, path: tuple[str, ...]) -> MappingNode:
        owner = self._node(path[:-1])
        assert isinstance(owner, MappingNode)
        return owner

    def _column(self, path: tuple[str, ...]) -> int:
        owner = self._owner(path)
        return next(self._tree.column(name) for name, _ in owner.value if name.value == path[-1])


class StrictYamlDocument(YamlDocument):
    """A YAML file in which the order of lists counts."""

    is_strict = True


def _items(node: Node | None) -> SequenceNode:
    assert isinstance(node, SequenceNode)
    return node


def _kind(value: Any) -> str:
    return {dict: "Hash", list: "Array", type(None): "nothing"}.get(type(value), "a single value")
