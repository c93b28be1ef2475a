"""What every format of configuration file can do: read a value, make a change, compare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from onecfg.change import Change, Outcome, parse_path
from onecfg.errors import ChangeError


class Document(ABC):
    """The text of a file, and changes to it. ``text`` is always the present content."""

    def __init__(self, text: str) -> None:
        """Raises ParseError for text that does not follow the format; the message names the line."""
        self.text = text

    @abstractmethod
    def get(self, path: tuple[str, ...]) -> Any:
        """The value at a path, as change descriptors write it. Raises PathNotFound."""

    @abstractmethod
    def apply(self, change: Change) -> Outcome:
        """Make one change, overwriting what somebody changed there. Raises ChangeError, changing nothing."""

    @abstractmethod
    def diff(self, newer: Document) -> list[Change]:
        """The changes that make this document say what ``newer`` says."""

    def set(self, path: str, value: Any) -> bool:
        """Give a setting this value, adding it when it is not there; whether the text changed."""
        return self._changed("set", path, value)

    def insert(self, path: str, value: Any) -> bool:
        """Add a setting, a value of a repeated one, or an item of a list; whether the text changed."""
        return self._changed("ins", path, value)

    def remove(self, path: str) -> bool:
        """Take a setting or a section out; whether it was there."""
        return self._changed("rm", path, None)

    def remove_value(self, path: str, value: Any) -> bool:
        """Take one value of a repeated setting, or one item of a list, out; whether it was there."""
        before = self.text
        self.apply(Change("rm", parse_path(path), None, old=value, extra={"hintings": True}))
        return self.text != before

    def _changed(self, state: str, path: str, value: Any) -> bool:
        before = self.text
        *above, key = parse_path(path) or [None]
        self.apply(Change(state, tuple(str(part) for part in above), key, value, extra={"hintings": True}))
        return self.text != before


def line_of(text: str, at: int) -> int:
    """Number of the line of a position, from 1."""
    return text.count("\n", 0, at) + 1


def line_start(text: str, at: int) -> int:
    """Position of the first character of the line."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Position behind the line, its line end included."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def with_line(text: str, at: int, line: str) -> str:
    """The text with a line put in at a position where a line starts, or at the end of the text."""
    before = text[:at]
    if before and not before.endswith("\n"):
        before += "\n"
    return before + line + "\n" + text[at:]


def cut(text: str, start: int, end: int) -> str:
    """The text without a part of it, and without its line when only blanks or a comment remain of that."""
    first, last = line_start(text, start), line_end(text, end)
    before, behind = text[first:start].strip(), text[end:last].strip()
    if not before and (not behind or behind.startswith("#")):
        return text[:first] + text[last:]
    return text[:start] + text[end:]


def scalar(value: Any, what: str) -> str:
    """Text of a value for a format that knows text and numbers only. Raises ChangeError."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | str):
        return str(value)
    raise ChangeError(f"{what} needs text or a number, found {_KINDS.get(type(value), type(value).__name__)}")


_KINDS = {type(None): "no value", list: "a list", dict: "a map"}
