"""Types of arguments and options: text in, value out, or one clear refusal.

Ids of objects are types too: ``vmid`` is an id or a name, ``vmid_list`` a list (1,3,web) with ranges (0..5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from services.cli import kinds
from services.cli.errors import CliError, closest
from services.cli.kinds import Kind

ALL_OBJECTS = -10  # in a VDC: every object of that sort, also those to come
_RANGE_LIMIT = 100_000


class Names:
    """Finds objects by name; each pool is read at most once a command."""

    def __init__(self, visit: Callable[[Kind, Callable[[Any], object]], None]) -> None:
        """visit: calls a function with every member of a pool (Invocation.visit)."""
        self._visit = visit
        self._pools: dict[str, list[tuple[int, str]]] = {}

    def pool(self, kind: Kind) -> list[tuple[int, str]]:
        """(id, name) of every object of that kind that the user may see."""
        if kind.rpc not in self._pools:
            found: list[tuple[int, str]] = []
            self._visit(kind, lambda m: found.append((int(m.findtext("ID", "-1")), m.findtext("NAME", ""))))
            self._pools[kind.rpc] = found
        return self._pools[kind.rpc]

    def find(self, kind: Kind, name: str) -> int:
        """The id of the one object of that name. Raises CliError."""
        pool = self.pool(kind)
        ids = [oid for oid, candidate in pool if candidate == name]
        if len(ids) == 1:
            return ids[0]
        if ids:
            listed = ", ".join(map(str, sorted(ids)))
            raise CliError(f"There are multiple {kind.name}s with name {name} (ids {listed}); give the id.")
        best = closest(name, (candidate for _, candidate in pool))
        raise CliError(f"{kind.name} named {name} not found." + (f" Did you mean {best}?" if best else ""))

    def name_of(self, kind: Kind, oid: int) -> str | None:
        """The name of an object, or None when it cannot be seen."""
        return dict(self.pool(kind)).get(oid)


def convert(type_name: str, text: str, what: str, names: Names) -> Any:
    """The value of an argument or option. ``what`` names it in errors. Raises CliError."""
    if type_name in kinds.BY_ARG:
        return object_id(kinds.BY_ARG[type_name], text, names)
    if type_name.endswith("_or_all"):  # members of a VDC
        return ALL_OBJECTS if text.upper() == "ALL" else convert(type_name[:-7], text, what, names)
    if type_name.endswith("id_list") and type_name.removesuffix("_list") in kinds.BY_ARG:
        return object_ids(kinds.BY_ARG[type_name.removesuffix("_list")], text, names)
    try:
        return _CONVERTERS[type_name](text)
    except ValueError as error:
        raise CliError(f"{what}: {error}") from None


def object_id(kind: Kind, text: str, names: Names) -> int:
    """The id that a text means: the number itself, or the object of that name."""
    return int(text) if _is_number(text) else names.find(kind, text)


def object_ids(kind: Kind, text: str, names: Names) -> list[int]:
    """The ids that a list means: 1,3,web or 0..5 or both."""
    ids: list[int] = []
    for part in text.split(","):
        found = range_of(part)
        if found:
            ids += found
        elif part:
            ids.append(object_id(kind, part, names))
    if not ids:
        raise CliError(f"Expected ids or names of {kind.name}s (7 or 0..5 or 1,3,name), found {text!r}.")
    return ids


def range_of(text: str) -> list[int]:
    """The ids of a range (0..5), none for any other text. Raises CliError for one that is no good."""
    first, dots, last = text.partition("..")
    if not dots or not _is_number(first) or not _is_number(last):
        return []
    if int(first) > int(last):
        raise CliError(f"Range {text}: the first id is larger than the last.")
    if int(last) - int(first) >= _RANGE_LIMIT:
        raise CliError(f"Range {text}: more than {_RANGE_LIMIT} ids.")
    return list(range(int(first), int(last) + 1))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"expected a whole number, found {text!r}") from None


def _count(text: str) -> int:
    if not _is_number(text) or not 1 <= int(text) <= 10_000:
        raise ValueError(f"expected a number from 1 to 10000, found {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise ValueError(f"expected seconds, found {text!r}")
    return value


def _decimal(text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < 1e9:
        raise ValueError(f"expected a number above 0, found {text!r}")
    return text


def _memory_mb(text: str) -> int:
    """Memory in MiB; k, m, g and t (with or without b) are understood, m is meant when none is given."""
    lowered = text.lower().removesuffix("b")
    factor = {"k": 1 / 1024, "m": 1.0, "g": 1024.0, "t": 1024.0 * 1024}.get(lowered[-1:], 0.0)
    try:
        number = float(lowered[:-1] if factor else lowered) * (factor or 1.0)
    except ValueError:
        number = -1.0
    if not 1 <= number < 2**31:
        raise ValueError(f"expected memory such as 512, 512m or 2g, found {text!r}")
    return int(number)


def _octet(text: str) -> tuple[int, ...]:
    """Nine bits use, manage, admin for owner, group, other; 4 use, 2 manage, 1 admin."""
    if len(text) != 3 or any(digit not in "01234567" for digit in text):
        raise ValueError(f"expected three octal digits such as 640, found {text!r}")
    return tuple(int(digit) >> shift & 1 for digit in text for shift in (2, 1, 0))


def _mask(text: str) -> str:
    if text and (len(text) != 3 or any(digit not in "01234567" for digit in text)):
        raise ValueError(f"expected three digits from 0 to 7, found {text!r}")
    return text


def _date(text: str) -> Any:
    from services.cli import dates  # here: few commands know times

    return dates.parse(text)


def _size_mb(text: str) -> int:
    """A size in MiB, rounded up; m, g and t (with or without b) are understood."""
    lowered = text.strip().lower()
    lowered = lowered[:-1] if lowered[-2:-1] in ("m", "g", "t") and lowered.endswith("b") else lowered
    factor = {"m": 1.0, "g": 1024.0, "t": 1024.0 * 1024}.get(lowered[-1:], 0.0)
    try:
        number = float(lowered[:-1] if factor else lowered) * (factor or 1.0)
    except ValueError:
        number = -1.0
    if not 0 < number < 2**40:
        raise ValueError(f"expected a size such as 512, 512m, 20g or 1t, found {text!r}")
    return int(-(-number // 1))


def _time(text: str) -> int:
    """Seconds since 1970: given so, or as a date."""
    return int(text) if _is_number(text) and len(text) > 4 else int(_date(text).timestamp())


def _schedule(text: str) -> int | str:
    if text.startswith("+"):
        if not _is_number(text[1:]):
            raise ValueError(f"expected +SECONDS after the start of the machine, found {text!r}")
        return text
    return _time(text)


def _days(text: str) -> str:
    numbers = [word.strip() for word in text.split(",")]
    if not all(map(_is_number, numbers)):
        raise ValueError(f"expected days as numbers, such as 0,2,4, found {text!r}")
    return ",".join(numbers)


def _image_type(text: str) -> str:
    from services.cli.views.image import TYPES

    if text.strip().upper() not in TYPES:
        raise ValueError(f"expected one of {', '.join(TYPES)}, found {text!r}")
    return text.strip().upper()


def _ids(text: str) -> list[int]:
    """Ids without names, for what has none: 1,3 or 0..5."""
    ids: list[int] = []
    for part in text.split(","):
        ids += range_of(part) or ([int(part)] if _is_number(part) else [])
        if not part or not (ids and (_is_number(part) or ".." in part)):
            raise ValueError(f"expected ids such as 7, 1,3 or 0..5, found {text!r}")
    return ids


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _file(text: str) -> str:
    return text


_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "name": str,
    "file": _file,
    "integer": _integer,
    "count": _count,
    "seconds": _seconds,
    "decimal": _decimal,
    "memory": _memory_mb,
    "octet": _octet,
    "words": _words,
    "mask": _mask,
    "date": _date,
    "time": _time,
    "schedule": _schedule,
    "days": _days,
    "size_mb": _size_mb,
    "ids": _ids,
    "image_type": _image_type,
}


def known_types() -> Iterator[str]:
    """Every type name that a declaration may use."""
    yield from _CONVERTERS
    for arg in kinds.BY_ARG:
        yield arg
        yield f"{arg}_list"
        yield f"{arg}_or_all"
