"""Comparing values of change descriptors: text, numbers, true, false, nothing, lists and maps."""

from __future__ import annotations

from typing import Any

from onecfg.change import Change


def same(one: Any, other: Any, *, is_ordered: bool = True) -> bool:
    """Whether two values are the same, kinds included (1 is not true); the order of maps never counts."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            same(value, other[key], is_ordered=is_ordered) for key, value in one.items()
        )
    if isinstance(one, list):
        if len(one) != len(other):
            return False
        if is_ordered:
            return all(same(left, right) for left, right in zip(one, other, strict=True))
        left_over = list(other)
        for item in one:
            at = index(left_over, item, is_ordered=False)
            if at is None:
                return False
            del left_over[at]
        return True
    return bool(one == other)


def index(items: list[Any], value: Any, *, is_ordered: bool = True) -> int | None:
    """Place of the first item that is the same as the value."""
    return next((at for at, item in enumerate(items) if same(item, value, is_ordered=is_ordered)), None)


def list_steps(old: list[Any], new: list[Any]) -> tuple[list[Any], list[Any]] | None:
    """Items to take out and to append that lead from one list to the other; None when that is no way."""
    if any(index(items[:at], item) is not None for items in (old, new) for at, item in enumerate(items)):
        return None
    kept = 0
    removed = []
    for item in old:
        if kept < len(new) and same(item, new[kept]):
            kept += 1
        else:
            removed.append(item)
    added = new[kept:]
    if not kept or any(index(old, item) is not None for item in added):
        return None
    return removed, added


def tree_changes(old: Any, new: Any, path: tuple[str, ...] = ()) -> list[Change]:
    """The changes that lead from one value to the other, in the order of the file; removals come last."""
    if isinstance(old, dict) and isinstance(new, dict):
        found: list[Change] = []
        removals: list[Change] = []
        for key, value in old.items():
            if key in new:
                found += tree_changes(value, new[key], (*path, key))
            else:
                removals.append(Change("rm", path, key, old=value))
        found += [Change("ins", path, key, value) for key, value in new.items() if key not in old]
        return found + removals
    if same(old, new):
        return []
    if isinstance(old, list) and isinstance(new, list) and (steps := list_steps(old, new)):
        removed, added = steps
        return [Change("ins", path, None, item) for item in added] + [
            Change("rm", path, None, old=item) for item in removed
        ]
    return [Change("set", path[:-1], path[-1] if path else None, new, old=old)]
