"""What a row is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One edge. ``origin`` and ``target`` are conditions; the target ``=`` means unchanged."""

    origin: str
    event: str
    target: str
    effects: tuple[str, ...] = ()


def row(origin: str, event: str, target: str, effects: str = "") -> Row:
    """A row with its effects in one text."""
    return Row(origin, event, target, tuple(effects.split()))
