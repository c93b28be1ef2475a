"""``python -m services.scheduler``: the scheduler as a program in the foreground."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

from services.common import log, paths
from services.common.config import ConfigError
from services.common.oca import Client, EndpointError, OneError
from services.common.xmldoc import XmlError
from services.scheduler import whatif, whatif_text
from services.scheduler.config import SchedConf, load
from services.scheduler.loop import Loop
from services.scheduler.watch import Watcher

_log = logging.getLogger("SCHED")
START_TIMEOUT_S = 120.0
_POLL_S = 0.5
_AUTHENTICATION = 0x0100


class StartError(Exception):
    """The scheduler cannot begin its work; the text says why."""


def settings() -> SchedConf:
    """sched.conf, or the defaults without one; ONE_XMLRPC of the environment wins. Raises ConfigError."""
    file = paths.etc() / "sched.conf"
    conf = load(file) if file.exists() else SchedConf()
    endpoint = os.environ.get("ONE_XMLRPC")
    return dataclasses.replace(conf, endpoint=endpoint) if endpoint else conf


def session_file() -> Path:
    """Where oneadmin's credentials lie."""
    given = os.environ.get("ONE_AUTH")
    return Path(given) if given else paths.auth_dir() / "one_auth"


def wait_for_session(file: Path, deadline: float) -> str:
    """The ``user:password`` of the file, as soon as it is there. Raises StartError after the deadline."""
    said = False
    while True:
        try:
            session = file.read_text(encoding="utf-8").strip()
            if ":" in session:
                return session
            trouble = "holds no user:password"
        except OSError as error:
            trouble = f"cannot be read: {error.strerror}"
        if time.monotonic() >= deadline:
            raise StartError(f"credentials {file}: {trouble}")
        if not said:
            _log.info("waiting for credentials: %s %s", file, trouble)
            said = True
        time.sleep(_POLL_S)


def wait_for_front_end(client: Client, deadline: float) -> None:
    """Return when the front-end answers with these credentials. Raises StartError after the deadline."""
    said = ""
    while True:
        try:
            client.call("system.version")
            return
        except OneError as error:
            hint = "; are the credentials right?" if error.code == _AUTHENTICATION else ""
            trouble = f"{client.endpoint} refused: {error}{hint}"
        except EndpointError as error:
            trouble = str(error)
        if time.monotonic() >= deadline:
            raise StartError(f"the front-end is not available: {trouble}")
        if trouble != said:
            _log.info("waiting for the front-end: %s", trouble)
            said = trouble
        time.sleep(_POLL_S)


def _reload() -> SchedConf | None:
    try:
        return settings()
    except ConfigError as error:
        _log.error("settings stay as they are: %s", error)
        return None


def dry_run(conf: SchedConf, as_json: bool) -> int:
    """Print what the scheduler would do now, and do nothing; the exit code."""
    try:
        session = wait_for_session(session_file(), time.monotonic())
        with Client(conf.endpoint, session, conf.timeout_s) as client:
            snapshot, notes = whatif.read(client, conf)
    except (StartError, OneError, EndpointError, XmlError) as error:
        print(f"scheduler: {error}", file=sys.stderr)
        return 1
    made = whatif.make_plan(snapshot, conf)
    if as_json:
        print(json.dumps(whatif.plan_as_json(made), indent=2))
    else:
        print("\n".join([*whatif_text.plan_lines(snapshot, made), *notes]))
    return 0


def main() -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.scheduler", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="print the plan for the present, do nothing")
    parser.add_argument("--json", action="store_true", help="with --dry-run: print it as JSON")
    given = parser.parse_args()
    try:
        conf = settings()
    except ConfigError as error:
        print(f"scheduler: {error}", file=sys.stderr)
        return 1
    if given.dry_run:
        return dry_run(conf, given.json)
    log.setup(paths.log() / "sched.log" if conf.log_to_file else None, conf.debug_level)
    if conf.unknown:
        _log.warning("sched.conf: nothing reads %s", ", ".join(conf.unknown))
    # Until the loop runs there is nothing to finish: end at once, and in good order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    deadline = time.monotonic() + START_TIMEOUT_S
    try:
        session = wait_for_session(session_file(), deadline)
        with Client(conf.endpoint, session, conf.timeout_s) as client:
            wait_for_front_end(client, deadline)
    except (StartError, EndpointError) as error:
        _log.error("%s", error)
        return 1
    alive = paths.run() / "scheduler.alive"
    alive.parent.mkdir(parents=True, exist_ok=True)
    loop = Loop(conf, lambda: Client(conf.endpoint, session, conf.timeout_s), alive, _reload)
    watcher = Watcher(conf.endpoint, session, loop.changed, loop.failed)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    signal.signal(signal.SIGHUP, lambda *_: loop.ask_reload())
    _log.info("scheduler: started, %s, interval %d s", conf.endpoint, conf.interval_s)
    watcher.start()
    loop.run()
    watcher.stop()
    _log.info("scheduler: ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
