"""Searching the text that every VM keeps for it: ``KEY=value`` lines, with - . : written as _.

The same result on every database: OpenNebula has MySQL alone search, through a full-text index that leaves
out short words.
"""

from __future__ import annotations

import re

from services.oned.store.db import Tx
from services.oned.store.pools import Where

_PAIR = re.compile(r"[\w.\-/:]+=.*", re.DOTALL)
_ESCAPES = str.maketrans("-.:", "___")


def condition(tx: Tx, text: str) -> Where:
    """The condition for the VMs that a search finds; case does not matter.

    ``KEY=value``: the VM has an attribute of that name, whose value is that or begins with those words. Any
    other text: each of its words occurs somewhere.
    """
    where = Where()
    wanted = text.strip().translate(_ESCAPES)
    if not _PAIR.fullmatch(wanted):
        for word in wanted.split():
            _also_occurs(where, word)
    else:
        # The simple look comes first: it is cheap, and leaves few rows to the other one.
        _also_occurs(where, wanted)
        edge = "[^0-9A-Za-z_]"
        if tx.dialect == "mysql":
            quoted = re.sub(r"([^0-9A-Za-z_])", r"\\\1", wanted)
            where.also(
                "search_token REGEXP ?", f"(^|{edge}){quoted}{f'({edge}|$)' if _ends_word(wanted) else ''}"
            )
        else:
            quoted = re.sub(r"([*?\[])", r"[\1]", wanted.lower())
            after = f"{edge}*" if _ends_word(wanted) else "*"
            where.also("char(10) || lower(search_token) || char(10) GLOB ?", f"*{edge}{quoted}{after}")
    return where


def _ends_word(text: str) -> bool:
    return text[-1].isalnum() or text[-1] == "_"


def _also_occurs(where: Where, word: str) -> None:
    escaped = word.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    where.also("search_token LIKE ? ESCAPE '!'", f"%{escaped}%")
