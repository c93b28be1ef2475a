"""Running an operator's scripts: hooks and the batch file. A failure names script, line and last words.

Only a shell can be asked for the line: scripts for bash and sh are run with traps that note it (traps/).
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

_TRAPS = Path(__file__).parent / "traps"
_LINE_MAX = 400


class ScriptFailed(Exception):
    """A script that could not be run, or ended with another code than 0."""


def run(file: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Run a script to its end; each line of its output goes to ``say``. Raises ScriptFailed."""
    with tempfile.TemporaryDirectory(prefix="onebox-script-") as folder:
        note = Path(folder, "failed")
        command, extra = _command(file, note)
        last: deque[str] = deque(maxlen=1)
        try:
            process = subprocess.Popen(
                command,
                env={**environment, **extra},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="backslashreplace",
            )
        except OSError as error:
            raise ScriptFailed(f"{file}: cannot be run: {error.strerror}") from None
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                text = line.rstrip()
                say(text)
                if text:
                    last.append(text[:_LINE_MAX])
        code = process.wait()
        if code == 0:
            return
        ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        raise ScriptFailed(f"{file}{_place(note)} {ended}" + (f": {last[0]}" if last else ""))


def _command(file: Path, note: Path) -> tuple[list[str], dict[str, str]]:
    shell = _shell(file)
    traps = {"ONEBOX_FAILED_NOTE": str(note)}
    if shell == "bash":
        return [str(file)], traps | {"BASH_ENV": str(_TRAPS / "note.bash")}
    if shell == "sh":
        return ["/bin/bash", str(_TRAPS / "run-sh.bash"), str(file)], traps
    return [str(file)], {}


def _shell(file: Path) -> str:
    """bash or sh, when that is what the first line asks for; else empty."""
    try:
        with file.open("rb") as opened:
            first = opened.readline(200).decode("ascii", "replace")
        if not first.startswith("#!"):
            return ""
        words = shlex.split(first[2:])
    except (OSError, ValueError):
        return ""
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-")]
    name = os.path.basename(words[0]) if words else ""
    # With options (-e, -x) the interpreter has to be called as the script says.
    if name == "sh" and len(words) > 1:
        return ""
    return name if name in ("bash", "sh") else ""


def _place(note: Path) -> str:
    try:
        number, _, command = note.read_text(encoding="utf-8", errors="replace").partition("\t")
    except OSError:
        return ""
    shown = command.strip().splitlines()[0][:80] if command.strip() else ""
    return f", line {number}" + (f" ({shown})" if shown else "")
