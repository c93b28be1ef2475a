"""``upgrade``: brings the tables of an older release to this one's: back up, change, verify, or put back.

Each step is recorded in the transaction that makes it, so an upgrade that was interrupted goes on where it
stopped. Two that are started at once run one after the other; the second finds nothing to do.
"""

from __future__ import annotations

import time
from argparse import Namespace
from functools import partial
from pathlib import Path

from services.oned.fsck import documents
from services.oned.fsck.zone import Zone
from services.oned.onedb import backup, migrations, own_steps, version
from services.oned.onedb.errors import OnedbError
from services.oned.onedb.migrations import Step
from services.oned.onedb.target import Target, require_stopped
from services.oned.store import DatabaseError, Store, Tx, schema, tables, versions
from services.oned.store.versions import Record, Versions
from services.oned.version import OWN_SCHEMA_VERSION, SCHEMA_VERSION

_LOCK = "onebox_upgrade"
_NO_VERSION = 254  # as OpenNebula's command, when the version cannot be read


def upgrade(target: Target, options: Namespace) -> int:
    """Upgrade; 0 when the database is up to date then. Raises OnedbError, saying what became of it."""
    if options.version not in (None, SCHEMA_VERSION):
        raise OnedbError(
            f"cannot upgrade to version {options.version}, this release has {SCHEMA_VERSION} only"
        )
    require_stopped(target)
    store = target.store()
    require_stopped(target, store)
    try:
        with tables.exclusive(store, _LOCK):
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
    shared, local = _plan(found)
    if options.verbose:
        print(f"Version read:\nShared tables {found.shared.version} : {found.shared.comment}")
        print(f"Local tables  {found.local.version} : {found.local.comment}\n")
    saved: Path | None = None
    if not options.no_backup:
        file = Path(options.backup) if options.backup else None
        saved = backup.write(target, store, file, force=options.force)
    try:
        _run(store, found, shared, local, verbose=options.verbose)
        _verify(store)
    except (DatabaseError, OnedbError, ValueError, LookupError) as error:
        _put_back(target, store, saved, str(error))
    return 0


def _plan(found: Versions) -> tuple[list[Step], list[Step]]:
    """The steps of the shared and of the local tables. Raises OnedbError when there is no way."""
    if found.is_newer:
        raise OnedbError(
            f"the database is of version {found.shared.version} (shared), {found.local.version} (local) and "
            f"{found.own} (Onebox's own), newer than this release: {SCHEMA_VERSION}, {SCHEMA_VERSION} and "
            f"{OWN_SCHEMA_VERSION}. Nothing was changed."
        )
    # A slave's shared tables are the master's business.
    shared = (
        [] if found.is_slave else migrations.path(migrations.SHARED, found.shared.version, SCHEMA_VERSION)
    )
    local = migrations.path(migrations.LOCAL, found.local.version, SCHEMA_VERSION)
    if shared is None or local is None:
        raise OnedbError(
            f"databases of version {found.shared.version} (shared) and {found.local.version} (local) cannot "
            f"be upgraded by this release; supported are {', '.join(migrations.origins())}. Older ones are "
            "brought to one of these with OpenNebula's own onedb first. Nothing was changed."
        )
    return shared, local


# -- steps -------------------------------------------------------------------------------------------------
def _run(store: Store, found: Versions, shared: list[Step], local: list[Step], *, verbose: bool) -> None:
    began = time.monotonic()
    for name, steps, is_shared in (("shared", shared, True), ("local", local, False)):
        if steps:
            print(f"\n>>> Running migrators for {name} tables")
        for step in steps:
            _take(store, step, is_shared=is_shared, is_slave=found.is_slave)
            if verbose:
                print(f"  > {step.origin} to {step.target}: done")
    store.run(schema.create)
    for number in range(max(found.own, 1), OWN_SCHEMA_VERSION):
        store.run(partial(_take_own, number=number))
    store.run(lambda tx: versions.mark_own(tx, int(time.time())))
    if verbose:
        print(f"\nTotal time: {time.monotonic() - began:.2f}s")


def _take(store: Store, step: Step, *, is_shared: bool, is_slave: bool) -> None:
    for alter in step.alter:
        store.run(alter)
    comment = (
        f"Database migrated from {step.origin} to {step.target} (OpenNebula {step.target}) by onedb command."
    )

    def rewrite(tx: Tx) -> None:
        for part in step.rewrite:
            part(tx)
        record = Record(step.target, int(time.time()), comment)
        if is_shared:
            versions.add_shared(tx, record)
        else:
            versions.add_local(tx, record, is_slave)

    store.run(rewrite)
    print(comment)


def _take_own(tx: Tx, number: int) -> None:
    own_steps.STEPS[number - 1](tx)
    versions.add_own(tx, number + 1, int(time.time()), f"migrated from {number}")


# -- afterwards --------------------------------------------------------------------------------------------
def _verify(store: Store) -> None:
    """Raise OnedbError unless the tables are this release's and every document can be read."""
    with store.snapshot() as tx:
        found = versions.read(tx)
        wrong = schema.problems(tx)
        unreadable = [str(finding) for finding in documents.unreadable(Zone(tx))]
    if found is None or found.is_older or found.is_newer:
        wrong.append("the versions are not those of this release")
    if wrong or unreadable:
        raise OnedbError("; ".join([*wrong, *unreadable][:10]))


def _put_back(target: Target, store: Store, saved: Path | None, reason: str) -> None:
    """Restore the backup after a failure. Raises OnedbError in any case."""
    store.close()
    print(f"\nThe upgrade failed: {reason}")
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
