"""Points in time as the command's options take them."""

from __future__ import annotations

from datetime import datetime

from services.oned.onedb.errors import OnedbError

_FORMS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%Y-%m",
    "%Y",
)


def epoch_s(text: str) -> int:
    """Epoch seconds of a local time, as precise as it is given: 2023, 2023/06, 2023-06-14 08:30:00.

    Raises OnedbError.
    """
    for form in _FORMS:
        try:
            return int(datetime.strptime(text.strip().replace("/", "-"), form).timestamp())
        except ValueError:
            continue
    raise OnedbError(
        f"invalid time {text!r}, expected YYYY/MM/DD, also without day or month, or with HH:MM:SS"
    )
