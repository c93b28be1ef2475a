"""Before a front-end starts: ``python -m services.oned.onedb.at_start`` upgrades an older database.

A database that is up to date, or not there yet, is left alone. ONED_DB_BACKUP_ENABLED=no leaves the backup
out that an upgrade makes first (``backups/db`` in the front-end's folder). Ends with 0 when a front-end may
start, 3 for a database of a newer release, 255 for anything else that is wrong.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from services.common import paths
from services.oned.onedb import commands, target, upgrade, version
from services.oned.onedb.errors import EXIT_FAILURE, OnedbError
from services.oned.onedb.target import Target
from services.oned.store import DatabaseError, copies

_SETTING = "ONED_DB_BACKUP_ENABLED"


def main() -> int:
    """Bring the database of oned.conf up to date; an exit code."""
    try:
        return _start(target.find(commands.parse(commands.COMMANDS["version"], [])))
    except (OnedbError, DatabaseError) as error:
        sys.stdout.flush()
        print(f"The database cannot be used: {error}", file=sys.stderr)
        return error.code if isinstance(error, OnedbError) else EXIT_FAILURE


def _start(found: Target) -> int:
    paths.upgrade_note().unlink(missing_ok=True)  # of an upgrade that was killed
    if found.is_sqlite and not found.conf.path.is_file():
        return 0
    store = found.store()
    with copies.alone(found.conf, store):
        copies.settle(found.conf, store)
    try:
        versions = version.read(found, store)
    except OnedbError as error:
        if error.code == version.EMPTY:
            return 0
        raise
    if versions.is_newer:
        raise OnedbError(
            f"the {found.name} has version {versions.shared.version} (shared tables) and "
            f"{versions.local.version} (local tables): a newer release made it. Start that release, or "
            "restore a backup of this one's",
            version.NEWER,
        )
    if not versions.is_older:
        return 0
    print(f"The {found.name} is of release {versions.local.version}: it is upgraded now.", flush=True)
    words = ["--verbose", *(["--no-backup"] if _has_no_backup() else ["--backup", str(_backup_file(found))])]
    note = paths.upgrade_note()
    note.parent.mkdir(parents=True, exist_ok=True)
    note.touch()
    try:
        return upgrade.upgrade(found, commands.parse(commands.COMMANDS["upgrade"], words))
    finally:
        note.unlink(missing_ok=True)


def _has_no_backup() -> bool:
    return os.environ.get(_SETTING, "").strip().lower() in ("no", "false", "0")


def _backup_file(found: Target) -> Path:
    folder = paths.var() / "backups/db"
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        for cut_off in folder.glob("*.part"):
            cut_off.unlink()
    except OSError as error:
        raise OnedbError(f"{error.filename}: {error.strerror}") from None
    return found.backup_file(folder=folder)


if __name__ == "__main__":
    sys.exit(main())
