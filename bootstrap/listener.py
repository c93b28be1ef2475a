"""``python -m bootstrap.listener``: Supervisor's event listener.

Notes each program that Supervisor gave up on (state FATAL) in ``failed/``, where the health check reads it,
and starts it again every minute: a full disk or a database that was away must not need a person afterwards.
Runs one-shots again that follow a program which has started, and ends the container when a program that
may do so has given the start up.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TextIO

from bootstrap import ending, places, programs
from bootstrap.supervisor import Supervisor, SupervisorError

_PROGRAMS = programs.load_all().values()
_ENDING = {program.name for program in _PROGRAMS if program.ends_container}
_FOLLOWERS = {program.follows: program.name for program in _PROGRAMS if program.follows}


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} supervisor-listener: {text}", file=sys.stderr, flush=True)


def _fields(text: str) -> dict[str, str]:
    return dict(part.split(":", 1) for part in text.split() if ":" in part)


def handle(event: str, payload: str, folder: Path) -> None:
    """Do what an event asks for."""
    if event.startswith("TICK_"):
        _retry(folder)
        return
    fields = _fields(payload)
    name = fields.get("processname", "")
    if not name or "/" in name:
        return
    if event == "PROCESS_STATE_EXITED":
        if fields.get("expected") == "0" and name in _ENDING:
            _end(name)
        return
    if event == "PROCESS_STATE_FATAL":
        if not (folder / name).exists():
            _say(f"{name}: failed to start several times; trying again every minute, see its log")
        (folder / name).write_text(time.strftime("since %Y-%m-%d %H:%M:%S\n"), encoding="utf-8")
    elif (folder / name).exists():
        (folder / name).unlink(missing_ok=True)
        _say(f"{name}: runs again")
    if event == "PROCESS_STATE_RUNNING" and name in _FOLLOWERS:
        _run_again(_FOLLOWERS[name])


def _end(name: str) -> None:
    reason = ending.given_up()
    if reason:
        _say(f"{name}: the start is given up: {reason}")
        ending.end_container([f"bootstrap: [{name}] failed: {reason}"])


def _run_again(name: str) -> None:
    """Start a one-shot that has ended; one that is under way comes too early to be missed."""
    try:
        supervisor = Supervisor()
        if supervisor.call("getProcessInfo", name)["statename"] == "EXITED":
            supervisor.call("startProcess", name, False)
    except SupervisorError as error:
        _say(str(error))


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
