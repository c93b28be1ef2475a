"""``python -m services.consoles``: the program opennebula-novnc. Runs websockify and forgets old tokens."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from types import FrameType
from typing import IO

from services.common.config import ConfigError
from services.consoles import tokens
from services.consoles.settings import Settings

_SWEEP_S = 10.0
_PAUSE_S = 30.0  # before another try: a port in use, a program that is not installed
_TOKEN = re.compile(r"(token(?:=|%3d| '))[^\s&\"']+", re.IGNORECASE)
_log = logging.getLogger("novnc")


class _Ended(Exception):
    """A signal asks this program to end."""


def _end(signum: int, frame: FrameType | None) -> None:
    raise _Ended


def masked(line: str) -> str:
    """A line of websockify's log, without the tokens that requests carry."""
    return _TOKEN.sub(r"\1***", line)


def _relay(output: IO[str]) -> None:
    for line in output:
        _log.info("%s", masked(line.rstrip()))


def _answers(settings: Settings) -> bool:
    address = settings.address or ("::1" if settings.is_ipv6 else "127.0.0.1")
    try:
        socket.create_connection((address, settings.port), timeout=1).close()
    except OSError:
        return False
    return True


def _run_proxy(settings: Settings) -> None:
    """Run websockify until it ends, or a signal asks for the end."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"}
    environment.pop("PYTHONPATH", None)  # it runs under the distribution's python
    with subprocess.Popen(
        settings.command(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    ) as proxy:
        assert proxy.stdout is not None
        threading.Thread(target=_relay, args=(proxy.stdout,), daemon=True).start()
        try:
            is_announced = False
            while proxy.poll() is None:
                if not is_announced and _answers(settings):
                    tokens.announce(settings.proxy)
                    is_announced = True
                tokens.forget_old()
                time.sleep(_SWEEP_S if is_announced else 0.2)
            _log.error("websockify has ended with code %s", proxy.returncode)
        finally:
            tokens.announce(None)
            proxy.terminate()
            try:
                proxy.wait(5)
            except subprocess.TimeoutExpired:
                proxy.kill()


def main() -> int:
    """Keep the proxy running; 0 once a signal has ended it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        tokens.make_folder()
        while True:
            try:
                settings = Settings.load()
                _log.info("websockets on port %s", settings.port)
                _run_proxy(settings)
            except ConfigError as error:
                _log.error("no consoles: %s", error)
            time.sleep(_PAUSE_S)
    except _Ended:
        return 0


if __name__ == "__main__":
    sys.exit(main())
