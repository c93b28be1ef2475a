"""Looking at a database and repairing it, also while the front-end works on it.

Looking is one read of a single moment, so that a call that is half-way is either seen whole or not at all.
Each subject in which something was found is then repaired in a transaction of its own: it locks the counters
first and counts again, because what was found may have changed since; who changes what is counted needs the
same locks. What one subject's repair brings to light in another is found in the next round.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.oned import fsck
from services.oned.errors import NotFoundError
from services.oned.fsck.finding import Subject
from services.oned.fsck.zone import Zone
from services.oned.store import Store, Tx, consistency

_ROUNDS_MAX = 4


@dataclass(frozen=True)
class Outcome:
    """What was found: the lines of what is repaired, and of what is not."""

    repaired: list[str]
    unrepaired: list[str]

    @property
    def found(self) -> int:
        """How many contradictions there were."""
        return len(self.repaired) + len(self.unrepaired)


def look(store: Store, zone_id: int = 0) -> Outcome:
    """What is wrong; nothing is changed. Raises DatabaseError."""
    return Outcome([], [line for _, line, _ in _look(store, zone_id)])


def repair(store: Store, zone_id: int = 0) -> Outcome:
    """Repair what can be repaired. Raises DatabaseError."""
    lines: dict[str, None] = {}
    found = _look(store, zone_id)
    for _ in range(_ROUNDS_MAX):
        concerned = {subject.name for subject, _, can_repair in found if can_repair}
        if not concerned:
            break
        for subject in fsck.SUBJECTS:
            if subject.name in concerned:
                lines.update(dict.fromkeys(_repair(store, zone_id, subject)))
        found = _look(store, zone_id)
    left = [line for _, line, _ in found]
    return Outcome([line for line in lines if line not in left], left)


def _look(store: Store, zone_id: int) -> list[tuple[Subject, str, bool]]:
    with store.snapshot() as tx:
        found = fsck.findings(Zone(tx, zone_id))
    return [(subject, finding.text, finding.fix is not None) for subject, finding in found]


def _repair(store: Store, zone_id: int, subject: Subject) -> list[str]:
    """The lines of what was repaired, or tried to be."""

    def run(tx: Tx) -> list[str]:
        for table in subject.locks:
            consistency.lock_rows(tx, table)
        zone = Zone(tx, zone_id)
        done = []
        for finding in fsck.of_subject(zone, subject):
            if finding.fix is None or zone.unreadable:
                continue
            try:
                finding.fix(tx)
            except NotFoundError:  # deleted since: then nothing about it is wrong
                continue
            done.append(finding.text)
        return done

    return store.run(run, one_moment=True)
