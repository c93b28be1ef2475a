"""``python -m bootstrap.start PROGRAM``: what Supervisor runs; waits for what the program needs, becomes it.

The program gets a clean environment: parameters of the image, passwords among them, end here.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from bootstrap import mysql_settings, places, programs
from services.common import paths

# What a program may know of the environment that the container or the user's shell had.
_KEPT = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "ONE_LOCATION", "SSL_CERT_FILE",
         "SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY",
         "HTTPS_PROXY", "NO_PROXY"}  # fmt: skip
# A listener is told by these where Supervisor is.
_KEPT_PREFIX = "SUPERVISOR_"
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
# Between two tries of a one-shot, so that one that fails at once does not spin.
_PAUSE_S = 2.0


def clean_environment(environ: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """The environment that a program gets."""
    kept = {name: value for name, value in environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIX)}
    try:
        user = pwd.getpwuid(os.geteuid())
        kept |= {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}
    except KeyError:
        # A container may run under a number without a name.
        kept["HOME"] = str(paths.var())
    kept.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    kept.setdefault("LANG", "C.UTF-8")
    return kept | {"PYTHONPATH": str(places.CODE), "PYTHONUNBUFFERED": "1"} | dict(extra)


def _has_one_auth() -> bool:
    file = paths.auth_dir() / "one_auth"
    return file.is_file() and file.stat().st_size > 0


def _answers_oned() -> bool:
    url = json.loads(places.state().read_text(encoding="utf-8"))["oned_ready_url"]
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _answers_ssh_agent() -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(places.ssh_agent_socket()))
        except OSError:
            return False
    return True


WAITS: dict[str, Callable[[], bool]] = {
    "one_auth": _has_one_auth,
    "oned": _answers_oned,
    "ssh_agent": _answers_ssh_agent,
    "mysqld_upgraded": mysql_settings.is_upgraded,
}


def wait_for(name: str, deadline_s: float) -> bool:
    """Return once it is there; False when it is not after ``deadline_s`` seconds.

    An upgrade of the database takes the time that it takes: the seconds count from its end.
    """
    is_there = WAITS[name]
    deadline = time.monotonic() + deadline_s
    pause_s = 0.05
    while not is_there():
        if os.path.exists(paths.upgrade_note()):  # False, too, for a user who may not look
            deadline = time.monotonic() + deadline_s
        elif time.monotonic() >= deadline:
            return False
        time.sleep(pause_s)
        pause_s = min(1.0, pause_s * 1.5)
    return True


def _end_with_supervisor() -> None:
    """Have the kernel end this process when Supervisor is gone: an orphan would keep port and claims."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end_leftovers(name: str, environ: Mapping[str, str]) -> int:
    """Kill the processes of an earlier run of this program; how many there were.

    Supervisor runs a program once, in a process group of its own: what carries its name in another group is
    left from a run that was killed.
    """
    marks = {
        f"{key}={environ.get(key)}".encode() for key in ("SUPERVISOR_SERVER_URL", "SUPERVISOR_PROCESS_NAME")
    }
    if environ.get("SUPERVISOR_PROCESS_NAME") != name:
        return 0
    ended = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            pid = int(folder.name)
            if (
                marks <= set((folder / "environ").read_bytes().split(b"\0"))
                and os.getpgid(pid) != os.getpgrp()
            ):
                os.kill(pid, signal.SIGKILL)
                ended += 1
        except OSError:
            continue  # it ended by itself, or belongs to somebody else
    return ended


def _own_environment(program: programs.Program) -> dict[str, str]:
    """What the descriptor says, and the parameters that bootstrap noted for this program."""
    own = {name: programs.filled([value])[0] for name, value in program.environment.items()}
    if not program.parameters:
        return own
    noted: dict[str, str] = json.loads(places.state().read_text(encoding="utf-8"))["parameters"]
    return own | {name: noted[name] for name in program.parameters}


def main(arguments: list[str]) -> int:
    """Become the program. Returns only when it cannot be started."""
    known = programs.load_all()
    if len(arguments) != 1 or arguments[0] not in known:
        print(f"usage: python -m bootstrap.start PROGRAM; programs: {', '.join(known)}", file=sys.stderr)
        return 2
    program = known[arguments[0]]
    _end_with_supervisor()
    # An exception, so that a command under way is ended too; exec puts the default back.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    environment = clean_environment(os.environ, _own_environment(program))
    if program.ends_leftovers and (ended := end_leftovers(program.name, os.environ)):
        print(f"{program.name}: ended {ended} processes that an earlier run left behind", flush=True)
    for wait in program.waits:
        if not wait_for(wait.name, wait.deadline_s):
            print(f"{program.name}: {wait.name} is not there after {wait.deadline_s:g} s", file=sys.stderr)
            return 1
    for command in program.before:
        filled = programs.filled(command)
        result = subprocess.run(filled, env=environment, check=False)
        if result.returncode:
            print(
                f"{program.name}: {' '.join(filled[1:])} ended with code {result.returncode}", file=sys.stderr
            )
            return 1
    command_line = programs.filled(program.command)
    if program.kind == "oneshot":
        code = subprocess.run(command_line, env=environment, check=False).returncode
        if code:
            time.sleep(_PAUSE_S)
        return code
    if program.no_new_privileges:
        # A setgid bit that took effect would also let the program outlive Supervisor.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    sys.stdout.flush()
    try:
        os.execvpe(command_line[0], command_line, environment)
    except OSError as error:
        print(f"{program.name}: cannot run {command_line[0]}: {error.strerror}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
