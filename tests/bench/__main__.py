"""``python -m tests.bench [NAME…]``: run benchmarks, print one JSON object; no clock decides a result."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import arrivals, chaos, cli, dispatch, kills, mix, monitord, pools, sched
from tests.bench.core import BENCHES
from tests.bench.existing import Existing
from tests.support.frontend import Frontend
from tests.support.mariadb import MariaDb

# Benchmarks that change what others would measure: each gets a front-end of its own.
_ALONE = {
    "pools": pools.run,
    "mix": mix.run,
    "arrivals": arrivals.run,
    "dispatch": dispatch.run,
    "cli": cli.run,
}

# Benchmarks that need no front-end, or start one in another way.
_WITHOUT_FRONTEND = ("sched", "boot", "chaos", "monitord", "node", "kills")


def main() -> int:
    """Run what was asked for, on SQLite and, with ``--db mysql`` or ``both``, on a private MariaDB."""
    words = sys.argv[1:]
    if "sched" in words and not {*BENCHES, *_ALONE, *_WITHOUT_FRONTEND}.difference({"sched"}).intersection(
        words
    ):
        return sched.main([word for word in words if word != "sched"])  # alone it has options of its own
    parser = argparse.ArgumentParser(
        prog="bench", description="Benchmarks; the result is JSON on standard output."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join((*BENCHES, *_ALONE, *_WITHOUT_FRONTEND))} (default: {', '.join(BENCHES)})",
    )
    parser.add_argument("--db", choices=("sqlite", "mysql", "both"), default="sqlite")
    parser.add_argument(
        "--existing", action="store_true", help="measure the front-end of ONE_XMLRPC and ONE_AUTH instead"
    )
    chaos.add_options(parser)
    kills.add_options(parser)
    options = parser.parse_args()
    names = options.names or [*BENCHES]
    known = (*BENCHES, *_ALONE, *_WITHOUT_FRONTEND)
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"unknown benchmark {', '.join(unknown)}; known: {', '.join(known)}")
    for name in (*_ALONE, "chaos", "monitord"):
        if options.existing and name in names:
            parser.error(f"{name} fills a database of its own; it cannot measure an existing front-end")
    results: dict[str, object] = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    own = [name for name in names if name not in _WITHOUT_FRONTEND]
    backends = ("sqlite", "mysql") if options.db == "both" else (options.db,)
    if own and options.existing:
        results["existing"] = _run_existing(own)
    elif own:
        together = [name for name in own if name not in _ALONE]
        for backend in backends:
            found = _run(backend, together) if together else {}
            for name in [name for name in own if name in _ALONE]:
                found |= _run(backend, [name])
            results[backend] = found
    if "sched" in names:
        results["sched"] = sched.run()
    if "boot" in names:
        from tests.bench import boot

        results["boot"] = boot.run()
    if "node" in names:
        from tests.bench import node

        results["node"] = node.run()
    if "kills" in names:
        results["kills"] = kills.run(options)
    if "monitord" in names:
        results["monitord"] = {backend: _monitord(backend) for backend in backends}
    if "chaos" in names:
        results["chaos"] = {backend: _storms(backend, options) for backend in backends}
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
    with _front_end(backend) as (frontend, _):
        frontend.start()
        for name in names:
            print(f"{backend}: {name} …", file=sys.stderr)
            results[name] = (_ALONE.get(name) or BENCHES[name])(frontend)
    return results


def _monitord(backend: str) -> dict[str, object]:
    print(f"{backend}: monitord …", file=sys.stderr)
    with _front_end(backend) as (frontend, server):
        return monitord.run(frontend, server)


def _storms(backend: str, options: argparse.Namespace) -> list[dict[str, object]]:
    results = []
    for seed in range(options.seed, options.seed + options.runs):
        print(f"{backend}: chaos, seed {seed} …", file=sys.stderr)
        with _front_end(backend) as (frontend, server):
            results.append(chaos.run(frontend, server, seed, options))
    return results


@contextmanager
def _front_end(backend: str) -> Iterator[tuple[Frontend, MariaDb | None]]:
    """A front-end in a temporary folder, not started, with its database server if it has one."""
    with tempfile.TemporaryDirectory(prefix="onebox-bench-") as folder:
        server = None
        section = 'DB = [ BACKEND = "sqlite" ]'
        if backend == "mysql":
            server = MariaDb(Path(folder, "mariadb"), is_durable=True)
            server.folder.mkdir()
            server.start()
            section = server.section("bench")
        frontend = Frontend(Path(folder, "one"), section)
        try:
            yield frontend, server
        finally:
            frontend.stop()
            if server is not None:
                server.stop()


if __name__ == "__main__":
    sys.exit(main())
