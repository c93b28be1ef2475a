"""Who holds the engine's lease: a text that lets another process on the same machine see whether it is alive.

A process number means something only within its machine, boot and process namespace (two containers on one
machine count theirs apart), so all of them are in the text; the start time tells a number used again.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

_PROC = Path("/proc")


def _place() -> str:
    """The machine, boot and process namespace that process numbers hold in."""
    boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    space = os.readlink(_PROC / "self/ns/pid").strip("pid:[]")
    return f"host={platform.node()[:64]} boot={boot} ns={space}"


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks since the boot; None when it is not there or dead."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # Behind the program's name in brackets, which may hold anything: state, ..., start time (field 22).
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]


def holder_text() -> str:
    """The text for this process."""
    pid = os.getpid()
    return f"{_place()} pid={pid} start={_started(pid)}"


def is_dead(holder: str) -> bool:
    """Whether that process is certainly gone; False when it may run on another machine."""
    place, _, rest = holder.partition(" pid=")
    pid, _, started = rest.partition(" start=")
    if place != _place() or not pid.isdigit():
        return False
    return _started(int(pid)) != started
