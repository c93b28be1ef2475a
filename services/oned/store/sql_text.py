"""SQL as text: values written into a dump, and statements read back from one.

The dumps of MySQL's and MariaDB's own programs are read, too. In all of them a statement ends with a line,
and lines do not end inside values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

_ESCAPES = str.maketrans({
    "\\": "\\\\",
    "'": "\\'",
    "\0": "\\0",
    "\n": "\\n",
    "\r": "\\r",
    "\x1a": "\\Z",
})  # fmt: skip
# Quoted texts that are complete; what remains of them tells that a statement goes on.
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*+'|\"(?:[^\"\\]|\\.)*+\"|`[^`]*`|/\*.*?\*/", re.DOTALL)


class IncompleteDump(ValueError):
    """A dump that ends in the middle of a statement."""


def literal(value: Any) -> str:
    """A value as MySQL reads it in its default mode, on one line."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"0x{value.hex()}" if value else "''"
    if isinstance(value, str):
        return f"'{value.translate(_ESCAPES)}'"
    return str(int(value)) if isinstance(value, bool) else repr(value)


def mysql_statements(lines: Iterable[str]) -> Iterator[str]:
    """The statements of a MySQL dump. Raises IncompleteDump at its end."""
    begun: list[str] = []
    for line in lines:
        if line.startswith(("--", "#")) or not (begun or line.strip()):
            continue
        begun.append(line)
        text = "".join(begun) if line.rstrip().endswith((";", "*/")) else ""
        # What is left of quoted texts that end later is a quotation mark.
        rest = _QUOTED.sub("", text).strip() if text else "not yet"
        if not rest:
            begun = []  # a comment alone
        elif rest.endswith(";") and not any(mark in rest for mark in ("'", '"', "`", "/*")):
            yield text
            begun = []
    if begun:
        raise IncompleteDump(f"it ends in the middle of a statement: {''.join(begun)[:60]!r}")


def sqlite_statements(lines: Iterable[str]) -> Iterator[str]:
    """The statements of an SQLite dump. Raises IncompleteDump at its end."""
    import sqlite3

    begun: list[str] = []
    for line in lines:
        if not begun and (not line.strip() or line.startswith("--")):
            continue
        begun.append(line)
        if line.rstrip().endswith(";"):
            text = "".join(begun)
            if sqlite3.complete_statement(text):
                yield text
                begun = []
    if begun:
        raise IncompleteDump(f"it ends in the middle of a statement: {''.join(begun)[:60]!r}")
