"""The command ``onedb``: version of the database, and its consistency check."""

from __future__ import annotations

import sys

from services.common.config import ConfigError
from services.oned import config, fsck
from services.oned.store import DatabaseError, Store

_USAGE = """usage: onedb COMMAND

  version   print the versions of the shared and the local tables
  fsck      compare counters and references with the documents; changes nothing

The database is the one of oned.conf. Exit code: 0 in order, 1 contradictions or no access, 2 wrong usage.
"""


def main(argv: list[str]) -> int:
    """Run a command; the exit code."""
    if argv[:1] not in (["version"], ["fsck"]) or len(argv) > 1:
        wants_help = argv in ([], ["-h"], ["--help"], ["help"])
        print(_USAGE, end="", file=sys.stdout if wants_help else sys.stderr)
        return 0 if wants_help else 2
    try:
        store = Store.open(config.load().db)
        return _version(store) if argv[0] == "version" else _fsck(store)
    except (ConfigError, DatabaseError) as error:
        print(f"onedb: {error}", file=sys.stderr)
        return 1


def _version(store: Store) -> int:
    with store.read() as tx:
        for label, table in (("Shared tables", "db_versioning"), ("Local tables", "local_db_versioning")):
            row = tx.one(f"SELECT version, comment FROM {table} ORDER BY oid DESC LIMIT 1")
            print(f"{label}: {row[0]} ({row[1]})" if row else f"{label}: none")
    return 0


def _fsck(store: Store) -> int:
    # One transaction, so that all counters are of the same moment.
    found = store.run(fsck.check)
    for line in found:
        print(line)
    print(f"Total errors found: {len(found)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
