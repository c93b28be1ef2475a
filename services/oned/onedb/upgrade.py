"""``upgrade``: brings the tables of an older release to this one's, on a copy that then takes their place.

Back up, put the backup into a copy, change the copy, check and repair it, exchange: whatever fails or is
interrupted before the last step leaves the database as it was. Where the user of a MySQL server may not make
another database, the tables are changed where they are and put back from the backup after a failure. Two
upgrades that are started at once run one after the other; the second finds nothing to do.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.oned.fsck import repair
from services.oned.onedb import backup, fsck, migrate, version
from services.oned.onedb.errors import OnedbError
from services.oned.onedb.migrate import Plan
from services.oned.onedb.target import Target, require_stopped
from services.oned.store import DatabaseError, Store, copies
from services.oned.store.versions import Versions
from services.oned.version import SCHEMA_VERSION

_NO_VERSION = 254  # as OpenNebula's command, when the version cannot be read
_FAULTS = (DatabaseError, OnedbError, ValueError, LookupError)


def upgrade(target: Target, options: Namespace) -> int:
    """Upgrade, or with dry_run only rehearse; 0 when the database is up to date then, or would be.

    Raises OnedbError, saying what became of the database.
    """
    if options.version not in (None, SCHEMA_VERSION):
        raise OnedbError(
            f"cannot upgrade to version {options.version}, this release has {SCHEMA_VERSION} only"
        )
    if not options.dry_run:
        require_stopped(target)
    store = target.store()
    if not options.dry_run:
        require_stopped(target, store)
    try:
        with copies.alone(target.conf, store):
            copies.settle(target.conf, store)
            return _upgrade(target, store, options)
    except DatabaseError as error:
        raise OnedbError(error.message) from None


def _upgrade(target: Target, store: Store, options: Namespace) -> int:
    try:
        found = version.read(target, store)
    except OnedbError as error:
        raise OnedbError(f"{error}\nThere was a failure retrieving the DB version.", _NO_VERSION) from None
    if not (found.is_older or found.is_newer):
        print("Database schema is up to date.")
        return 0
    plan = migrate.plan(found)
    if options.verbose:
        print(f"Version read:\nShared tables {found.shared.version} : {found.shared.comment}")
        print(f"Local tables  {found.local.version} : {found.local.comment}\n")
    times = Times()
    saved: Path | None = None
    if not (options.no_backup or options.dry_run):
        with times.of("backing up"):
            file = Path(options.backup) if options.backup else None
            saved = backup.write(target, store, file, force=options.force)
    try:
        copy = _copied(target, store, saved, times)
    except copies.NoCopy as refusal:
        if options.dry_run:
            raise OnedbError(f"the rehearsal needs a copy: {refusal.message}. Nothing was changed.") from None
        print(f"The tables are changed where they are: {refusal.message}.")
        _in_place(target, store, saved, found, plan, verbose=options.verbose)
        return 0
    _on_copy(target, store, copy, found, plan, times, options)
    return 0


def _copied(target: Target, store: Store, saved: Path | None, times: Times) -> Store:
    """A copy of the database, made from its backup, which proves at once that the backup can be restored."""
    dump = saved or copies.dump_file(target.conf, target.backup_file())
    try:
        with times.of("copying"):
            if saved is None:
                backup.save(store, dump)
            return copies.make(target.conf, store, dump)
    finally:
        if saved is None:
            dump.unlink(missing_ok=True)


def _on_copy(
    target: Target, store: Store, copy: Store, found: Versions, plan: Plan, times: Times, options: Namespace
) -> None:
    try:
        with times.of("changing"):
            migrate.run(copy, found, plan, verbose=options.verbose)
        with times.of("checking"):
            migrate.verify(copy)
            outcome = repair.repair(copy, target.zone_id)
        fsck.report(outcome, only_found=True)
        if options.dry_run:
            copies.remove(target.conf, store, copy)
        else:
            copies.take_place(target.conf, store, copy)
    except _FAULTS as error:
        print(f"\nThe upgrade failed: {error}")
        copies.remove(target.conf, store, copy)
        raise OnedbError("The database is as it was before the upgrade.") from None
    if options.verbose or options.dry_run:
        print(f"\n{times}")
    if options.dry_run:
        print(f"An upgrade will take about {max(1, round(times.total_s))} s. Nothing was changed.")


def _in_place(
    target: Target, store: Store, saved: Path | None, found: Versions, plan: Plan, *, verbose: bool
) -> None:
    try:
        migrate.run(store, found, plan, verbose=verbose)
        migrate.verify(store)
        fsck.report(repair.repair(store, target.zone_id), only_found=True)
    except _FAULTS as error:
        store.close()
        print(f"\nThe upgrade failed: {error}")
        _put_back(target, saved)


def _put_back(target: Target, saved: Path | None) -> None:
    """Restore the backup after a failure. Raises OnedbError in any case."""
    if saved is None:
        raise OnedbError(
            "WARNING: No backup has been restored as --no-backup flag was set. The database may be between "
            "two versions: upgrade again once the reason is gone, or restore a backup of your own."
        )
    print("The database will be restored")
    try:
        backup.put_back(target, saved, force=True)
    except OnedbError as error:
        raise OnedbError(f"{error}\nThe database could not be restored; its backup is {saved}.") from None
    raise OnedbError("The database is as it was before the upgrade.")


class Times:
    """How long the parts of an upgrade took."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, float]] = []

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Measure a part."""
        began = time.monotonic()
        yield
        self._parts.append((part, time.monotonic() - began))

    @property
    def total_s(self) -> float:
        """All of them together."""
        return sum(seconds for _, seconds in self._parts)

    def __str__(self) -> str:
        parts = ", ".join(f"{part} {seconds:.2f}s" for part, seconds in self._parts)
        return f"Total time: {self.total_s:.2f}s ({parts})"
