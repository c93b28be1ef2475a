"""Requirement and rank expressions, read once and turned into functions.

Requirements: ``NAME op VALUE`` with ``=`` ``!=`` ``<`` ``>`` ``@>`` (contains), joined by ``&`` ``|`` ``!``
and parentheses. ``&`` and ``|`` bind equally and from the left, ``!`` binds tighter, as in OpenNebula. A text
is compared as a shell pattern; an attribute that is missing, or that is no number where one is needed, makes
a comparison false whatever its operator. Rank: numbers and names with ``+ - * /`` and parentheses; a name
without a number counts as 0, and so do a division by zero and a result that overflows.

Sources: requirement and rank expression syntax, virtual machine template reference.
"""

from __future__ import annotations

import fnmatch
import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

#: The values of an attribute, in document order; empty when there is none.
Look = Callable[[str], Sequence[str]]

MAX_LENGTH = 65536
MAX_DEPTH = 100

_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')
      | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.:*?/-]))
      | (?P<word>[A-Za-z0-9_*?/][A-Za-z0-9_.:*?/-]*)
      | (?P<sign>!=|@>|[=<>&|!()]))""",
    re.VERBOSE,
)
_RANK_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')
      | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>[-+*/()]))""",
    re.VERBOSE,
)
_NAME = re.compile(r"/?[A-Za-z_][\w.-]*(?:/[A-Za-z_][\w.-]*)*\Z")


class ExpressionError(ValueError):
    """An expression that cannot be read; the message says what was found and expected, and where."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A compiled requirement: ``evaluate`` says whether it holds for one object, ``names`` what it reads."""

    text: str
    evaluate: Callable[[Look], bool]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rank:
    """A compiled rank: ``evaluate`` gives a finite number for an object, ``names`` what it looks at."""

    text: str
    evaluate: Callable[[Look], float]
    names: frozenset[str]


@lru_cache(maxsize=4096)
def requirement(text: str) -> Requirement:
    """The function of a requirement; an empty text holds for everything. Raises ExpressionError."""
    return _RequirementReader(text).read()


@lru_cache(maxsize=4096)
def rank(text: str) -> Rank:
    """The function of a rank; an empty text ranks everything 0. Raises ExpressionError."""
    return _RankReader(text).read()


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    column: int

    @property
    def plain(self) -> str:
        """The text without its quotes."""
        return self.text[1:-1] if self.kind == "quoted" else self.text


class _Reader:
    """What both grammars share: tokens with their columns, names, and refusals."""

    pattern = _TOKEN

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"expression has {len(text)} characters, at most {MAX_LENGTH} are read")
        self.text = text
        self.names: set[str] = set()
        self._tokens = self._scan(text)
        self._at = 0
        self._depth = 0

    def _scan(self, text: str) -> list[_Token]:
        tokens: list[_Token] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            found = self.pattern.match(text, at)
            if found is None:
                column = at + len(text[at:]) - len(text[at:].lstrip())
                if text[column] in "\"'":
                    raise ExpressionError(f"text in quotes has no closing quote, at column {column + 1}")
                raise ExpressionError(f"unexpected {text[column]!r} at column {column + 1}")
            kind = found.lastgroup or ""
            tokens.append(_Token(kind, found.group(kind), found.start(kind) + 1))
            at = found.end()
        tokens.append(_Token("end", "", end + 1))
        return tokens

    def peek(self) -> _Token:
        return self._tokens[self._at]

    def take(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def takes(self, sign: str) -> bool:
        token = self.peek()
        if token.kind == "sign" and token.text == sign:
            self._at += 1
            return True
        return False

    def fail(self, expected: str) -> NoReturn:
        token = self.peek()
        found = repr(token.text[:40]) if token.kind != "end" else "the end"
        raise ExpressionError(f"expected {expected}, found {found} at column {token.column}")

    def name(self, expected: str) -> str:
        token = self.peek()
        if token.kind not in ("word", "quoted"):
            self.fail(expected)
        text = token.plain
        if not _NAME.match(text):
            raise ExpressionError(
                f"{text[:40]!r} is no attribute name (NAME or PATH/NAME), at column {token.column}"
            )
        self._at += 1
        self.names.add(text)
        return text

    def deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"parentheses and signs are nested deeper than {MAX_DEPTH}")

    def higher(self) -> None:
        self._depth -= 1


class _RequirementReader(_Reader):
    def read(self) -> Requirement:
        if self.peek().kind == "end":
            return Requirement(self.text, lambda look: True, frozenset())
        test = self._chain()
        if self.peek().kind != "end":
            self.fail("& or |")
        return Requirement(self.text, test, frozenset(self.names))

    def _chain(self) -> Callable[[Look], bool]:
        first = self._single()
        rest: list[tuple[bool, Callable[[Look], bool]]] = []
        while True:
            if self.takes("&"):
                rest.append((True, self._single()))
            elif self.takes("|"):
                rest.append((False, self._single()))
            else:
                break
        if not rest:
            return first

        def chain(look: Look) -> bool:
            value = first(look)
            for is_and, test in rest:  # from the left: the rest of a chain decides only where it can
                if value == is_and:
                    value = test(look)
            return value

        return chain

    def _single(self) -> Callable[[Look], bool]:
        if self.takes("!"):
            self.deeper()
            inner = self._single()
            self.higher()
            return lambda look: not inner(look)
        if self.takes("("):
            self.deeper()
            inner = self._chain()
            self.higher()
            if not self.takes(")"):
                self.fail("& or | or )")
            return inner
        return self._comparison()

    def _comparison(self) -> Callable[[Look], bool]:
        name = self.name("an attribute name, ! or (")
        token = self.peek()
        if token.kind != "sign" or token.text not in _NUMBER_TESTS:
            self.fail(f"=, !=, <, > or @> after {name}")
        sign = self.take().text
        value = self.peek()
        if value.kind == "number":
            self.take()
            return _number_test(name, sign, float(value.text))
        if value.kind not in ("word", "quoted"):
            self.fail(f"a number or a text after {name} {sign}")
        if sign in "<>":
            self.fail(f"a number after {name} {sign}")
        self.take()
        return _pattern_test(name, sign, value.plain)


_NUMBER_TESTS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "@>": operator.eq,
}  # fmt: skip


def _number_test(name: str, sign: str, wanted: float) -> Callable[[Look], bool]:
    compare = _NUMBER_TESTS[sign]
    if name == "CURRENT_VMS":
        return _member_test(sign, lambda value: number(value) == wanted)
    if sign == "@>":
        return lambda look: any(number(value) == wanted for value in look(name))

    def test(look: Look) -> bool:
        values = look(name)
        value = number(values[0]) if values else None
        return value is not None and compare(value, wanted)

    return test


def _pattern_test(name: str, sign: str, pattern: str) -> Callable[[Look], bool]:
    matches = re.compile(fnmatch.translate(pattern)).match
    if name == "CURRENT_VMS":
        return _member_test(sign, lambda value: matches(value) is not None)
    if sign == "@>":
        return lambda look: any(matches(value) for value in look(name))
    wanted = sign == "="

    def test(look: Look) -> bool:
        values = look(name)
        return bool(values) and (matches(values[0]) is not None) == wanted

    return test


def _member_test(sign: str, is_it: Callable[[str], bool]) -> Callable[[Look], bool]:
    """CURRENT_VMS compares with every VM of the host: ``=`` one of them is it, ``!=`` none of them is."""
    if sign in "<>":
        raise ExpressionError(f"CURRENT_VMS is compared with = or !=, found {sign}")
    wanted = sign != "!="
    return lambda look: any(map(is_it, look("CURRENT_VMS"))) == wanted


class _RankReader(_Reader):
    pattern = _RANK_TOKEN

    def read(self) -> Rank:
        if self.peek().kind == "end":
            return Rank(self.text, lambda look: 0.0, frozenset())
        value = self._sum()
        if self.peek().kind != "end":
            self.fail("+, -, * or /")

        def finite(look: Look) -> float:
            result = value(look)
            return result if math.isfinite(result) else 0.0

        return Rank(self.text, finite, frozenset(self.names))

    def _sum(self) -> Callable[[Look], float]:
        return self._folded(self._product, {"+": operator.add, "-": operator.sub})

    def _product(self) -> Callable[[Look], float]:
        return self._folded(self._single, {"*": operator.mul, "/": _divide})

    def _folded(
        self, part: Callable[[], Callable[[Look], float]], signs: dict[str, Callable[[float, float], float]]
    ) -> Callable[[Look], float]:
        first = part()
        rest: list[tuple[Callable[[float, float], float], Callable[[Look], float]]] = []
        while self.peek().kind == "sign" and self.peek().text in signs:
            rest.append((signs[self.take().text], part()))
        if not rest:
            return first

        def fold(look: Look) -> float:
            value = first(look)
            for apply, operand in rest:
                value = apply(value, operand(look))
            return value

        return fold

    def _single(self) -> Callable[[Look], float]:
        if self.takes("-"):
            self.deeper()
            inner = self._single()
            self.higher()
            return lambda look: -inner(look)
        if self.takes("("):
            self.deeper()
            inner = self._sum()
            self.higher()
            if not self.takes(")"):
                self.fail("an operator or )")
            return inner
        if self.peek().kind == "number":
            constant = float(self.take().text)
            return lambda look: constant
        name = self.name("a number, an attribute name, - or (")

        def value_of(look: Look) -> float:
            values = look(name)
            return (number(values[0]) if values else None) or 0.0

        return value_of


def _divide(left: float, right: float) -> float:
    return left / right if right else 0.0


def number(text: str) -> float | None:
    """The finite number that a text holds, None when it holds none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e308 else None
