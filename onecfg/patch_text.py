"""Reading change descriptors: one change a line, or YAML with the complete structure of each change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onecfg import catalog, files
from onecfg.change import STATES, Change, parse_line
from onecfg.errors import OnecfgError, ParseError

FORMATS = ("line", "yaml")
_EXTRA = {"index": int, "multiple": bool, "export": bool, "hintings": bool}


def detect(text: str) -> str:
    """yaml when the first line is ``---``, line otherwise."""
    return "yaml" if text.split("\n", 1)[0].strip() == "---" else "line"


def parse(text: str, format_name: str, root: Path) -> dict[str, list[Change]]:
    """The changes of each file, in the order of first mention. Raises OnecfgError naming the line."""
    if format_name not in FORMATS:
        raise OnecfgError(f"Unsupported format '{format_name}'. Available formats - {', '.join(FORMATS)}")
    return _of_lines(text, root) if format_name == "line" else _of_yaml(text, root)


def _of_lines(text: str, root: Path) -> dict[str, list[Change]]:
    found: dict[str, list[Change]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        words = line.split(None, 1)
        if len(words) < 2:
            raise ParseError(f"Invalid format at line: {number}. Expected FILE CMD PATH [VALUE]")
        try:
            files.known(words[0], root)
        except OnecfgError as error:
            raise ParseError(f"{error} at line {number}") from None
        found.setdefault(words[0], []).append(parse_line(words[1], f"line {number}"))
    return found


def _of_yaml(text: str, root: Path) -> dict[str, list[Change]]:
    from onecfg.yaml_nodes import Tree

    try:
        data = Tree(text).data
    except ParseError as error:
        raise ParseError(f"Error reading yaml patch ({error})") from None
    patches = data.get("patches") if isinstance(data, dict) else None
    if not isinstance(patches, dict):
        raise ParseError("The patch does not contain expected YAML document: expected a map 'patches'")
    found: dict[str, list[Change]] = {}
    for name, content in patches.items():
        entry = files.known(name, root)
        changes = content.get("change") if isinstance(content, dict) else None
        if not isinstance(changes, list):
            raise ParseError(f"patch of '{name}': expected a list 'change'")
        given = content.get("class", entry.class_name)
        if catalog.CLASSES.get(given) != entry.format:
            raise ParseError(f"patch of '{name}': class must be {entry.class_name}")
        found[name] = [
            _change(item, f"change {number} of '{name}'") for number, item in enumerate(changes, 1)
        ]
    return {name: changes for name, changes in found.items() if changes}


def _change(item: Any, where: str) -> Change:
    if not isinstance(item, dict):
        raise ParseError(f"{where}: expected a map with path, key and state")
    state = item.get("state")
    if state not in STATES:
        raise ParseError(f"Invalid patch action at {where}: expected state ins, set or rm")
    path, key, extra = item.get("path") or [], item.get("key"), item.get("extra") or {}
    if not isinstance(path, list) or any(isinstance(part, list | dict) for part in path):
        raise ParseError(f"{where}: path must be a list of words")
    if isinstance(key, list | dict):
        raise ParseError(f"{where}: key must be a word")
    if not isinstance(extra, dict) or any(
        name in _EXTRA and not isinstance(value, _EXTRA[name]) for name, value in extra.items()
    ):
        raise ParseError(f"{where}: extra must be a map (index: a number, export, multiple: true or false)")
    return Change(
        state,
        tuple(str(part) for part in path if part is not None),
        None if key is None else str(key),
        item.get("value"),
        item.get("old"),
        {name: value for name, value in extra.items() if name in _EXTRA},
        where,
    )
