"""Which addresses of a range are taken, and by whom, kept as the text that OpenNebula's database holds.

The text lists offset and owner of each lease by rising offset: ``" 0 68719476737 1 68719476738"``. A full
range of 65,534 addresses is more than a megabyte of it, so the common questions are answered by searching
the text: an owner's number has eleven digits or more, an offset at most ten, so that they cannot be confused.
Source: ALLOCATED of address ranges in databases of release 6.0.0.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

# A document with more leases would not fit into the database's column (16 MB).
COUNT_MAX = 500_000
_ID = 0xFFFFFFFF
_OFFSET_DIGITS = 10


class Holder(IntEnum):
    """Kinds of objects that hold leases; the values are those of the database."""

    VM = 0x1000000000
    NET = 0x4000000000
    VR = 0x4000000000000


class Lease(NamedTuple):
    """One taken address. ``oid`` is -1 for an address on hold, which counts as a VM's."""

    offset: int
    holder: Holder
    oid: int


class LeaseMap:
    """The leases of one range. An address is named by its offset from the range's first one."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        """Raises ValueError for a text that is no such list."""
        if text and (text[0] != " " or text[-1] == " " or "  " in text):
            text = "".join(f" {word}" for word in text.split())
        # The ends tell a list from other texts; looking at each of a megabyte's numbers would take long.
        ends = text[:200].split()[:2] + text[-200:].split()[-1:]
        if text.count(" ") % 2 or not all(word.isdecimal() for word in ends):
            raise ValueError(f"leases cannot be read: {text[:80]!r}")
        self._text = text

    @property
    def text(self) -> str:
        """The form of the database; empty without leases."""
        return self._text

    def __len__(self) -> int:
        return self._text.count(" ") // 2

    def __iter__(self) -> Iterator[Lease]:
        words = self._text.split()
        for offset, packed in zip(words[::2], words[1::2], strict=True):
            yield _lease(int(offset), int(packed))

    def __contains__(self, offset: int) -> bool:
        return self._text.find(f" {offset} ") >= 0

    def owner(self, offset: int) -> Lease | None:
        """The lease of an address, or None when it is free."""
        at = self._text.find(f" {offset} ")
        if at < 0:
            return None
        start = self._text.index(" ", at + 1) + 1
        return _lease(offset, int(self._word(start)))

    def add(self, offset: int, holder: Holder, oid: int) -> None:
        """Take a free address. Raises ValueError when it is taken."""
        if offset in self:
            raise ValueError(f"address {offset} is leased already")
        at = self._place(offset)
        self._text = f"{self._text[:at]} {offset} {holder | oid & _ID}{self._text[at:]}"

    def remove(self, offset: int, holder: Holder, oid: int) -> bool:
        """Free an address that this object holds; whether it did."""
        entry = f" {offset} {holder | oid & _ID}"
        at = f"{self._text} ".find(f"{entry} ")
        if at < 0:
            return False
        self._text = self._text[:at] + self._text[at + len(entry) :]
        return True

    def remove_owner(self, holder: Holder, oid: int, among: range | None = None) -> int:
        """Free what an object holds (among some offsets); the number of addresses."""
        before = list(self)
        kept = [
            lease
            for lease in before
            if lease[1:] != (holder, _signed(oid & _ID)) or (among is not None and lease.offset not in among)
        ]
        self._text = _join(kept)
        return len(before) - len(kept)

    def add_range(self, start: int, size: int, holder: Holder, oid: int) -> None:
        """Take ``size`` free addresses from ``start`` on. Raises ValueError when one of them is taken."""
        taken = list(self)
        if any(start <= lease.offset < start + size for lease in taken):
            raise ValueError(f"an address from {start} to {start + size - 1} is leased already")
        new = (Lease(offset, holder, oid) for offset in range(start, start + size))
        self._text = _join(sorted([*taken, *new]))

    def first_free(self, size: int) -> int | None:
        """The lowest free offset of a range with ``size`` addresses, or None."""
        low, high, count = 0, len(self._text), 0  # ``count`` entries lie before ``low``, without a gap
        while low < high:
            start, found = self._entry_at((low + high) // 2)
            before = count + self._text.count(" ", low, start) // 2
            if found == before:
                low, count = self._end_of(start), before + 1
            else:
                high = start
        return count if count < size else None

    def first_gap(self, count: int, size: int) -> int | None:
        """Where the first ``count`` free addresses in a row begin, in a range of ``size``; or None."""
        if count == 1:
            return self.first_free(size)
        start = 0
        for offset in self._offsets():
            if offset - start >= count:
                break
            start = max(start, offset + 1)
        return start if start + count <= size else None

    def any_beyond(self, size: int) -> bool:
        """Whether an address outside a range of that size is taken."""
        at = self._text.rfind(" ", 0, self._text.rfind(" ")) if self._text else -1
        return at >= 0 and int(self._word(at + 1)) >= size

    def any_in(self, start: int, size: int) -> bool:
        """Whether one of ``size`` addresses from ``start`` on is taken."""
        return any(start <= offset < start + size for offset in self._offsets())

    # -- searching -----------------------------------------------------------------------------------
    def _offsets(self) -> Iterator[int]:
        return map(int, self._text.split()[::2])

    def _word(self, start: int) -> str:
        end = self._text.find(" ", start)
        return self._text[start:] if end < 0 else self._text[start:end]

    def _entry_at(self, position: int) -> tuple[int, int]:
        """Where the entry around a position of the text begins, and its offset."""
        start = self._text.rfind(" ", 0, position + 1)
        word = self._word(start + 1)
        if len(word) > _OFFSET_DIGITS:  # that was the owner
            start = self._text.rfind(" ", 0, start)
            word = self._word(start + 1)
        return start, int(word)

    def _end_of(self, start: int) -> int:
        """Where the entry that begins at ``start`` ends."""
        owner = self._text.index(" ", start + 1)
        end = self._text.find(" ", owner + 1)
        return len(self._text) if end < 0 else end

    def _place(self, offset: int) -> int:
        """Where in the text an entry of that offset belongs."""
        low, high = 0, len(self._text)
        while low < high:
            start, found = self._entry_at((low + high) // 2)
            if found < offset:
                low = self._end_of(start)
            else:
                high = start
        return low


def _lease(offset: int, packed: int) -> Lease:
    holder = next((kind for kind in Holder if packed & kind), Holder.VM)
    return Lease(offset, holder, _signed(packed & _ID))


def _signed(oid: int) -> int:
    return oid - (1 << 32) if oid >> 31 else oid


def _join(leases: Iterable[Lease]) -> str:
    return "".join(f" {offset} {holder | oid & _ID}" for offset, holder, oid in leases)
