"""Where things stand in a file of OpenNebula's grammar: NAME = value and NAME = [ PART = value, ... ]."""

from __future__ import annotations

import re
from dataclasses import dataclass

from onecfg.document import line_of
from onecfg.errors import ChangeError, ParseError

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_\-./]*")
_QUOTED = re.compile(r'"(?:\\"|[^"])*"')
_BARE_PART = re.compile(r"[^\s,\]\"#]*")
_BARE_LINE = re.compile(r"[^\n\"#\[]*")
_WORD = re.compile(r'[^=#\s,\[\]"\x00-\x1f\x7f]+')
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Part:
    """One NAME = value. ``literal`` is the value as written, quotes included."""

    name: str
    literal: str
    start: int
    value_start: int
    end: int


@dataclass(frozen=True)
class Entry:
    """A setting (parts is None) or a section."""

    name: str
    literal: str
    start: int
    value_start: int
    end: int
    parts: tuple[Part, ...] | None

    def part(self, name: str) -> Part | None:
        """The last part of that name, which is the one that counts."""
        return next((part for part in reversed(self.parts or ()) if part.name == name), None)


def quoted(text: str) -> str:
    """The literal of a text: in quotes, inner ones escaped. Raises ChangeError for what cannot be written."""
    if text.endswith("\\"):
        # The grammar knows one escape only: a backslash before the closing quote would hide it.
        if not _WORD.fullmatch(text):
            raise ChangeError(
                "text that ends in a backslash must not hold blanks, quotes or any of = # , [ ]"
            )
        return text
    return checked('"' + text.replace('"', '\\"') + '"')


def unquoted(literal: str) -> str:
    """The text of a literal."""
    if len(literal) > 1 and literal[0] == literal[-1] == '"':
        return literal[1:-1].replace('\\"', '"')
    return literal


def checked(literal: str) -> str:
    """The literal, when it is one value of the grammar. Raises ChangeError."""
    if _CONTROL.search(literal):
        raise ChangeError("a value must not hold control characters")
    if _QUOTED.fullmatch(literal) or _WORD.fullmatch(literal):
        return literal
    if literal.startswith('"'):
        raise ChangeError("the quotes of the value are not closed, or something follows them")
    raise ChangeError(
        'a value with blanks, any of = # , [ ] or quotes needs quotes of its own: "\\"...\\"" in a patch'
    )


def entries(text: str) -> list[Entry]:
    """All settings and sections in their order. Raises ParseError naming the line."""
    if control := _CONTROL.search(text.replace("\r\n", " \n")):
        raise ParseError(f"line {line_of(text, control.start())}: found a control character")
    found = []
    at = _after(_SPACE, text, 0)
    while at < len(text):
        name, start, at = _name_and_equal(text, at)
        parts: tuple[Part, ...] | None = None
        if text.startswith("[", at):
            parts, end = _vector(text, at)
        else:
            end = _value_end(text, at, _BARE_LINE)
        found.append(Entry(name, text[at:end], start, at, end, parts))
        at = _after(_SPACE, text, end)
    return found


def _vector(text: str, opening: int) -> tuple[tuple[Part, ...], int]:
    parts = []
    at = _after(_SPACE, text, opening + 1)
    while not text.startswith("]", at):
        name, start, at = _name_and_equal(text, at)
        end = _value_end(text, at, _BARE_PART)
        parts.append(Part(name, text[at:end], start, at, end))
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
        raise _fault(text, equal, f"expected = after {name.group()[:40]}")
    return name.group().upper(), at, _blank_end(text, equal + 1)


def _blank_end(text: str, at: int) -> int:
    """Behind blanks; also behind line ends when the value starts on a later line."""
    on_line = _after(_BLANKS, text, at)
    if text.startswith(("\n", "\r", "#"), on_line):
        later = _after(_SPACE, text, on_line)
        if text.startswith(("[", '"'), later):
            return later
    return on_line


_BLANKS = re.compile(r"[ \t]*")


def _value_end(text: str, at: int, bare: re.Pattern[str]) -> int:
    if text.startswith('"', at):
        match = _QUOTED.match(text, at)
        if match is None:
            raise _fault(text, at, "text in quotes has no closing quote", is_shown=False)
        return match.end()
    end = _after(bare, text, at)
    return at + len(text[at:end].rstrip())


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _fault(text: str, at: int, expected: str, *, is_shown: bool = True) -> ParseError:
    # One character: enough to find the place, and no part of a secret.
    found = f", found {text[at]!r}" if is_shown and at < len(text) else ", found the end of the file"
    return ParseError(f"line {line_of(text, at)}: {expected}{found if is_shown else ''}")
