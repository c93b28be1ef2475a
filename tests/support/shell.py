"""Commands run inside the test's own process, or on a terminal: words in, text and exit code out."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from services.cli import main
from tests.support.frontend import Frontend

SETTINGS = ("ONE_LOCATION", "ONE_XMLRPC", "ONE_AUTH")


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class _Terminal(io.StringIO):
    """A standard input that says it is a terminal, so that editors are opened."""

    def isatty(self) -> bool:
        return True


class Shell:
    """A user's shell at a front-end; ``home`` is a folder of its own. Commands run without a process."""

    def __init__(self, frontend: Frontend, home: Path) -> None:
        self.frontend = frontend
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.variables = {name: frontend.env[name] for name in SETTINGS} | {"HOME": str(home), "TZ": "UTC"}

    def run(self, line: str, stdin: str = "", terminal: bool = False) -> Outcome:
        """Run a command line; ``terminal``: standard input is one."""
        name, *words = shlex.split(line)
        out, err, saved = io.StringIO(), io.StringIO(), dict(os.environ)
        given = _Terminal(stdin) if terminal else io.StringIO(stdin)
        os.environ.update(self.variables)
        for gone in ("ONE_LISTCONF", "ONE_PAGER", "NO_COLOR"):
            os.environ.pop(gone, None)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _stdin(given):
                code = main.run(name, words)
        finally:
            os.environ.clear()
            os.environ.update(saved)
        return Outcome(code, out.getvalue(), err.getvalue())

    def ok(self, line: str, stdin: str = "", terminal: bool = False) -> str:
        """Run a command line that must succeed, silent on standard error; its output."""
        found = self.run(line, stdin, terminal)
        assert (found.code, found.err) == (0, ""), f"{line}: {found}"
        return found.out

    def created(self, line: str, stdin: str = "") -> str:
        """Run a command line that must print one new id; the id."""
        label, _, number = self.ok(line, stdin).rstrip("\n").rpartition(": ")
        assert label in ("ID", "VN ID", "Reservation VNET ID") and number.isdigit(), line
        return number

    def refused(self, line: str, stdin: str = "") -> str:
        """Run a command line that must fail with one line on standard error; that line."""
        found = self.run(line, stdin)
        assert (found.code, found.out) == (255, ""), f"{line}: {found}"
        assert found.err.count("\n") == 1 and "Traceback" not in found.err, f"{line}: {found.err}"
        return found.err.rstrip("\n")

    def cells(self, command: str, oid: str, columns: str) -> list[str]:
        """Cells of one object's row of a list."""
        line = self.ok(
            f"{command} list -l {columns} -f ID={oid} --csv --csv-del ; --no-header".replace(";", "';'")
        )
        return [cell.strip() for cell in line.rstrip("\n").split(";")]

    def edit_with(self, program: str) -> None:
        """Let the editor be a sed program that changes the file."""
        script = self.home / "editor"
        script.write_text(f'#!/bin/sh\nexec sed -i {shlex.quote(program)} "$1"\n')
        script.chmod(0o755)
        self.variables["EDITOR"] = str(script)

    def on_terminal(self, line: str, width: int = 100) -> str:
        """What the installed command prints on a terminal of that width."""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        environment = {**self.frontend.env, **self.variables, "TERM": "xterm", "ONE_PAGER": "cat"}
        environment.pop("NO_COLOR", None)
        process = subprocess.Popen(
            shlex.split(line), env=environment, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave
        )
        os.close(slave)
        pieces = []
        with os.fdopen(master, "rb", buffering=0) as reader, contextlib.suppress(OSError):
            while piece := reader.read(65536):  # ends with EIO when the command has closed the terminal
                pieces.append(piece)
        assert process.wait(30) == 0, line
        return b"".join(pieces).decode().replace("\r\n", "\n")


@contextlib.contextmanager
def at_a_new_front_end(folder: Path, *programs: str) -> Iterator[Shell]:
    """oneadmin's shell at a front-end that runs the API, or the programs named."""
    frontend = Frontend(folder)
    try:
        frontend.start(*(programs or ("opennebula",)))
        yield Shell(frontend, folder / "home")
    finally:
        frontend.stop()


def field(text: str, name: str) -> str:
    """One field of a page."""
    found = re.search(rf"^{re.escape(name)} *: (.*?) *$", text, re.M)
    assert found, f"{name} is not shown"
    return found.group(1)


@contextlib.contextmanager
def _stdin(given: io.StringIO) -> Iterator[None]:
    before, sys.stdin = sys.stdin, given
    try:
        yield
    finally:
        sys.stdin = before
