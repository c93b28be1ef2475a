"""The guard: a small process that kills driver actions when the engine that started them is gone or hangs.

An action left behind by a dead engine would go on while the next engine runs the same action again. The
guard holds the other end of a pipe: it learns which process groups run, and kills them when the pipe
closes (the engine died, however) or when the engine has not said in time that it is well (it was stopped,
and another may have taken over). The parent-death signal of Linux would reach the script alone, not the
programs that it has started.

This file is run by itself, ``python -I -S guard.py ENGINE_PID``, so it imports little and nothing of ours.
Lines on its standard input: ``+GROUP STEP`` an action began, ``-GROUP`` it ended, ``=SECONDS`` all is
well for so long.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time


def _kill(groups: set[int]) -> None:
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def _unannounced(engine_pid: str, last_step: int) -> set[int]:
    """Groups of actions that the engine started but could not tell of any more: those with a later step."""
    found: set[int] = set()
    mark = f"ONEBOX_STEP={engine_pid}.".encode()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as environ:
                entries = environ.read().split(b"\0")
            step = next((int(entry[len(mark) :]) for entry in entries if entry.startswith(mark)), 0)
            if step > last_step:
                found.add(os.getpgid(int(name)))
        except (OSError, ValueError):
            continue
    return found - {os.getpgrp()}


def watch(source: int, engine_pid: str) -> None:
    """Follow the engine until it closes the pipe; then nothing that it started is left."""
    groups: set[int] = set()
    last_step = 0
    rest = b""
    deadline: float | None = None
    while True:
        wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([source], [], [], wait_s)
        if not ready:
            _kill(groups)
            groups.clear()
            deadline = None
            continue
        data = os.read(source, 65536)
        if not data:
            _kill(groups | _unannounced(engine_pid, last_step))
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            kind, words = line[:1], line[1:].split()
            if kind == b"+":
                groups.add(int(words[0]))
                last_step = int(words[1])
            elif kind == b"-":
                groups.discard(int(words[0]))
            elif kind == b"=":
                deadline = time.monotonic() + float(words[0])


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # it ends when the engine does, not before
    watch(sys.stdin.fileno(), sys.argv[1])
