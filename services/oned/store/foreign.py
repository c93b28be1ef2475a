"""A MySQL dump put into an SQLite database: its tables and rows, whatever release they are of."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.oned.store import schema
from services.oned.store.restore import UnfitDump, statements

_CREATE = re.compile(
    r"\s*CREATE TABLE\s+(?:IF NOT EXISTS\s+)?`(\w+)`\s*\((.*)\)[^)]*;?\s*$", re.IGNORECASE | re.DOTALL
)
_COLUMN = re.compile(r"\s*`(\w+)`\s+(\w+)")
_KEY = re.compile(r"\s*(PRIMARY KEY|UNIQUE(?: KEY| INDEX)?)[^(]*\(([^)]*)\)", re.IGNORECASE)
_INSERT = re.compile(r"\s*INSERT (?:IGNORE )?INTO\s+`(\w+)`\s*(?:\(([^)]*)\)\s*)?VALUES\s*", re.IGNORECASE)
_VALUE = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\)\s*,?)|(?:_binary\s*)?'(?P<text>(?:[^'\\]|\\.|'')*+)'|(?P<hex>0x[0-9A-Fa-f]*)"
    r"|(?P<null>NULL)|(?P<number>-?[0-9.]+(?:[eE][-+]?[0-9]+)?)|(?P<comma>,)|(?P<end>;)|(?P<other>\S))",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)|''", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "Z": "\x1a", "b": "\b", "%": "\\%", "_": "\\_"}


def fill_sqlite(file: Path, dump: Path) -> None:
    """Make a database file from a MySQL dump. Raises UnfitDump; then there is none."""
    made = False
    try:
        with open(os.open(file, os.O_CREAT | os.O_EXCL, 0o600)):
            made = True
        database = sqlite3.connect(file, isolation_level=None)
        try:
            database.execute("BEGIN")
            tables: dict[str, list[str]] = {}
            for statement in statements(dump, "mysql"):
                _take(database, tables, statement)
            database.execute("COMMIT")
        finally:
            database.close()
    except (sqlite3.Error, OSError, ValueError) as error:
        if made:
            file.unlink()
        raise UnfitDump(f"{dump}: {error}") from None


def _take(database: sqlite3.Connection, tables: dict[str, list[str]], statement: str) -> None:
    """Take a statement over; tables: their columns so far, in the dump's order."""
    created, inserted = _CREATE.match(statement), _INSERT.match(statement)
    if created:
        columns, keys = _parts(created[2])
        tables[created[1]] = [name for name, _ in columns]
        database.execute(
            schema.definition(created[1], tables[created[1]]) or _definition(created[1], columns, keys)
        )
    elif inserted:
        listed = re.findall(r"`(\w+)`", inserted[2]) if inserted[2] else tables.get(inserted[1])
        if not listed:
            raise ValueError(f"it fills the table {inserted[1]}, which it does not make")
        names, marks = ", ".join(f'"{name}"' for name in listed), ",".join("?" * len(listed))
        database.executemany(
            f'INSERT INTO "{inserted[1]}" ({names}) VALUES ({marks})', _rows(statement, inserted.end())
        )
    # What is left are settings of the session and locks: nothing that SQLite needs.


def _parts(body: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The columns (name, type) and the keys in the brackets of CREATE TABLE; one is on each line."""
    columns, keys = [], []
    for line in body.splitlines():
        column, key = _COLUMN.match(line), _KEY.match(line)
        if column:
            columns.append((column[1], column[2].upper()))
        elif key:
            kind = "PRIMARY KEY" if key[1].upper() == "PRIMARY KEY" else "UNIQUE"
            # That only a part of a text is indexed, `name`(20), is a matter of MySQL's.
            words = ", ".join(f'"{word}"' for word in re.findall(r"`(\w+)`", key[2]))
            keys.append(f"{kind} ({words})")
    return columns, keys


def _definition(table: str, columns: list[tuple[str, str]], keys: list[str]) -> str:
    """A table of another release."""
    parts = [f'"{name}" {_kind(type_name)}' for name, type_name in columns]
    return f'CREATE TABLE "{table}" ({", ".join([*parts, *keys])})'


def _kind(type_name: str) -> str:
    if type_name.endswith("INT") or type_name == "INTEGER":
        return "BIGINT" if type_name == "BIGINT" else "INTEGER"
    return "REAL" if type_name in ("DOUBLE", "FLOAT", "DECIMAL") else "TEXT"


def _rows(statement: str, start: int) -> Iterator[list[Any]]:
    row: list[Any] = []
    for found in _VALUE.finditer(statement, start):
        kind = found.lastgroup
        if kind == "open":
            row = []
        elif kind == "close":
            yield row
        elif kind == "text":
            row.append(_ESCAPE.sub(_character, found["text"]))
        elif kind == "hex":
            row.append(bytes.fromhex(found["hex"][2:]).decode())
        elif kind == "null":
            row.append(None)
        elif kind == "number":
            row.append(_number(found["number"]))
        elif kind == "other":
            raise ValueError(f"a row has {found['other']!r} where a value was expected")


def _number(text: str) -> int | float:
    """A number as SQLite reads it: a whole one that is too large for it becomes a floating one."""
    if not text.lstrip("-").isdecimal():
        return float(text)
    number = int(text)
    return number if -(1 << 63) <= number < 1 << 63 else float(number)


def _character(found: re.Match[str]) -> str:
    return "'" if found[1] is None else _ESCAPED.get(found[1], found[1])
