"""Small changes to files in OpenNebula's grammar; comments, order and everything else stay as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_\-./]*")
_QUOTED = re.compile(r'"(?:\\"|[^"])*"')
_WORD = re.compile(r'[^=# \t\r\n,\[\]"]+')
_BARE_PART = re.compile(r"[^\s,\]\"#]*")
_BARE_LINE = re.compile(r"[^\n\"#\[]*")


class ConfEditError(ValueError):
    """A file that does not follow the grammar; the message names the line."""


@dataclass(frozen=True)
class _Part:
    name: str
    start: int
    value_start: int
    end: int


@dataclass(frozen=True)
class _Entry:
    name: str
    value_start: int
    end: int
    parts: tuple[_Part, ...] | None


def set_value(text: str, name: str, value: str | int) -> str:
    """The text with ``name`` set to one value; added at the end when it is not there."""
    entries = [entry for entry in _entries(text) if entry.name == name]
    for entry in reversed(entries):
        text = text[: entry.value_start] + _literal(value) + text[entry.end :]
    return text if entries else _appended(text, f"{name} = {_literal(value)}")


def set_vector(text: str, name: str, parts: Mapping[str, str | int | None]) -> str:
    """The text with these parts of the vector ``name`` set; None removes a part, others stay as they are."""
    entries = [entry for entry in _entries(text) if entry.name == name]
    for entry in reversed(entries):
        text = _with_parts(text, entry, parts)
    if entries:
        return text
    inner = ", ".join(f"{part} = {_literal(value)}" for part, value in parts.items() if value is not None)
    return _appended(text, f"{name} = [ {inner} ]")


def _with_parts(text: str, entry: _Entry, wanted: Mapping[str, str | int | None]) -> str:
    if entry.parts is None:
        inner = ", ".join(
            f"{part} = {_literal(value)}" for part, value in wanted.items() if value is not None
        )
        return text[: entry.value_start] + f"[ {inner} ]" + text[entry.end :]
    kept = [part for part in entry.parts if wanted.get(part.name, "") is not None]
    changes = [
        (part.value_start, part.end, _literal(value))
        for part in kept
        if (value := wanted.get(part.name)) is not None
    ]  # fmt: skip
    present = {part.name for part in entry.parts}
    added = [
        f"{part} = {_literal(value)}"
        for part, value in wanted.items()
        if value is not None and part not in present
    ]
    body_start = entry.value_start + 1
    if not kept:
        return text[:body_start] + " " + ", ".join(added) + " " + text[entry.end - 1 :]
    # A removed part goes with the comma behind it, trailing ones with the comma before them.
    for index, part in enumerate(entry.parts):
        if part in kept:
            continue
        later = [other for other in entry.parts[index + 1 :] if other in kept]
        if later:
            changes.append((part.start, entry.parts[index + 1].start, ""))
        else:
            changes.append((entry.parts[index - 1].end, part.end, ""))
    if added:
        indent = " " * (kept[0].start - text.rfind("\n", 0, kept[0].start) - 1)
        changes.append((kept[-1].end, kept[-1].end, "".join(f",\n{indent}{part}" for part in added)))
    for start, end, replacement in sorted(changes, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def _appended(text: str, line: str) -> str:
    return text + ("" if not text or text.endswith("\n") else "\n") + line + "\n"


def _literal(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    if value.endswith("\\"):
        # The grammar knows one escape only: a backslash before the closing quote would hide it.
        if not _WORD.fullmatch(value):
            raise ConfEditError('a value that ends in a backslash must not hold blanks or any of = # , [ ] "')
        return value
    return '"' + value.replace('"', '\\"') + '"'


def _entries(text: str) -> list[_Entry]:
    found = []
    at = _after(_SPACE, text, 0)
    while at < len(text):
        name, _, at = _name_and_equal(text, at)
        if text.startswith("[", at):
            parts, end = _vector(text, at)
            found.append(_Entry(name, at, end, parts))
        else:
            end = _value_end(text, at, _BARE_LINE)
            found.append(_Entry(name, at, end, None))
        at = _after(_SPACE, text, end)
    return found


def _vector(text: str, opening: int) -> tuple[tuple[_Part, ...], int]:
    parts = []
    at = _after(_SPACE, text, opening + 1)
    while not text.startswith("]", at):
        name, start, at = _name_and_equal(text, at)
        end = _value_end(text, at, _BARE_PART)
        parts.append(_Part(name, start, at, end))
        at = _after(_SPACE, text, end)
        if text.startswith(",", at):
            at = _after(_SPACE, text, at + 1)
        elif not text.startswith("]", at):
            raise _fault(text, at, "expected , or ]")
    return tuple(parts), at + 1


def _name_and_equal(text: str, at: int) -> tuple[str, int, int]:
    name = _NAME.match(text, at)
    if name is None:
        raise _fault(text, at, "expected a name")
    equal = _after(_SPACE, text, name.end())
    if not text.startswith("=", equal):
        raise _fault(text, equal, f"expected = after {name.group()}")
    return name.group().upper(), at, _blank_end(text, equal + 1)


def _blank_end(text: str, at: int) -> int:
    """Behind blanks; also behind line ends when the value starts on a later line."""
    on_line = at + len(text[at:]) - len(text[at:].lstrip(" \t"))
    if text.startswith(("\n", "\r", "#"), on_line):
        later = _after(_SPACE, text, on_line)
        if text.startswith(("[", '"'), later):
            return later
    return on_line


def _value_end(text: str, at: int, bare: re.Pattern[str]) -> int:
    if text.startswith('"', at):
        quoted = _QUOTED.match(text, at)
        if quoted is None:
            raise _fault(text, at, "text in quotes has no closing quote")
        return quoted.end()
    match = bare.match(text, at)
    end = match.end() if match else at
    return at + len(text[at:end].rstrip())


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _fault(text: str, at: int, expected: str) -> ConfEditError:
    found = text[at : at + 20].split("\n")[0]
    return ConfEditError(f"line {text.count(chr(10), 0, at) + 1}: {expected}, found {found!r}")
