"""The text form of a template: ``NAME = "value"`` and ``NAME = [ A = "1", B = "2" ]``, with ``#`` comments.

What is accepted is what release 6.0 accepts, its oddities included, because files rely on them: a value
is in quotes or one word; only ``\\"`` is an escape; ``NAME =`` before a line end is an empty text; a comment
needs a line end; outside values, characters that mean nothing are passed over; of parts of the same name in a
vector the first one counts. One thing is refused that it accepts: a name that XML cannot carry.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NoReturn

Vector = dict[str, str]
Value = str | Vector


class TemplateError(ValueError):
    """A template that cannot be read; ``line`` and ``column`` count from 1 (0 when unknown)."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        where = f" at line {line}, column {column}" if line else ""
        super().__init__(f"Parse error: {message}{where}")
        self.line = line
        self.column = column


class _Token(Enum):
    NAME = auto()
    EQUAL = auto()
    EQUAL_EMPTY = auto()
    COMMA = auto()
    OPEN = auto()
    CLOSE = auto()
    TEXT = auto()
    END = auto()


# Where a name may stand: what is longest counts, as in any scanner.
_NAMES = (
    (None, re.compile(r"[ \t]*#[^\n]*\n")),
    (None, re.compile(r"[ \t\n]+")),
    (_Token.NAME, re.compile(r"[A-Za-z0-9_]+")),
    (_Token.EQUAL, re.compile(r"[ \t]*=[ \t]*")),
    (_Token.EQUAL_EMPTY, re.compile(r"[ \t]*=[ \t]*\r?\n")),
    (_Token.COMMA, re.compile(r"[ \t\n]*,[ \t\n]*")),
    (_Token.CLOSE, re.compile(r"[ \t\n]*\][ \t\n]*")),
)
_OPEN = re.compile(r"[ \t]*\[[ \t\n]*")
_QUOTED = re.compile(r'"((?:\\"|[^"])*)"')
# Without the carriage return, which ends the lines of other systems' files and which nobody means.
_WORD = re.compile(r"[^=# \t\r\n,\[\]]+")


def parse_text(text: str) -> list[tuple[str, Value]]:
    """The attributes of a text in their order. Raises TemplateError with line and column."""
    return _Parser(text).attributes()


class _Parser:
    """Reads a text; every refusal names what was expected and where."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = 0  # where scanning goes on
        self._last_line_end = text.rfind("\n")
        self._at = 0  # where the present token starts
        self._token = _Token.END
        self._found = ""

    def attributes(self) -> list[tuple[str, Value]]:
        found: list[tuple[str, Value]] = []
        self._scan()
        while self._token is not _Token.END:
            name = self._name("an attribute name")
            found.append((name, self._value(name)))
            self._scan()
        return found

    def _value(self, name: str) -> Value:
        if self._token is _Token.EQUAL_EMPTY:
            return ""
        if self._token is not _Token.EQUAL:
            self._fail(f"= after {name}")
        self._scan_value()
        if self._token is _Token.TEXT:
            return self._found
        if self._token is not _Token.OPEN:
            self._fail(f"a value after {name} =")
        return self._vector(name)

    def _vector(self, name: str) -> Vector:
        vector: Vector = {}
        self._scan()
        if self._token is _Token.CLOSE:
            return vector
        while True:
            part = self._name(f"an attribute name in vector {name}").upper()
            if self._token is not _Token.EQUAL:
                self._fail(f"= and a value after {part} in vector {name}")
            self._scan_value()
            if self._token is not _Token.TEXT:
                self._fail(f"a text after {part} = in vector {name}")
            vector.setdefault(part, self._found)
            self._scan()
            if self._token is _Token.CLOSE:
                return vector
            if self._token is not _Token.COMMA:
                self._fail(f", or ] in vector {name}")
            self._scan()

    def _name(self, expected: str) -> str:
        if self._token is not _Token.NAME:
            self._fail(expected)
        name = self._found
        self._scan()
        return name

    # -- scanning ------------------------------------------------------------------------------------------
    def _scan(self) -> None:
        """Go to the next token where no value is due."""
        text, length = self._text, len(self._text)
        while self._next < length:
            longest, kind = self._next, None
            # Behind the last line end no comment can match, and each try would read to the end of the text.
            for candidate, pattern in _NAMES[self._next > self._last_line_end :]:
                match = pattern.match(text, self._next)
                if match is not None and match.end() > longest:
                    longest, kind = match.end(), candidate
            if kind is not None:
                self._at, self._found, self._token = self._next, text[self._next : longest], kind
                self._next = longest
                return
            self._next = max(longest, self._next + 1)
        self._at, self._found, self._token = length, "", _Token.END

    def _scan_value(self) -> None:
        """Go to the next token where a value is due."""
        text, length = self._text, len(self._text)
        while self._next < length:
            opening = _OPEN.match(text, self._next)
            quoted = _QUOTED.match(text, self._next)
            word = _WORD.match(text, self._next)
            self._at = self._next
            if opening is not None:
                self._token, self._found, self._next = _Token.OPEN, "[", opening.end()
                return
            if quoted is not None and (word is None or quoted.end() >= word.end()):
                self._token, self._found = _Token.TEXT, quoted[1].replace('\\"', '"')
                self._next = quoted.end()
                return
            if word is not None:
                self._token, self._next = _Token.TEXT, word.end()
                self._found = word[0].replace('\\"', '"')
                return
            self._next += 1
        self._at, self._found, self._token = length, "", _Token.END

    def _fail(self, expected: str) -> NoReturn:
        found = repr(self._found.strip()[:40]) if self._token is not _Token.END else "the end"
        line = self._text.count("\n", 0, self._at) + 1
        column = self._at - (self._text.rfind("\n", 0, self._at) + 1) + 1
        raise TemplateError(f"expected {expected}, found {found}", line, column)
