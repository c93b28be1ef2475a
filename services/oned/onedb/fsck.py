"""``fsck``: looks for contradictions and repairs them, while the front-end works or not."""

from __future__ import annotations

import gc
from argparse import Namespace
from pathlib import Path

from services.common import paths
from services.oned.fsck import repair
from services.oned.fsck.repair import Outcome
from services.oned.onedb import backup, version
from services.oned.onedb.errors import OnedbError
from services.oned.onedb.target import Target
from services.oned.store import DatabaseError
from services.oned.version import SCHEMA_VERSION

_LOG = "onedb-fsck.log"
_UNREPAIRED = 1


def fsck(target: Target, options: Namespace) -> int:
    """Check and repair, after a backup; with --dry only check.

    0 when nothing was found or everything is repaired, 1 when something is not. Raises OnedbError.
    """
    store = target.store()
    found = version.read(target, store)
    if found.is_older or found.is_newer:
        raise OnedbError(
            f"Version mismatch: the database is of version {found.shared.version} (shared) and "
            f"{found.local.version} (local), expected {SCHEMA_VERSION} of both"
        )
    if not (options.dry or options.no_backup):
        file = Path(options.backup) if options.backup else None
        backup.write(target, store, file, force=options.force)
    # Everything that is read lives until the end: looking for garbage meanwhile costs a third of the time.
    gc.disable()
    try:
        outcome = repair.look(store, target.zone_id) if options.dry else repair.repair(store, target.zone_id)
    except DatabaseError as error:
        raise OnedbError(f"fsck aborted: {error.message}") from None
    finally:
        gc.enable()
    report(outcome)
    return _UNREPAIRED if outcome.unrepaired else 0


def report(outcome: Outcome, *, only_found: bool = False) -> None:
    """Print what was found and keep it as a file; only_found: say nothing when that is nothing."""
    if only_found and not outcome.found:
        return
    lines = [*outcome.repaired, *(f"[UNREPAIRED] {line}" for line in outcome.unrepaired)]
    totals = [
        f"Total errors found: {outcome.found}",
        f"Total errors repaired: {len(outcome.repaired)}",
        f"Total errors unrepaired: {len(outcome.unrepaired)}",
    ]
    print("\n".join([*lines, "", *totals] if lines else totals))
    file = paths.log() / _LOG
    try:
        file.write_text("\n".join([*lines, *totals]) + "\n", encoding="utf-8")
    except OSError as error:
        print(f"\nNo copy of this output could be stored in {file}: {error.strerror}")
    else:
        print(f"\nA copy of this output was stored in {file}")
