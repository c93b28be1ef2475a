"""The program ``opennebula``: the XML-RPC API, several worker processes with threads each."""

from __future__ import annotations

import logging
import sys

from granian import Granian
from granian.constants import Interfaces

from services.common import log, paths, wake
from services.common.config import ConfigError
from services.oned import config
from services.oned.api import resources
from services.oned.api.wsgi import Application
from services.oned.store import Store


def application() -> Application:
    """The application of a worker process; reads oned.conf anew."""
    conf = config.load()
    log.setup(paths.log() / "oned.log", conf.debug_level, conf.zone_id)
    resources.load_all()
    return Application(Store.open(conf.db, wake.notify), conf)


def main() -> int:
    """Serve until told to stop; the exit code."""
    try:
        conf = config.load()
    except ConfigError as error:
        print(f"opennebula: {error}", file=sys.stderr)
        return 1
    log.setup(paths.log() / "oned.log", conf.debug_level, conf.zone_id)
    logging.getLogger("ONE").info("serving XML-RPC on %s:%d", conf.listen_address, conf.port)
    Granian(
        "services.oned.server:application",
        factory=True,
        address=conf.listen_address,
        port=conf.port,
        interface=Interfaces.WSGI,
        workers=conf.api_workers,
        blocking_threads=conf.api_threads,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        log_access=False,
        websockets=False,
    ).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
