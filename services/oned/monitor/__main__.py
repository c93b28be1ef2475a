"""The program ``opennebula-monitord``: ``python -m services.oned.monitor [--status]``."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys

from services.common import log, paths, wake
from services.common.config import ConfigError
from services.oned import config
from services.oned.errors import OneError
from services.oned.lifecycle import site
from services.oned.monitor import conf as monitor_conf
from services.oned.monitor.lease import LEASE
from services.oned.monitor.program import Program
from services.oned.store import Store, leases
from services.oned.store.leases import LeaseLost

_log = logging.getLogger("MON")


def main(argv: list[str] | None = None) -> int:
    """Run until told to stop; 0 then, 1 when it could not start or lost its lease."""
    parser = argparse.ArgumentParser(
        "python -m services.oned.monitor", description="Receives reports of nodes."
    )
    parser.add_argument("--status", action="store_true", help="print which process receives")
    chosen = parser.parse_args(argv)
    try:
        oned = config.load()
        conf = monitor_conf.load()
        if chosen.status:
            return status(Store.open(oned.db))
        log.setup(paths.log() / "monitor.log", conf.debug_level, oned.zone_id)
        site.use(oned)
        program = Program(Store.open(oned.db, wake.notify), conf)
    except (ConfigError, OneError) as error:
        print(f"opennebula-monitord: {error}", file=sys.stderr)
        return 1
    return _serve(program, conf.port)


def _serve(program: Program, port: int) -> int:
    try:
        asyncio.run(_until_signal(program))
    except LeaseLost as error:
        _log.error("stopped: %s", error)
        # The database thread may hang on the very database that was lost: do not wait for it.
        logging.shutdown()
        os._exit(1)
    except OSError as error:
        print(f"opennebula-monitord: port {port} cannot be listened on: {error.strerror}", file=sys.stderr)
        return 1
    return 0


async def _until_signal(program: Program) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, program.stop)
    await program.run()
    _log.info("stopped")


def status(store: Store) -> int:
    """Print holder and token as JSON; 0 when a process holds a valid lease, else 1."""
    lease = store.read_value(lambda tx: leases.find(tx, LEASE))
    is_alive = lease is not None and lease.expires_in_s > 0
    found = {
        "alive": is_alive,
        "holder": lease.holder if lease else None,
        "token": lease.token if lease else None,
        "expires_in_s": round(lease.expires_in_s, 1) if lease else None,
    }
    print(json.dumps(found))
    return 0 if is_alive else 1


if __name__ == "__main__":
    sys.exit(main())
