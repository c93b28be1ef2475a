"""``python -m bootstrap.listener``: Supervisor's event listener.

Notes each program that Supervisor gave up on (state FATAL) in ``failed/``, where the health check reads it,
and starts it again every minute: a full disk or a database that was away must not need a person afterwards.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TextIO

from bootstrap import places
from bootstrap.supervisor import Supervisor, SupervisorError


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} supervisor-listener: {text}", file=sys.stderr, flush=True)


def _fields(text: str) -> dict[str, str]:
    return dict(part.split(":", 1) for part in text.split() if ":" in part)


def handle(event: str, payload: str, folder: Path) -> None:
    """Do what an event asks for."""
    if event.startswith("TICK_"):
        _retry(folder)
        return
    name = _fields(payload).get("processname", "")
    if not name or "/" in name:
        return
    if event == "PROCESS_STATE_FATAL":
        if not (folder / name).exists():
            _say(f"{name}: failed to start several times; trying again every minute, see its log")
        (folder / name).write_text(time.strftime("since %Y-%m-%d %H:%M:%S\n"), encoding="utf-8")
    elif (folder / name).exists():
        (folder / name).unlink(missing_ok=True)
        _say(f"{name}: runs again")


def _retry(folder: Path) -> None:
    names = sorted(file.name for file in folder.iterdir())
    if not names:
        return
    try:
        supervisor = Supervisor()
        states = {process["name"]: process["statename"] for process in supervisor.processes()}
        for name in names:
            if name not in states:
                (folder / name).unlink(missing_ok=True)
            elif states[name] == "FATAL":
                supervisor.call("startProcess", name, False)
    except SupervisorError as error:
        _say(str(error))


def run(incoming: TextIO, outgoing: TextIO, folder: Path) -> None:
    """Speak the listener protocol until Supervisor closes it."""
    while True:
        outgoing.write("READY\n")
        outgoing.flush()
        header = incoming.readline()
        if not header:
            return
        fields = _fields(header)
        payload = incoming.read(int(fields["len"]))
        try:
            handle(fields["eventname"], payload, folder)
        except OSError as error:
            _say(f"{fields['eventname']}: {error}")
        outgoing.write("RESULT 2\nOK")
        outgoing.flush()


if __name__ == "__main__":
    places.failed().mkdir(mode=0o755, parents=True, exist_ok=True)
    run(sys.stdin, sys.stdout, places.failed())
