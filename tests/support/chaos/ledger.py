"""What the front-end has acknowledged during a storm, and what it may have done without an answer."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field

ACKNOWLEDGED, REFUSED, UNANSWERED = "acknowledged", "refused", "unanswered"


@dataclass
class Ledger:
    """Facts by object (``("VM", 7)``); every name and every note has one writer.

    made: id by kind and name, None when the call had no answer. gone: acknowledged deletions. maybe_gone:
    those without an answer. notes: for each note the last acknowledged value and the unanswered ones since.
    did: acknowledged deeds of a VM. recovered: VMs for which somebody has said how a driver's work ended.
    """

    made: dict[tuple[str, str], int | None] = field(default_factory=dict)
    gone: set[tuple[str, int]] = field(default_factory=set)
    maybe_gone: set[tuple[str, int]] = field(default_factory=set)
    notes: dict[tuple[str, int, str], list[str]] = field(default_factory=dict)
    did: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    recovered: set[int] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    by_deed: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, deed: str, outcome: str) -> None:
        """One call more."""
        with self.lock:
            self.calls[outcome] += 1
            if outcome == ACKNOWLEDGED:
                self.by_deed[deed] += 1

    def progress(self) -> int:
        """How many calls were acknowledged so far."""
        return self.calls[ACKNOWLEDGED]

    def created(self, kind: str, name: str, oid: int | None) -> None:
        """An object was asked for under a name that nobody else uses; ``oid`` None: there was no answer."""
        with self.lock:
            self.made[kind, name] = oid

    def deleted(self, kind: str, oid: int, outcome: str) -> None:
        """An object was to be deleted."""
        with self.lock:
            if outcome == ACKNOWLEDGED:
                self.gone.add((kind, oid))
            elif outcome == UNANSWERED:
                self.maybe_gone.add((kind, oid))

    def noted(self, kind: str, oid: int, note: str, value: str, outcome: str) -> None:
        """A note was written into an object's template."""
        with self.lock:
            values = self.notes.setdefault((kind, oid, note), [""])
            if outcome == ACKNOWLEDGED:
                values[:] = [value]
            elif outcome == UNANSWERED:
                values.append(value)

    def done(self, vm_id: int, event: str) -> None:
        """An event of a VM's life-cycle was asked for, and acknowledged."""
        with self.lock:
            self.did[vm_id][event] += 1

    def fault(self, text: str) -> None:
        """Something that must not happen, seen while the storm is on."""
        with self.lock:
            self.faults.append(text)
