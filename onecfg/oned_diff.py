"""Comparing two files of oned.conf's grammar."""

from __future__ import annotations

from collections.abc import Collection

from onecfg.change import Change
from onecfg.oned_text import Entry

# The sections (named by section name and identifier) and settings of a file, in their order.
_Place = tuple[str, str | None]


def changes(
    old: list[Entry], new: list[Entry], named: Collection[str], repeated: Collection[str]
) -> list[Change]:
    """The changes that lead from one to the other, in the order of the files."""
    before, after = _places(old, named), _places(new, named)
    found: list[Change] = []
    for place in [*before, *(place for place in after if place not in before)]:
        entries_old, entries_new = before.get(place, []), after.get(place, [])
        if place[0] in repeated:
            found += _of_values(place[0], entries_old, entries_new)
        elif any(entry.parts is not None for entry in [*entries_old, *entries_new]):
            found += _of_section(place, entries_old, entries_new)
        else:
            found += _of_setting(place[0], entries_old, entries_new)
    return found


def _places(entries: list[Entry], named: Collection[str]) -> dict[_Place, list[Entry]]:
    found: dict[_Place, list[Entry]] = {}
    for entry in entries:
        part = entry.part("NAME") if entry.name in named else None
        found.setdefault((entry.name, part.literal if part else None), []).append(entry)
    return found


def _of_values(name: str, old: list[Entry], new: list[Entry]) -> list[Change]:
    before, after = [entry.literal for entry in old], [entry.literal for entry in new]
    added = [Change("ins", (), name, value) for value in after if value not in before]
    removed = [
        Change("rm", (name,), None, old=value) for value in dict.fromkeys(before) if value not in after
    ]
    return [*added, *removed]


def _of_setting(name: str, old: list[Entry], new: list[Entry]) -> list[Change]:
    if not old:
        return [Change("ins", (), name, new[-1].literal)]
    if not new:
        return [Change("rm", (), name)]
    # Of a setting that is there twice the last one counts.
    if old[-1].literal != new[-1].literal:
        return [Change("set", (), name, new[-1].literal, old=old[-1].literal)]
    return []


def _of_section(place: _Place, old: list[Entry], new: list[Entry]) -> list[Change]:
    name, identity = place
    path = (name,) if identity is None else (name, identity)
    if not new:
        return [Change("rm", path[:-1], path[-1])]
    if old and (old[-1].parts is None) != (new[-1].parts is None):
        # A setting became a section, or the other way round.
        return [Change("rm", path[:-1], path[-1]), *_of_section(place, [], new)]
    if new[-1].parts is None:
        return _of_setting(name, [], new)
    before = {part.name: part.literal for part in old[-1].parts or ()} if old else {}
    after = {part.name: part.literal for part in new[-1].parts or ()}
    if identity is not None and not old:  # the identifying key comes first
        after = {"NAME": identity} | after
    found = [Change("ins", path, key, value) for key, value in after.items() if key not in before]
    found += [
        Change("set", path, key, value, old=before[key])
        for key, value in after.items()
        if key in before and before[key] != value
    ]
    return found + [Change("rm", path, key) for key in before if key not in after]
