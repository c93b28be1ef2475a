"""Starting and stopping what monitors a host: the executables of ``im/HYPERVISOR.d``.

A folder may hold other clients beside the agent, or instead of it. As OpenNebula does, all are run with
``HYPERVISOR HOST_ID HOST_NAME`` and the configuration on standard input; to stop them, those named
``*_control.sh`` with ``stop`` before these arguments.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence

from driver import DriverError
from im_context import REMOTES

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_LEFT = re.compile(r"\.(rpmnew|rpmsave|dpkg-\w+)\Z")


def run_clients(arguments: Sequence[str]) -> None:
    """Start all clients and print what they answer. Raises DriverError with the first that fails."""
    folder, names = _executables(arguments)
    stdin = sys.stdin.buffer.read()
    answers = [_run(folder, name, arguments, stdin) for name in names]
    sys.stdout.write("".join(answers))


def stop_clients(arguments: Sequence[str]) -> None:
    """Stop all clients; that none runs is no failure."""
    folder, names = _executables(arguments)
    stdin = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
    for name in names:
        if name.endswith("_control.sh"):
            _run(folder, name, ["stop", *arguments], stdin)


def _executables(arguments: Sequence[str]) -> tuple[str, list[str]]:
    hypervisor = arguments[0] if arguments else ""
    if not _NAME.match(hypervisor):
        raise DriverError(
            f"expected HYPERVISOR HOST_ID HOST_NAME, found {hypervisor[:40]!r} as the hypervisor"
        )
    folder = os.path.join(REMOTES, "im", f"{hypervisor}.d")
    if not os.path.isdir(folder):
        raise DriverError(f"there is no monitoring for hypervisor {hypervisor} here: {folder} is missing")
    names = [
        name
        for name in sorted(os.listdir(folder))
        if not _LEFT.search(name)
        and os.path.isfile(os.path.join(folder, name))
        and os.access(os.path.join(folder, name), os.X_OK)
    ]
    return folder, names


def _run(folder: str, name: str, arguments: Sequence[str], stdin: bytes) -> str:
    done = subprocess.run(
        [os.path.join(folder, name), *arguments], input=stdin, capture_output=True, cwd=folder, check=False
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace")
        said = re.sub(r"ERROR MESSAGE (--8<------|------>8--)", "", said).strip()
        raise DriverError(f"Error executing {name}: {said[-2000:] or f'exit code {done.returncode}'}")
    return done.stdout.decode("utf-8", "replace")
