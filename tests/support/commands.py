"""The one* commands against a front-end: in this process, which saves a start each time, or on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.cli import main
from tests.support.frontend import ROOT

GOLDEN = ROOT / "tests" / "service" / "golden" / "machines"


@dataclass
class Commands:
    """Runs commands in an environment (ONE_XMLRPC, ONE_AUTH ...)."""

    env: Mapping[str, str]
    succeeded: set[tuple[str, str]] = field(default_factory=set)  # command and subcommand of what was run

    def run(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of a command line."""
        before, before_stdin = dict(os.environ), sys.stdin
        os.environ.clear()
        os.environ.update({**self.env, **(env or {})})
        sys.stdin = io.StringIO(stdin)
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main.run(words[0], words[1:])
        finally:
            sys.stdin = before_stdin
            os.environ.clear()
            os.environ.update(before)
        return code, out.getvalue(), err.getvalue()

    def ok(self, line: str, *more: str, stdin: str = "") -> str:
        """What a command that must succeed prints; ``line`` is split at blanks, ``more`` is not."""
        words = [*line.split(), *more]
        found = self.run(*words, stdin=stdin)
        assert (found[0], found[2]) == (0, ""), (" ".join(words), found)
        self.succeeded.add((words[0], words[1]))
        return found[1]

    def refused(self, line: str, *more: str, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        """The one line that a command that must fail says."""
        code, out, err = self.run(*line.split(), *more, stdin=stdin, env=env)
        assert (code, out) == (255, ""), (line, more, code, out, err)
        assert err.count("\n") == 1 and "Traceback" not in err, err
        return err.rstrip("\n")

    def new(self, line: str, *more: str, stdin: str = "") -> str:
        """The id that a creation prints."""
        text = self.ok(line, *more, stdin=stdin)
        found = re.search(r"ID: (\d+)\n\Z", text)
        assert found, text
        return found.group(1)

    def cell(self, command: str, oid: str, column: str) -> str:
        """One cell of a list."""
        options = f"-l {column} -f ID={oid} --csv --no-header"
        return self.ok(f"{command} list {options}").strip()

    def on_terminal(self, *words: str, columns: int = 100, answers: str = "") -> str:
        """What the launcher of a command writes to a terminal of that width."""
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
        environment = {**self.env, "TERM": "xterm"}
        program = str(ROOT / "bin" / words[0])
        with subprocess.Popen(
            [program, *words[1:]], stdin=follower, stdout=follower, stderr=follower, env=environment
        ) as process:
            os.close(follower)
            os.write(leader, answers.encode())
            pieces = []
            with contextlib.suppress(OSError):  # the other side is closed
                while piece := os.read(leader, 65536):
                    pieces.append(piece)
            os.close(leader)
            process.wait(30)
        return b"".join(pieces).decode().replace("\r\n", "\n")


def until(done: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Return when ``done``; fail with what was waited for."""
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.1)


_MASKS = (
    (re.compile(r"\d\d/\d\d \d\d:\d\d:\d\d"), "MM/DD hh:mm:ss"),
    (re.compile(r"\d\d/\d\d \d\d:\d\d"), "MM/DD hh:mm"),
    (re.compile(r"  0d 00h\d\d"), "  0d 00hMM"),
    (re.compile(r"0h00m\d\ds"), "0h00mSSs"),
    (re.compile(r'(UUID|VCLOUD_ID|TOKEN_PASSWORD)="[^"]*"'), r'\1="..."'),
    (re.compile(r"(?m)^(  0 0    )\d+ *(?= )"), r"\1REQ  "),
    (re.compile(r"In [\d.]+ (minutes|hours|days)"), "In N units"),
)


def masked(text: str, folder: Path) -> str:
    """A text without what differs from run to run; ``|`` marks the end of lines with trailing blanks."""
    # A path shorter than its column is filled with blanks.
    text = re.sub(rf"(?m){re.escape(str(folder))}(\S*) *$", r"/FOLDER\1", text)
    text = text.replace(str(folder), "/FOLDER")
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return "".join(f"{line}|\n" if line.endswith(" ") else f"{line}\n" for line in text.splitlines())
