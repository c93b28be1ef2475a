"""One change of a configuration file, what became of it, and its line form."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from onecfg.errors import ParseError

STATES = ("ins", "set", "rm")
_SECRET = re.compile(r"passw|secret|token|private|_key\b|credential", re.IGNORECASE)
_QUOTED_PATH = re.compile(r'"((?:\\.|[^"\\])*)"(?=\s|$)')


@dataclass(frozen=True)
class Change:
    """An insertion, setting or removal.

    path: the sections above the key. key: None for a thing in a list, or a whole document. value: of ins
    and set. old: what a removal takes out of a list, or what set expects. extra: index, multiple, export,
    hintings.
    where: the place in the patch, for messages.
    """

    state: str
    path: tuple[str, ...]
    key: str | None
    value: Any = None
    old: Any = None
    extra: dict[str, Any] = field(default_factory=dict)
    where: str = ""

    @property
    def full_path(self) -> tuple[str, ...]:
        """Sections and key."""
        return self.path if self.key is None else (*self.path, self.key)

    @property
    def is_from_line(self) -> bool:
        """Whether it was written in line format, which cannot tell a list from the key that holds it."""
        return bool(self.extra.get("hintings"))


@dataclass(frozen=True)
class Outcome:
    """What became of a change.

    is_applied: it counts as applied. is_present: it was not applied because the file is so already.
    mode: "replace" when something else than expected was overwritten. reason: why it could not be applied.
    """

    is_applied: bool
    is_present: bool = False
    mode: str = ""
    reason: str = ""


def parse_line(text: str, where: str) -> Change:
    """The change that ``CMD PATH [VALUE]`` describes. Raises ParseError."""
    command, rest = _split(text)
    state = command.lower()
    if state not in STATES:
        raise ParseError(f"Invalid patch action '{_shown(command)}' at {where}: expected ins, set or rm")
    path_text, value_text = _path_word(rest, where)
    elements = [element for element in path_text.split("/") if element]
    value = parse_value(value_text, where) if value_text else None
    if state == "rm" and value_text:
        return Change(state, tuple(elements), None, old=value, extra={"hintings": True}, where=where)
    key = elements.pop() if elements else None
    old = value if state == "set" else None
    return Change(state, tuple(elements), key, value, old, {"hintings": True}, where)


def parse_path(text: str) -> tuple[str, ...]:
    """The elements of a path as in line format; empty ones are dropped."""
    return tuple(element for element in text.split("/") if element)


def parse_value(text: str, where: str) -> Any:
    """The value that a JSON text holds. Raises ParseError, which does not repeat the text."""
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        hint = "; text needs double quotes" if not text.startswith(('"', "{", "[")) else ""
        raise ParseError(
            f"Invalid JSON value at {where}, column {error.colno} of it: {error.msg}{hint}"
        ) from None
    except (ValueError, RecursionError):
        raise ParseError(f"Invalid JSON value at {where}: a number or a nesting beyond all bounds") from None


def as_line(change: Change, *, is_masked: bool = False) -> str:
    """The line form without the file's name; ``is_masked`` hides values of what looks like a secret."""
    path = "/".join(change.full_path) or "/"
    if re.search(r'\s|^"', path):
        path = '"' + path.replace('"', '\\"') + '"'
    words = [change.state, path]
    is_removal = change.state == "rm"
    if not is_removal or (change.key is None and change.old is not None):
        is_secret = is_masked and _SECRET.search("/".join(change.full_path))
        value = change.old if is_removal else change.value
        words.append('"***"' if is_secret else json.dumps(value, ensure_ascii=False))
    return " ".join(words)


def _path_word(text: str, where: str) -> tuple[str, str]:
    if text.startswith('"'):
        match = _QUOTED_PATH.match(text)
        if match is None:
            raise ParseError(f"Invalid format at {where}: the quotes around the path are not closed")
        return match[1].replace('\\"', '"'), text[match.end() :].strip()
    if not text:
        raise ParseError(f"Invalid format at {where}: expected FILE CMD PATH [VALUE]")
    return _split(text)


def _split(text: str) -> tuple[str, str]:
    parts = text.split(None, 1)
    return parts[0] if parts else "", parts[1].strip() if len(parts) > 1 else ""


def _shown(text: str) -> str:
    return text[:40].encode("ascii", "backslashreplace").decode()


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("number")
    return number
