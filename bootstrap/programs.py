"""The programs that Supervisor runs: one descriptor file each in ``bootstrap/programs/``.

Fields: name, priority, services (words of OPENNEBULA_SERVICE that need it), command (list; ``%(python)s``,
``%(code)s``, ``%(run)s`` and ``%(var)s`` are filled in), before (commands that must succeed first), waits
(name and deadline_s of what must be there first), user (container only), kind (service, oneshot or
listener), native (also without a container), needs_inner_mysql (only with the MariaDB of this instance),
needs_tls_proxy (only with TLS_PROXY_ENABLED), needs_program (natively only where that is installed),
autostart, stopsignal, stopwaitsecs, stopasgroup, startsecs, startretries, environment, parameters (names of
image parameters, no secrets, that it gets in its environment), follows (a one-shot that runs again whenever
that program has started again), ends_container (when it says that the start has to be given up, the container
ends), events (listener), log (its own file in the log folder), ends_leftovers (kill what a killed run of it
left behind), no_new_privileges (run it without the rights of its file's setgid bit).
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bootstrap import params, places
from services.common import paths

_FOLDER = Path(__file__).parent / "programs"
_KINDS = ("service", "oneshot", "listener")


@dataclass(frozen=True)
class Wait:
    """Something that must be there before a program starts; see bootstrap/start.py for the names."""

    name: str
    deadline_s: float


@dataclass(frozen=True)
class Program:
    """One program; see the module text."""

    name: str
    priority: int
    services: tuple[str, ...]
    command: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    waits: tuple[Wait, ...] = ()
    user: str = "oneadmin"
    kind: str = "service"
    native: bool = True
    needs_inner_mysql: bool = False
    needs_tls_proxy: bool = False
    needs_program: str = ""
    autostart: bool = True
    stopsignal: str = "TERM"
    stopwaitsecs: int = 15
    stopasgroup: bool = False
    startsecs: int = 1
    startretries: int = 5
    environment: dict[str, str] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    follows: str = ""
    ends_container: bool = False
    events: tuple[str, ...] = ()
    log: str = ""
    ends_leftovers: bool = False
    no_new_privileges: bool = False


def load(file: Path) -> Program:
    """The program that a descriptor file describes. Raises ValueError naming file and field."""
    with file.open("rb") as opened:
        raw: dict[str, Any] = tomllib.load(opened)
    unknown = sorted(set(raw) - {known.name for known in fields(Program)})
    if unknown:
        raise ValueError(f"{file.name}: unknown field {', '.join(unknown)}")
    for name in ("services", "command", "events", "parameters"):
        if name in raw:
            raw[name] = tuple(raw[name])
    raw["before"] = tuple(tuple(command) for command in raw.get("before", ()))
    raw["waits"] = tuple(Wait(**wait) for wait in raw.get("waits", ()))
    try:
        program = Program(**raw)
    except TypeError as error:
        raise ValueError(f"{file.name}: {error}") from None
    if program.name != file.stem:
        raise ValueError(f"{file.name}: name must be {file.stem}, found {program.name}")
    if program.kind not in _KINDS:
        raise ValueError(f"{file.name}: kind must be one of {', '.join(_KINDS)}, found {program.kind}")
    for name in program.parameters:
        if name not in params.BY_NAME or params.BY_NAME[name].secret:
            raise ValueError(f"{file.name}: parameters: expected names that are no secrets, found {name}")
    return program


def load_all() -> dict[str, Program]:
    """Every program, by name."""
    found = [load(file) for file in sorted(_FOLDER.glob("*.toml"))]
    return {program.name: program for program in found}


def select(
    programs: Iterable[Program],
    service: str,
    *,
    native: bool,
    inner_mysql: bool,
    maintenance: bool,
    tls_proxy: bool = True,
) -> list[Program]:
    """The programs of a service, in the order they start."""
    return sorted(
        (
            program
            for program in programs
            if (service in program.services or (maintenance and "none" in program.services))
            and (program.native or not native)
            and (inner_mysql or not program.needs_inner_mysql)
            and (tls_proxy or not program.needs_tls_proxy)
            and not (native and program.needs_program and shutil.which(program.needs_program) is None)
        ),
        key=lambda program: (program.priority, program.name),
    )


def filled(command: Iterable[str]) -> list[str]:
    """A command with its placeholders filled in."""
    values = {
        "%(python)s": sys.executable,
        "%(code)s": str(places.CODE),
        "%(run)s": str(paths.run()),
        "%(var)s": str(paths.var()),
    }
    done = []
    for part in command:
        for mark, value in values.items():
            part = part.replace(mark, value)
        done.append(part)
    return done


def render(program: Program, *, native: bool, maintenance: bool) -> str:
    """Supervisor's configuration of a program."""
    is_listener = program.kind == "listener"
    # In maintenance mode only what keeps the container alive.
    autostart = program.autostart and (not maintenance or program.services == ("none",))
    log_folder = places.program_logs()
    output = str(log_folder / f"{program.name}.log") if log_folder else "/dev/stdout"
    # A one-shot that fails runs again; one that succeeded stays ended.
    autorestart = "unexpected" if program.kind == "oneshot" else "true"
    lines = {
        "command": f"{_quoted(sys.executable)} -m bootstrap.start {program.name}",
        "directory": str(places.CODE),
        "priority": str(program.priority),
        "autostart": "true" if autostart else "false",
        "autorestart": autorestart,
        "startsecs": "0" if program.kind == "oneshot" else str(program.startsecs),
        "startretries": str(program.startretries),
        "stopsignal": program.stopsignal,
        "stopwaitsecs": str(program.stopwaitsecs),
        # Drivers and workers must not outlive the program that started them.
        "stopasgroup": "true" if program.stopasgroup else "false",
        "killasgroup": "true",
    }
    if not native:
        lines["user"] = program.user
    if is_listener:
        # A listener speaks with Supervisor over its standard output; only its errors are for people.
        lines |= {"events": ",".join(program.events), "buffer_size": "100"}
        lines |= {"stdout_logfile": "NONE", "stderr_logfile": output}
    else:
        lines |= {"redirect_stderr": "true", "stdout_logfile": output}
    prefix = "stderr" if is_listener else "stdout"
    # Supervisor cannot rotate the container's output.
    lines |= {f"{prefix}_logfile_maxbytes": "10MB", f"{prefix}_logfile_backups": "2"} if log_folder else {
        f"{prefix}_logfile_maxbytes": "0"
    }  # fmt: skip
    section = "eventlistener" if is_listener else "program"
    body = "\n".join(f"{name} = {value}" for name, value in lines.items())
    return (
        f"; Written by bootstrap at every start; changes do not last.\n[{section}:{program.name}]\n{body}\n"
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if set(text) & set(" \"\\'") else text
