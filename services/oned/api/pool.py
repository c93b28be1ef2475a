"""The document of a pool, which may be far larger than what a process should hold.

A handler answers one without reading a row; rows are read in batches while the answer is written. A document
that fits into WHOLE_MAX characters is gathered first, so that a fault still becomes an error reply.
"""

from __future__ import annotations

from collections.abc import Iterator

# Larger documents are sent while they are read. In characters; 1,400 VMs in short form have 1.5 million.
WHOLE_MAX = 2_000_000


class PoolDocument:
    """``<ROOT>``, the documents of the rows, ``tail`` and ``</ROOT>``; to be read once, then closed.

    rows: lists of documents, each one or more elements below the root.
    """

    __slots__ = ("_kept", "_rows", "is_whole", "root", "tail")

    def __init__(self, root: str, rows: Iterator[list[str]], tail: str = "") -> None:
        self.root = root
        self.tail = tail
        self.is_whole = False
        self._rows = rows
        self._kept: list[list[str]] = []

    def gather(self, limit: int = WHOLE_MAX) -> bool:
        """Read until everything or more than ``limit`` characters are there; whether it is everything."""
        size = 0
        for batch in self._rows:
            self._kept.append(batch)
            size += sum(map(len, batch))
            if size > limit:
                return False
        self.is_whole = True
        return True

    def batches(self) -> Iterator[list[str]]:
        """The rows' documents, those that are gathered already first; memory is given back on the way."""
        kept, self._kept = self._kept, []
        kept.reverse()
        while kept:
            yield kept.pop()
        yield from self._rows

    def pieces(self) -> Iterator[str]:
        """The text of the document, piece by piece."""
        yield f"<{self.root}>"
        for batch in self.batches():
            yield "".join(batch)
        yield f"{self.tail}</{self.root}>"

    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces())

    def close(self) -> None:
        """Stop reading; the statement ends. Harmless when all was read."""
        close = getattr(self._rows, "close", None)
        if close is not None:
            close()
