"""How far a long wait is, on standard error and only on a terminal."""

from __future__ import annotations

import sys
import time

_FIRST_S = 1.0  # shorter waits are not worth a line


class Progress:
    """One line that is rewritten; leave the ``with`` and it is gone."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._is_shown = sys.stderr.isatty()
        self._is_dirty = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Say what is waited for, or how much is done."""
        waited_s = time.monotonic() - self._started
        if self._is_shown and waited_s >= _FIRST_S:
            sys.stderr.write(f"\r\033[K{text} ({waited_s:.0f} s)")
            sys.stderr.flush()
            self._is_dirty = True

    def clear(self) -> None:
        """Take the line away, before something else is printed."""
        if self._is_dirty:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self._is_dirty = False
