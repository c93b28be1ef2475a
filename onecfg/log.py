"""The command's messages on standard error: ``LEVEL : text``, the level five wide."""

from __future__ import annotations

import sys

_LEVELS = {"DEBUG": 0, "INFO": 1, "WARN": 2, "ERROR": 3, "FATAL": 4, "ANY": 5}


class Log:
    """Prints messages of its level and above; ANY always."""

    def __init__(self, level: str = "WARN") -> None:
        self._lowest = _LEVELS[level]

    def say(self, level: str, text: str) -> None:
        """Print one message; line ends and control characters in it are shown, not printed."""
        if _LEVELS[level] < self._lowest:
            return
        shown = "".join(
            part if part.isprintable() else part.encode("unicode_escape").decode() for part in text
        )
        print(f"{level:<5} : {shown}", file=sys.stderr)
