"""The probe folders: running everything in one, and the main program of a probe of ours.

A probe is an executable in ``im/HYPERVISOR-probes.d/<folder>``; what it prints is the message. Those of ours
name the function that does their work in a comment line, ``# probe: im_host.capacity``, and the agent calls
that function instead of starting a process. A probe that is replaced, added, or no longer executable counts
as the administrator left it.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable

from driver import DriverError, main
from im_context import Context, context

Probe = Callable[[Context], str]

_MARK = re.compile(rb"^# probe: (im_[a-z_]+)\.([a-z][a-z_]*)$", re.MULTILINE)
_HEAD_BYTES = 512
# Files that package managers leave beside what they replaced.
_LEFT = re.compile(r"\.(rpmnew|rpmsave|dpkg-\w+)\Z")
_OUTPUT_MAX_BYTES = 8 * 1024 * 1024
TIMEOUT_S = 300.0


def run_folder(at: Context, folder: str) -> str:
    """What all probes of a folder such as ``vm/status`` say, in the order of their names.

    Raises DriverError with the first one that fails. A folder that is not there has nothing to say.
    """
    place = at.path("im", f"{at.hypervisor}-probes.d", folder)
    try:
        names = sorted(os.listdir(place))
    except FileNotFoundError:
        return ""
    said = []
    for name in names:
        path = os.path.join(place, name)
        if not _LEFT.search(name) and os.path.isfile(path) and os.access(path, os.X_OK):
            try:
                said.append(_run(at, path))
            except (DriverError, OSError) as error:
                raise DriverError(f"Error executing {name}: {error}") from None
    return "".join(text if not text or text.endswith("\n") else text + "\n" for text in said)


def _run(at: Context, path: str) -> str:
    ours = _function(path)
    return _process(at, path) if ours is None else ours(at)


def _process(at: Context, path: str) -> str:
    try:
        done = subprocess.run(
            [path, *at.arguments],
            input=at.stdin,
            capture_output=True,
            cwd=at.path("im", f"{at.hypervisor}.d"),
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DriverError(f"it did not end within {TIMEOUT_S:g} s") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise DriverError(said[-2000:] or f"exit code {done.returncode}")
    if len(done.stdout) > _OUTPUT_MAX_BYTES:
        raise DriverError(f"it printed {len(done.stdout)} bytes, at most {_OUTPUT_MAX_BYTES} are taken")
    return done.stdout.decode("utf-8", "replace")


def _function(path: str) -> Probe | None:
    """The function that a probe of ours names; None when this agent does not have it."""
    try:
        with open(path, "rb") as file:
            found = _MARK.search(file.read(_HEAD_BYTES))
    except OSError:
        return None
    if found is None:
        return None
    try:
        module = importlib.import_module(found[1].decode())
    except ImportError:
        return None
    function: Probe | None = getattr(module, found[2].decode(), None)
    return function


def probe_main(path: str) -> None:
    """The main program of a probe of ours: prints what the function says that the file names."""

    def action(arguments: list[str]) -> None:
        function = _function(path)
        if function is None:
            raise DriverError(f"{path}: no line '# probe: MODULE.FUNCTION' that names a probe")
        print(function(context(arguments, sys.stdin.buffer.read())), end="")

    main(lambda arguments: action(list(arguments)))
