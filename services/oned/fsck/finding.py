"""What a check finds, and how a subject of checks is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.oned.store import Tx

if TYPE_CHECKING:  # its documents' checks make findings
    from services.oned.fsck.zone import Zone

Fix = Callable[[Tx], object]


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction. ``fix`` repairs it in a writing transaction; None where only a person can decide.

    A fix works on what it loads itself, because fixes before it may have changed the same object. One that
    finds that it cannot repair leaves everything as it is.
    """

    text: str
    fix: Fix | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Subject:
    """Checks that belong together and are repaired in one transaction.

    locks: tables whose rows are held while a repair counts again, those that hold the counters: a call that
    changes what is counted must wait for them, or has counted already.
    is_shared: what is repaired belongs to the master zone of a federation.
    is_own: it is about tables that only Onebox has, so a database of OpenNebula's may lack them.
    """

    name: str
    check: Callable[[Zone], Iterable[Finding]]
    locks: tuple[str, ...] = ()
    is_shared: bool = False
    is_own: bool = False
