"""The XPath expressions of ``oneacct --xpath``: ``HISTORY[ETIME>0]``, ``HISTORY[VM/GID=1 and HID!="3"]``.

Understood are comparisons (= != < <= > >=) of the text at a path below a record with a number or a quoted
text, and paths alone (they exist), joined by ``and`` and ``or`` (``and`` binds closer), in any number of
brackets. The standard library's own XPath has no comparisons.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

from services.cli.documents import text_of
from services.cli.errors import CliError

Test = Callable[[Element], bool]

_WHOLE = re.compile(r"/{0,2}(\w+)((?:\[[^\]]*\])*)")
_TERM = re.compile(
    r"""(?P<path>[A-Za-z_][\w/]*)(?:\s*(?P<sign>!=|<=|>=|=|<|>)\s*(?P<value>-?\d+(?:\.\d+)?|"[^"]*"|'[^']*'))?"""
)
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def test(expression: str, tag: str) -> Test:
    """Whether a record of that tag is found by the expression. Raises CliError."""
    whole = _WHOLE.fullmatch(expression.strip())
    if whole is None or whole[1] != tag:
        raise CliError(f"--xpath: expected {tag}[PATH=VALUE and ...], found {expression!r}.")
    brackets = [_condition(text, expression) for text in re.findall(r"\[([^\]]*)\]", whole[2])]
    return lambda record: all(fits(record) for fits in brackets)


def _condition(text: str, expression: str) -> Test:
    choices = [
        [_term(term, expression) for term in re.split(r"\s+and\s+", choice)]
        for choice in re.split(r"\s+or\s+", text)
    ]
    return lambda record: any(all(fits(record) for fits in choice) for choice in choices)


def _term(text: str, expression: str) -> Test:
    found = _TERM.fullmatch(text.strip())
    if found is None:
        raise CliError(f"--xpath: {text.strip()!r} is not understood in {expression!r} (PATH=VALUE is).")
    path, sign, value = found["path"], found["sign"], found["value"]
    if sign is None:
        return lambda record: record.find(path) is not None
    if value[0] in "\"'" and sign in ("=", "!="):
        expected = value[1:-1]
        return lambda record: (
            record.find(path) is not None and (text_of(record, path) == expected) == (sign == "=")
        )
    number, compare = _number(value.strip("\"'")), _SIGNS[sign]

    def fits(record: Element) -> bool:
        actual = _number(text_of(record, path))
        return actual is not None and number is not None and compare(actual, number)

    return fits


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
