"""``python -m tests.bench [NAME…]``: run benchmarks, print one JSON object; no clock decides a result."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import mix, pools
from tests.bench.core import BENCHES
from tests.bench.existing import Existing
from tests.support.frontend import Frontend
from tests.support.mariadb import MariaDb

# Benchmarks that change what others would measure: each gets a front-end of its own.
_ALONE = {"pools": pools.run, "mix": mix.run}


def main() -> int:
    """Run what was asked for, on SQLite and, with ``--db mysql`` or ``both``, on a private MariaDB."""
    parser = argparse.ArgumentParser(
        prog="bench", description="Benchmarks; the result is JSON on standard output."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(BENCHES)}, pools, mix, sched (default: all but the last three)",
    )
    parser.add_argument("--db", choices=("sqlite", "mysql", "both"), default="sqlite")
    parser.add_argument(
        "--existing", action="store_true", help="measure the front-end of ONE_XMLRPC and ONE_AUTH instead"
    )
    options = parser.parse_args()
    names = options.names or [*BENCHES]
    known = (*BENCHES, *_ALONE, "sched")
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"unknown benchmark {', '.join(unknown)}; known: {', '.join(known)}")
    for name in _ALONE:
        if options.existing and name in names:
            parser.error(f"{name} fills a database of its own; it cannot measure an existing front-end")
    results: dict[str, object] = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    own = [name for name in names if name != "sched"]
    if own and options.existing:
        results["existing"] = _run_existing(own)
    elif own:
        together = [name for name in own if name not in _ALONE]
        for backend in ("sqlite", "mysql") if options.db == "both" else (options.db,):
            found = _run(backend, together) if together else {}
            for name in [name for name in own if name in _ALONE]:
                found |= _run(backend, [name])
            results[backend] = found
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
                results[name] = (_ALONE.get(name) or BENCHES[name])(frontend)
        finally:
            frontend.stop()
            if server is not None:
                server.stop()
    return results


if __name__ == "__main__":
    sys.exit(main())
