"""What a driver's standard error says went wrong.

Source: drivers mark the text for the user with two marker lines; everything else are log lines.
"""

from __future__ import annotations

import re

_BLOCK = re.compile(
    r"^ERROR MESSAGE --8<-+[ \t]*\r?\n(.*?)^ERROR MESSAGE -+>8--[ \t]*\r?$", re.DOTALL | re.MULTILINE
)
_LAST_LINES = 3
# ssh says so of a node's first connection, timeout(1) of a program that is not there.
_REMARK = re.compile(r"Warning: Permanently added .* to the list of known hosts\.$")
_NO_ACTION = re.compile(r"timeout: failed to run command .(/[^\s'’]+).: No such file or directory$")
LENGTH_MAX = 2000


def error_text(stderr: str) -> str:
    """The marked messages of a failed action, else its last lines, else ''; at most LENGTH_MAX characters."""
    blocks = [text for block in _BLOCK.findall(stderr) if (text := block.strip())]
    if blocks:
        return "\n".join(blocks)[:LENGTH_MAX]
    lines = [
        _NO_ACTION.sub(r"there is no driver action \1 on the node", text)
        for line in stderr.splitlines()
        if (text := line.strip()) and "ERROR MESSAGE --" not in text and not _REMARK.match(text)
    ]
    return "\n".join(lines[-_LAST_LINES:])[-LENGTH_MAX:]
