"""What a driver's standard error says went wrong.

Source: drivers mark the text for the user with two marker lines; everything else are log lines.
"""

from __future__ import annotations

import re

_BLOCK = re.compile(
    r"^ERROR MESSAGE --8<-+[ \t]*\r?\n(.*?)^ERROR MESSAGE -+>8--[ \t]*\r?$", re.DOTALL | re.MULTILINE
)
_LAST_LINES = 3
LENGTH_MAX = 2000


def error_text(stderr: str) -> str:
    """The marked messages of a failed action, else its last lines, else ''; at most LENGTH_MAX characters."""
    blocks = [text for block in _BLOCK.findall(stderr) if (text := block.strip())]
    if blocks:
        return "\n".join(blocks)[:LENGTH_MAX]
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and "ERROR MESSAGE --" not in line]
    return "\n".join(lines[-_LAST_LINES:])[-LENGTH_MAX:]
