"""Log lines in OpenNebula's layout: ``Sat Nov 21 03:14:38 2026 [Z0][ReM][I]: text``."""

from __future__ import annotations

import logging
import sys
import time
from logging.handlers import WatchedFileHandler
from pathlib import Path

# OpenNebula's DEBUG_LEVEL 4 and 5: lines that every call would write.
DDEBUG = 5
_LETTERS = {
    logging.ERROR: "E",
    logging.CRITICAL: "E",
    logging.WARNING: "W",
    logging.INFO: "I",
    logging.DEBUG: "D",
    DDEBUG: "D",
}
_LEVELS = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG}


class _Layout(logging.Formatter):
    def __init__(self, zone_id: int) -> None:
        super().__init__()
        self._zone_id = zone_id

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(record.created))
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        module = record.name.rsplit(".", 1)[-1]
        return f"{stamp} [Z{self._zone_id}][{module}][{_LETTERS.get(record.levelno, 'I')}]: {text}"


def setup(file: Path | None, debug_level: int = 2, zone_id: int = 0) -> None:
    """Send log lines to standard error and, when given, to a file that log rotation may move away.

    debug_level: OpenNebula's DEBUG_LEVEL, 0 errors to 3 debug; 4 and above add what is of interest seldom.
    """
    root = logging.getLogger()
    root.setLevel(_LEVELS.get(debug_level, DDEBUG if debug_level > 3 else logging.INFO))
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(WatchedFileHandler(file))
    for handler in handlers:
        handler.setFormatter(_Layout(zone_id))
    root.handlers = handlers
