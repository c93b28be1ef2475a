"""``python -m tests.bench [NAME…]``: run benchmarks, print one JSON object; no clock decides a result."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.core import BENCHES
from tests.bench.existing import Existing
from tests.support.frontend import Frontend
from tests.support.mariadb import MariaDb


def main() -> int:
    """Run what was asked for, on SQLite and, with ``--db mysql`` or ``both``, on a private MariaDB."""
    parser = argparse.ArgumentParser(
        prog="bench", description="Benchmarks; the result is JSON on standard output."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(BENCHES)}, sched (default: all but sched)",
    )
    parser.add_argument("--db", choices=("sqlite", "mysql", "both"), default="sqlite")
    parser.add_argument(
        "--existing", action="store_true", help="measure the front-end of ONE_XMLRPC and ONE_AUTH instead"
    )
    options = parser.parse_args()
    names = options.names or [*BENCHES]
    unknown = [name for name in names if name not in (*BENCHES, "sched")]
    if unknown:
        parser.error(f"unknown benchmark {', '.join(unknown)}; known: {', '.join([*BENCHES, 'sched'])}")
    results: dict[str, object] = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    own = [name for name in names if name in BENCHES]
    if own and options.existing:
        results["existing"] = _run_existing(own)
    elif own:
        for backend in ("sqlite", "mysql") if options.db == "both" else (options.db,):
            results[backend] = _run(backend, own)
    if "sched" in names:
        from tests.bench import sched

        results["sched"] = sched.run()
    print(json.dumps(results, indent=2))
    return 0


def _run_existing(names: list[str]) -> dict[str, object]:
    target = Existing()
    results: dict[str, object] = {}
    try:
        for name in names:
            print(f"{target.endpoint}: {name} …", file=sys.stderr)
            results[name] = BENCHES[name](target)
    finally:
        target.tidy()
    return results


def _run(backend: str, names: list[str]) -> dict[str, object]:
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="onebox-bench-") as folder:
        server = None
        section = 'DB = [ BACKEND = "sqlite" ]'
        if backend == "mysql":
            server = MariaDb(Path(folder, "mariadb"))
            server.folder.mkdir()
            server.start()
            server.database("bench")
            section = (
                f'DB = [ BACKEND = "mysql", SOCKET = "{server.socket}", USER = "oneadmin", '
                'PASSWD = "secret", DB_NAME = "bench" ]'
            )
        frontend = Frontend(Path(folder, "one"), section)
        try:
            frontend.start()
            for name in names:
                print(f"{backend}: {name} …", file=sys.stderr)
                results[name] = BENCHES[name](frontend)
        finally:
            frontend.stop()
            if server is not None:
                server.stop()
    return results


if __name__ == "__main__":
    sys.exit(main())
