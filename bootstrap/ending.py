"""Ending the container: note why, then tell Supervisor to shut down; the entrypoint prints the note last."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence

from bootstrap import places
from bootstrap.supervisor import Supervisor, SupervisorError

_REASON_MAX_BYTES = 4096


def end_container(reasons: Sequence[str]) -> None:
    """End the container with these lines as the last of its log."""
    note = places.bootstrap_failed()
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.unlink(missing_ok=True)
        # The folder belongs to a service's user: never through a link that is put there meanwhile.
        handle = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write("\n".join(reasons) + "\n")
        Supervisor(timeout_s=5).call("shutdown")
    except (OSError, SupervisorError) as error:
        print(f"bootstrap: the container cannot be ended: {error}", file=sys.stderr, flush=True)


def given_up() -> str:
    """Why a program gave the start up; empty when none has. What a service wrote: bounded, one line."""
    try:
        handle = os.open(places.given_up(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(handle, "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            return ""
        text = opened.read(_REASON_MAX_BYTES).decode(errors="replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
