"""Numbers and yes/no words in attributes, read as OpenNebula reads them.

Blanks may precede a number; anything behind it makes it no number at all. Only YES, in any case, means yes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

_WHOLE = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)\Z")
_DECIMAL = re.compile(r"[ \t\n\v\f\r]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\Z")
_LEADING = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")
_LARGEST = 2**63 - 1
INT_LARGEST = 2**31 - 1
_FLOAT_LARGEST = (2 - 2**-23) * 2.0**127


def whole(text: str | None, largest: int = _LARGEST) -> int | None:
    """The integer in a text, or None when it is absent, no integer or too large."""
    match = _WHOLE.match(text or "")
    if match is None:
        return None
    number = int(match.group(1))
    return number if -largest - 1 <= number <= largest else None


def decimal(text: str | None) -> float | None:
    """The number in a text in single precision, or None when it is absent or no (finite) number."""
    match = _DECIMAL.match(text or "")
    if match is None:
        return None
    number = float(match.group(1))
    if abs(number) > _FLOAT_LARGEST:
        return None
    return float(struct.unpack("f", struct.pack("f", number))[0])


def decimal_text(number: float) -> str:
    """A number with six significant digits, as documents hold them (``0.5``, ``1e+06``)."""
    return f"{number:g}"


def is_yes(text: str | None) -> bool:
    """Whether a text is YES in any case."""
    return (text or "").upper() == "YES"


def ids(text: str | None) -> list[int]:
    """The different numbers of a list ``3,1,2``, ascending; pieces without a number are passed over."""
    found = (_LEADING.match(piece) for piece in (text or "").split(","))
    return sorted({int(match.group(1)) for match in found if match is not None})


def joined(numbers: Iterable[int]) -> str:
    """A list of numbers as documents hold it: ascending, separated by commas."""
    return ",".join(str(number) for number in sorted(set(numbers)))
