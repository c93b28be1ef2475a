"""``--watch`` and ``--delay``: the same output again and again.

On a terminal it is written over the one before, without flicker; elsewhere it is printed again when it has
changed, so that a log or a pipe gets what happened and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Callable
from typing import Any

_HOME, _CLEAR_LINE_END, _CLEAR_BELOW, _CLEAR = "\033[H", "\033[K", "\033[J", "\033[2J"
_LEAST_S = 0.1
_RETRIES_S = 60.0  # how long the front-end may be away (a restart) before the watch ends


def repeat(
    inv: Any, delay_s: float, show: Callable[[], object], *, count: int | None = None, always: bool = False
) -> int:
    """Call ``show``, which prints, every ``delay_s`` seconds until interrupted, or ``count`` times.

    always: print in a pipe also what has not changed (--delay, as OpenNebula's commands do).
    """
    before, is_first, away_s = "", True, 0.0
    while True:
        try:
            text, away_s = _printed(inv, show), 0.0
        except inv.endpoint_error as error:
            if is_first or away_s > _RETRIES_S:
                raise
            away_s += delay_s
            text = f"{before.rstrip()}\n\n{error}\n" if inv.is_terminal else before
        if inv.is_terminal:
            sys.stdout.write(_HOME + (_CLEAR if is_first else ""))
            sys.stdout.write(text.replace("\n", f"{_CLEAR_LINE_END}\n") + _CLEAR_BELOW)
        elif always or is_first or text != before:
            sys.stdout.write(text)
        sys.stdout.flush()
        before, is_first = (before if away_s else text), False
        count = count - 1 if count else count
        if count == 0:
            return 0
        time.sleep(max(delay_s, _LEAST_S))


def _printed(inv: Any, show: Callable[[], object]) -> str:
    """What ``show`` prints, cut at the height of the terminal."""
    output = io.StringIO()
    height = inv.terminal_height
    with contextlib.redirect_stdout(output):
        show()
    inv.forget()
    text = output.getvalue()
    if height is None:
        return text
    lines = text.splitlines()
    return "\n".join(lines[: height - 1]) + "\n"
