"""``adopt``: takes the database of an OpenNebula front-end over, from a dump, and says what it changed.

The dump goes into a copy, which is brought to this release, checked and repaired, and only then takes the
place of this front-end's database. oneadmin and serveradmin get this front-end's passwords: with those of
the dump neither its programs nor its operator could log in.
"""

from __future__ import annotations

import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.common import paths
from services.oned.auth import credentials
from services.oned.errors import OneError
from services.oned.fsck import repair
from services.oned.fsck.repair import Outcome
from services.oned.model.user import User
from services.oned.onedb import backup, fsck, inventory, migrate
from services.oned.onedb.errors import OnedbError
from services.oned.onedb.target import Target, require_stopped
from services.oned.store import (
    DatabaseError,
    Store,
    Tx,
    copies,
    foreign,
    pools,
    restore,
    schema,
    versions,
)
from services.oned.store.versions import Versions
from services.oned.version import SCHEMA_VERSION

_ONEADMIN = 0
_OWN_PREFIX = "onebox_"


def adopt(target: Target, options: Namespace) -> int:
    """Replace the database by that of a dump. 0 when a front-end can start on it; raises OnedbError."""
    require_stopped(target)
    store = Store.open(target.conf)
    try:
        require_stopped(target, store)
        with _dump(options.dump_file) as dump, copies.alone(target.conf, store):
            copies.settle(target.conf, store)
            restore.require_fit(dump, "mysql", federated=False)
            in_use = store.read_value(inventory.is_in_use)
            if in_use and not options.force:
                raise OnedbError(
                    f"The {target.name} holds objects already: adopt replaces all of it. Use -f to do that; "
                    "a backup is made first."
                )
            if in_use:
                backup.write(target, store, Path(options.backup) if options.backup else None)
            _adopt(target, store, dump, keeps_passwords=options.keep_passwords)
    except (DatabaseError, OneError) as error:
        raise OnedbError(f"{error}. The database is as it was.") from None
    finally:
        store.close()
    return 0


def _adopt(target: Target, store: Store, dump: Path, *, keeps_passwords: bool) -> None:
    began = time.monotonic()
    copy = None
    try:
        copy = copies.make(target.conf, store, dump, foreign.fill_sqlite if target.is_sqlite else None)
        found = _version(copy, dump)
        plan = migrate.plan(found)
        print(f"The dump is of release {found.local.version}.")
        migrate.run(copy, found, plan, verbose=False)
        migrate.verify(copy)
        changed = []
        if not keeps_passwords:
            copy.run(_require_first_user)
            changed = copy.run(_take_passwords)
        outcome = repair.repair(copy, target.zone_id)
        with copy.snapshot() as tx:
            there, missing = inventory.counts(tx), inventory.missing_drivers(tx)
        copies.take_place(target.conf, store, copy)
    except BaseException:
        copies.remove(target.conf, store, copy)
        raise
    _report(target, there, changed, outcome, missing)
    print(f"\nAdopted in {time.monotonic() - began:.1f} s. A front-end can start on it.")


def _version(copy: Store, dump: Path) -> Versions:
    with copy.read() as tx:
        found = versions.read(tx)
        own = [table for table in schema.tables(tx) if table.startswith(_OWN_PREFIX)]
    if found is None:
        raise OnedbError("the dump holds no version of the tables")
    if own:
        raise OnedbError("the dump is a backup of Onebox's: onedb restore puts it back")
    if found.is_newer:
        raise OnedbError(
            f"the dump is of release {found.local.version}, newer than this one ({SCHEMA_VERSION})"
        )
    return found


def _take_passwords(tx: Tx) -> list[str]:
    """Give oneadmin and the services' user this front-end's passwords; a line for each."""
    changed = []
    for ours in credentials.first_users(paths.auth_dir()):
        oid = pools.find(tx, User.TABLE, ours.name)
        if oid is None:
            changed.append(
                f"there is no user {ours.name}: the services cannot log in. Make it: oneuser create "
                f"{ours.name} --driver {ours.driver} (password: {paths.auth_dir()}/sunstone_auth)"
            )
            continue
        user = User.load(tx, oid)
        changed.append(f"user {user.name} ({oid}): password and driver {ours.driver} of this front-end")
        user.set_password(ours.password)
        user.auth_driver, user.enabled = ours.driver, True
        user.save(tx)
    return changed


def _require_first_user(tx: Tx) -> None:
    """Raise OnedbError unless oneadmin has the same name here: credential files name it."""
    name, ours = User.load(tx, _ONEADMIN).name, credentials.first_users(paths.auth_dir())[0].name
    if name != ours:
        raise OnedbError(
            f"user {_ONEADMIN} is called {name}, expected {ours} as in {paths.auth_dir()}/one_auth: give "
            "this front-end the credential files of the other one and use --keep-passwords"
        )


@contextmanager
def _dump(name: str) -> Iterator[Path]:
    """The dump as a file; "-" is standard input."""
    if name != "-":
        path = Path(name)
        if not path.is_file():
            raise OnedbError(f"File {path} doesn't exist")
        yield path
        return
    path = paths.var() / ".adopted.sql"
    try:
        with path.open("wb") as out:
            path.chmod(0o600)
            shutil.copyfileobj(sys.stdin.buffer, out)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _report(
    target: Target, there: dict[str, int], changed: list[str], outcome: Outcome, missing: list[str]
) -> None:
    print(f"\nNow in the {target.name}:")
    for name, count in there.items():
        print(f"  {count:>7} {name}")
    if changed:
        print("\nChanged:")
        for line in changed:
            print(f"  {line}")
    if outcome.found:
        print("\nConsistency:")
        fsck.report(outcome)
    if missing:
        print("\nNeeds drivers that oned.conf does not name:")
        for line in missing:
            print(f"  {line}")
