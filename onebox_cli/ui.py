"""What a person sees: steps with their time, and failures that say what to do."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_TAIL_LINES = 15


class Failure(Exception):
    """Something a person has to deal with: what failed, the last log lines, what to do."""

    def __init__(self, what: str, *, log: Sequence[str] = (), advice: str = "") -> None:
        super().__init__(what)
        self.log = list(log)
        self.advice = advice

    def __str__(self) -> str:
        lines = [f"onebox: failed: {self.args[0]}"]
        if self.log:
            lines += ["  last log lines:", *(f"    {line}" for line in self.log)]
        if self.advice:
            lines.append(f"  what to do: {self.advice}")
        return "\n".join(lines)


class Step:
    """A step under way; ``result`` is what its line ends with."""

    def __init__(self) -> None:
        self.result = "ok"


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Show a step, and how long it took when it is done."""
    started = time.monotonic()
    print(f"  {name:<28}", end="", flush=True)
    current = Step()
    try:
        yield current
    except BaseException:
        print(f"failed after {time.monotonic() - started:.1f} s", flush=True)
        raise
    print(f"{current.result:<40} {time.monotonic() - started:6.1f} s", flush=True)


def say(text: str) -> None:
    """A line for the person."""
    print(text, flush=True)


def warn(text: str) -> None:
    """A line about something that may surprise."""
    print(f"onebox: {text}", file=sys.stderr, flush=True)


def tail(file: Path, lines: int = _TAIL_LINES) -> list[str]:
    """The last lines of a file, none when it is not there."""
    try:
        with file.open("rb") as opened:
            opened.seek(0, 2)
            opened.seek(max(0, opened.tell() - 64 * 1024))
            return opened.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def run_logged(
    command: Sequence[str | Path],
    log: Path,
    what: str,
    *,
    advice: str = "",
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command with its output in a log file. Raises Failure with the last lines of it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        try:
            code = subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                check=False,
            ).returncode
        except OSError as error:
            raise Failure(f"{what}: cannot run {command[0]}: {error.strerror}", advice=advice) from None
    if code:
        raise Failure(f"{what} (exit code {code})", log=tail(log), advice=advice or f"see {log}")
