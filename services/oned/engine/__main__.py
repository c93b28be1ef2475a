"""The program ``opennebula-engine``: ``python -m services.oned.engine [--status]``."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys

from services.common import log, paths, wake
from services.common.config import ConfigError, integer
from services.oned import config
from services.oned.engine.cycle import LEASE
from services.oned.engine.engine import Engine
from services.oned.errors import OneError
from services.oned.store import Store, Tx, jobs, leases
from services.oned.store.leases import LeaseLost

_log = logging.getLogger("ENG")


def main(argv: list[str] | None = None) -> int:
    """Run the engine until it is told to stop; 0 then, 1 when it could not start or lost its lease."""
    parser = argparse.ArgumentParser("python -m services.oned.engine", description="The life-cycle engine.")
    parser.add_argument("--status", action="store_true", help="print who is the engine and what waits for it")
    chosen = parser.parse_args(argv)
    try:
        conf = config.load()
        total = integer(conf.settings, "ENGINE_JOBS", 64, 1, 10_000)
        if chosen.status:
            return status(Store.open(conf.db))
        log.setup(paths.log() / "engine.log", conf.debug_level, conf.zone_id)
        engine = Engine(Store.open(conf.db, wake.notify), conf, total)
    except (ConfigError, OneError) as error:
        print(f"opennebula-engine: {error}", file=sys.stderr)
        return 1
    return _serve(engine)


def _serve(engine: Engine) -> int:
    try:
        asyncio.run(_until_signal(engine))
    except LeaseLost as error:
        _log.error("stopped: %s", error)
        # The database thread may hang on the very database that was lost: do not wait for it.
        logging.shutdown()
        os._exit(1)
    return 0


async def _until_signal(engine: Engine) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.stop)
    await engine.run()
    _log.info("stopped")


def status(store: Store) -> int:
    """Print holder, token and queue lengths as JSON; 0 when an engine holds a valid lease, else 1."""

    def read(tx: Tx) -> tuple[leases.Lease | None, dict[str, int]]:
        return leases.find(tx, LEASE), jobs.counts(tx)

    lease, counts = store.read_value(read)
    is_alive = lease is not None and lease.expires_in_s > 0
    print(
        json.dumps(
            {
                "alive": is_alive,
                "holder": lease.holder if lease else None,
                "token": lease.token if lease else None,
                "expires_in_s": round(lease.expires_in_s, 1) if lease else None,
                "jobs": counts,
            }
        )
    )
    return 0 if is_alive else 1


if __name__ == "__main__":
    sys.exit(main())
