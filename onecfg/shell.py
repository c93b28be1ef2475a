"""Files of shell assignments (NAME=VALUE), as the driver scripts read them; everything else in them stays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from onecfg.change import Change, Outcome
from onecfg.document import Document, cut, line_end, line_of, scalar, with_line
from onecfg.errors import ChangeError, ParseError, PathNotFound

_ASSIGNMENT = re.compile(r"[ \t]*(export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=")
_EXPORT = re.compile(r"[ \t]*export[ \t]+([A-Za-z_][A-Za-z0-9_ \t]*?)[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# One word of the shell: quoted pieces, escaped characters, and characters that mean nothing to it.
_DOUBLE = r'"(?:\\[\s\S]|[^"\\])*"'
_SINGLE = r"'[^']*'"
_BACKTICK = r"`(?:\\[\s\S]|[^`\\])*`"
_WORD = re.compile(
    rf"(?:{_DOUBLE}|{_SINGLE}|{_BACKTICK}|\\[\s\S]|\$\((?:[^()\n]|\([^()\n]*\))*\)|[^\s;&|<>()\"'`\\])*"
)
_ARRAY = re.compile(rf"\((?:{_DOUBLE}|{_SINGLE}|[^()\"'])*\)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# What a patch may write: no commands, no line ends.
_WRITABLE = re.compile(
    rf"(?:{_DOUBLE}|{_SINGLE}|\\[^\n]|[^\s;&|<>()\"'`\\#])(?:{_DOUBLE}|{_SINGLE}|\\[^\n]|[^\s;&|<>()\"'`\\])*"
)


@dataclass(frozen=True)
class _Assignment:
    name: str
    literal: str
    start: int
    export_end: int  # where the name starts; equal to start and its blanks without "export"
    value_start: int
    end: int
    is_exported: bool


class ShellDocument(Document):
    """A file of shell variables. Values are literals with their own quotes; of several the last counts."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.assignments: list[_Assignment] = []
        self._exports: list[tuple[int, int, list[str]]] = []
        self._take(text)

    def get(self, path: tuple[str, ...]) -> Any:
        """The literal of a variable; a map of all for the empty path."""
        if not path:
            return {item.name: item.literal for item in self.assignments}
        found = self._find(_key(path))
        if not found:
            raise PathNotFound(path)
        return found[-1].literal

    def apply(self, change: Change) -> Outcome:
        if change.state == "rm" and change.key is None and change.old is not None:
            raise ChangeError("a variable is removed by its name alone, without a value")
        key = _key(change.full_path)
        found = self._find(key)
        export = change.extra.get("export")
        if change.state == "rm":
            return self._remove(key, found)
        if change.value is None and change.state == "set" and export is not None:
            return self._export(key, bool(export), change)
        literal = _checked(scalar(change.value, key))
        if change.state == "ins" and found and found[-1].literal == literal:
            return Outcome(False, is_present=True)
        if not found:
            self._append(key, f"{'export ' if export else ''}{key}={literal}")
            return Outcome(True, mode="" if change.state == "ins" else "replace")
        is_expected = change.old is not None and found[-1].literal == str(change.old)
        text = self.text
        last = found[-1]
        text = text[: last.value_start] + literal + text[last.end :]
        for item in reversed(found[:-1]):
            text = cut(text, item.start, item.end)
        self._take(text)
        if export is not None and bool(export) != self.is_exported(key):
            self._export(key, bool(export), change)
        return Outcome(True, mode="" if is_expected else "replace")

    def diff(self, newer: Document) -> list[Change]:
        assert isinstance(newer, ShellDocument)
        before, after = self.get(()), newer.get(())
        found = []
        for name in [*before, *(name for name in after if name not in before)]:
            if name not in after:
                found.append(Change("rm", (), name))
                continue
            exported = newer.is_exported(name)
            if name not in before:
                extra = {"export": True} if exported else {}
                found.append(Change("ins", (), name, after[name], extra=extra))
                continue
            extra = {"export": exported} if exported != self.is_exported(name) else {}
            if before[name] != after[name]:
                found.append(Change("set", (), name, after[name], old=before[name], extra=extra))
            elif extra:
                found.append(Change("set", (), name, extra=extra))
        return found

    def is_exported(self, name: str) -> bool:
        """Whether the variable goes to the environment."""
        return any(item.is_exported for item in self._find(name)) or any(
            name in names for _, _, names in self._exports
        )

    def _find(self, name: str) -> list[_Assignment]:
        return [item for item in self.assignments if item.name == name]

    def _take(self, text: str) -> None:
        self.assignments, self._exports = _read(text)
        self.text = text

    def _remove(self, key: str, found: list[_Assignment]) -> Outcome:
        if not found:
            return Outcome(False, is_present=True, reason="it is not there")
        self._strip_export_lines(key)
        text = self.text
        for item in reversed(self._find(key)):
            text = cut(text, item.start, item.end)
        self._take(text)
        return Outcome(True)

    def _export(self, key: str, wanted: bool, change: Change) -> Outcome:
        found = self._find(key)
        if not found:
            raise PathNotFound(change.full_path)
        if wanted == self.is_exported(key):
            return Outcome(False, is_present=True)
        if wanted:
            at = found[-1].export_end
            self._take(self.text[:at] + "export " + self.text[at:])
            return Outcome(True)
        self._strip_export_lines(key)
        text = self.text
        for item in reversed(self._find(key)):
            if item.is_exported:
                text = text[: item.start] + text[item.export_end :]
        self._take(text)
        return Outcome(True)

    def _strip_export_lines(self, key: str) -> None:
        text = self.text
        for start, end, names in reversed(self._exports):
            if key not in names:
                continue
            kept = [name for name in names if name != key]
            text = text[:start] + "export " + " ".join(kept) + text[end:] if kept else cut(text, start, end)
        self._take(text)

    def _append(self, key: str, line: str) -> None:
        """Below the stock file's commented-out line of this variable, else at the end."""
        match = re.search(rf"(?m)^[ \t]*#[ \t]*(?:export[ \t]+)?{key}=.*$", self.text)
        inside = match and any(item.start < match.start() < item.end for item in self.assignments)
        at = line_end(self.text, match.end()) if match and not inside else len(self.text)
        self._take(with_line(self.text, at, line))


def quoted(text: str) -> str:
    """The literal of a text, taken as it is by the shell."""
    return _checked("'" + text.replace("'", "'\\''") + "'")


def _read(text: str) -> tuple[list[_Assignment], list[tuple[int, int, list[str]]]]:
    if control := _CONTROL.search(text):
        raise ParseError(f"line {line_of(text, control.start())}: found a control character")
    found, exports = [], []
    at = 0
    while at < len(text):
        match = _ASSIGNMENT.match(text, at)
        if match is None:
            if export := _EXPORT.match(text, at):
                start = at + len(export[0]) - len(export[0].lstrip())
                exports.append((start, export.end(1), export[1].split()))
            at = line_end(text, at)
            continue
        end = _value_end(text, match.end())
        start = at + len(match[0]) - len(match[0].lstrip())
        found.append(
            _Assignment(
                match[2], text[match.end() : end], start, match.start(2), match.end(), end, bool(match[1])
            )
        )
        at = line_end(text, end)
    return found, exports


def _value_end(text: str, start: int) -> int:
    if text.startswith("(", start):
        array = _ARRAY.match(text, start)
        if array is None:
            raise ParseError(f"line {line_of(text, start)}: the list in brackets is not closed")
        return array.end()
    match = _WORD.match(text, start)
    end = match.end() if match else start
    if text[end : end + 1] in ('"', "'", "`", "\\"):
        raise ParseError(f"line {line_of(text, start)}: text in quotes has no closing quote")
    return end


def _key(path: tuple[str, ...]) -> str:
    if len(path) != 1 or not _NAME.fullmatch(path[0]):
        raise ChangeError(f"path {'/'.join(path) or '(top level)'}: expected the name of one variable")
    return path[0]


def _checked(literal: str) -> str:
    if _CONTROL.search(literal):
        raise ChangeError("a value must not hold control characters")
    if literal and not _WRITABLE.fullmatch(literal):
        raise ChangeError(
            "a value must be one word of the shell: with blanks or special characters it needs quotes of its"
            ' own, "\\"...\\"" in a patch'
        )
    return literal
