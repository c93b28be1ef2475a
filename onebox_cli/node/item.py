"""One thing that a node must have: how it is found, and how it is put right."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Unfit(Exception):
    """An item cannot be put right here; the message says what was found and what to do."""


@dataclass(frozen=True)
class Finding:
    """What was found. ``todo`` is what a person, or ``apply``, has to do; empty when all is well.

    is_fault: looking, or putting right, has failed; ``found`` says why and what to do.
    """

    found: str
    todo: str = ""
    is_fault: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether nothing has to be done."""
        return not self.todo and not self.is_fault


class Item(Protocol):
    """One thing that a node must have."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def examine(self) -> Finding:
        """What is there now; changes nothing."""
        ...

    def apply(self) -> None:
        """Put it right. Raises Unfit."""
        ...


def run(*command: str, stdin: str = "") -> str:
    """The output of a program that must succeed. Raises Unfit with what it said."""
    result = call(*command, stdin=stdin)
    if result.returncode:
        said = (result.stderr or result.stdout).strip()[-600:]
        raise Unfit(f"{' '.join(command[:3])}: {said or f'exit code {result.returncode}'}")
    return result.stdout


def call(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program, whatever its exit code; a missing one ends with 127."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    try:
        return subprocess.run(
            command, input=stdin, env=environment, text=True, capture_output=True, check=False
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]} is not installed")


def read(path: Path) -> str:
    """A file's text, empty when it is not there."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def write(path: Path, text: str, mode: int = 0o644, owner: tuple[int, int] = (0, 0)) -> None:
    """Put a file in place at once: a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".onebox-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
        os.chmod(name, mode)
        os.chown(name, *owner)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class OwnFile:
    """A file that is ours alone; ``check`` is a command that must accept it (with its path added)."""

    name: str
    path: Path
    text: str
    mode: int = 0o644
    check: Sequence[str] = ()

    def examine(self) -> Finding:
        """Whether the file has our text and mode."""
        if not self.path.exists():
            return Finding("not there", f"write {self.path}")
        if read(self.path) != self.text:
            return Finding("has another text", f"write {self.path}")
        if self.path.stat().st_mode & 0o777 != self.mode:
            return Finding(f"mode {self.path.stat().st_mode & 0o777:o}", f"chmod {self.mode:o} {self.path}")
        return Finding(str(self.path))

    def apply(self) -> None:
        """Write it; a text that its own program refuses never gets there."""
        if self.check:
            with tempfile.NamedTemporaryFile("w", encoding="utf-8") as trial:
                trial.write(self.text)
                trial.flush()
                run(*self.check, trial.name)
        write(self.path, self.text, self.mode)
