"""The program ``opennebula``: the API, XML-RPC and JSON, several worker processes with threads each."""

from __future__ import annotations

import ctypes
import logging
import signal
import sys

from granian import Granian
from granian.constants import Interfaces

from services.common import log, paths, wake
from services.common.config import ConfigError
from services.oned import config
from services.oned.api import resources
from services.oned.api.stream import STREAMS_MAX
from services.oned.api.wsgi import Application
from services.oned.auth import conf_check
from services.oned.store import Store

_PR_SET_PDEATHSIG = 1
_M_ARENA_MAX, _ARENAS_MAX = -8, 2  # mallopt(3)


def application() -> Application:
    """The application of a worker process; reads oned.conf anew."""
    _end_with_parent()
    _share_memory()
    conf = config.load()
    log.setup(paths.log() / "oned.log", conf.debug_level, conf.zone_id)
    resources.load_all()
    return Application(Store.open(conf.db, wake.notify), conf)


def _end_with_parent() -> None:
    """A worker whose main process was killed must not keep the port from the next one."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _share_memory() -> None:
    """Let threads use each other's freed memory: kept for each, the pieces of large answers add up."""
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS_MAX)


def main() -> int:
    """Serve until told to stop; the exit code."""
    try:
        conf = config.load()
    except ConfigError as error:
        print(f"opennebula: {error}", file=sys.stderr)
        return 1
    problems = conf_check.problems(conf)
    if problems:
        for problem in problems:
            print(f"opennebula: oned.conf: {problem}", file=sys.stderr)
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
        blocking_threads=conf.api_threads + STREAMS_MAX,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        log_access=False,
        websockets=False,
    ).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
