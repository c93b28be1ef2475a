"""How to break the zone of breakable.py by hand, and the lines that must be found then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.oned.store import Tx

Spoil = Callable[[Tx], object]


@dataclass(frozen=True)
class Break:
    """One contradiction. ``lines`` are all that is found, unless it ``has_more`` that goes with it.

    on_sqlite_only: MariaDB does not let such a thing happen.
    """

    name: str
    spoil: Spoil
    lines: tuple[str, ...]
    has_more: bool = False
    on_sqlite_only: bool = False


def sql(*statements: str) -> Spoil:
    """Run statements; each must change something."""

    def spoil(tx: Tx) -> None:
        for statement in statements:
            assert tx.run(statement), statement

    return spoil


def body(table: str, oid: int, *changes: tuple[str, str], key: str = "oid") -> Spoil:
    """Replace texts of a document; each must be there."""

    def spoil(tx: Tx) -> None:
        row = tx.one(f"SELECT body FROM {table} WHERE {key} = ?", oid)
        assert row is not None
        text = row[0]
        for old, new in changes:
            assert old in text, f"{old} is not in {text}"
            text = text.replace(old, new, 1)
        tx.run(f"UPDATE {table} SET body = ? WHERE {key} = ?", text, oid)

    return spoil


def both(*spoils: Spoil) -> Spoil:
    """One after the other."""

    def spoil(tx: Tx) -> None:
        for each in spoils:
            each(tx)

    return spoil
