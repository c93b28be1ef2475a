"""A step: one run of one driver action, as data. Plans are lists of steps; ``execute`` runs them."""

from __future__ import annotations

import base64
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from services.common import paths
from services.oned.drivers.run import Command
from services.oned.drivers.table import Takeover

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15")
# A hypervisor that talks to another node in our name, as live migration does.
_FORWARDING = ("-o", "ForwardAgent=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none")
# Runs a script that comes on standard input, in one line of base64, before what the script itself reads.
_LOADER = "import sys,base64;sys.argv[0]={name!r};exec(base64.b64decode(sys.stdin.readline()))"


# For actions that not every driver has.
_IF_THERE = '[ -x "$0" ] || { echo STATE=unsupported; exit 0; }; exec "$0" "$@"'
UNSUPPORTED = "STATE=unsupported"


def ssh_command() -> tuple[str, ...]:
    """How nodes are reached: the program and its options, up to the name of the node."""
    return _SSH


class PlanError(ValueError):
    """An operation cannot be turned into driver actions; the message says what is missing or unknown."""


class Slot(Enum):
    """An argument that is known only while the plan runs."""

    DEPLOY_ID = "the deploy id that an earlier step printed"


@dataclass(frozen=True, slots=True)
class FromOutput:
    """An argument that is made of what an earlier step printed. ``make`` raises PlanError for other texts."""

    make: Callable[[str], str]


Argument = str | Slot | FromOutput


@dataclass(frozen=True, slots=True)
class File:
    """A file of the front-end that a step needs; written just before it, readable by oneadmin alone."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Probe:
    """How to find out whether an action has done its work already: ``step`` prints STATE=``wanted``.

    output: what the action would have printed. again: the action is run again for this answer only; with
    any other, or none, running it twice could destroy something, so it fails. (A driver that cannot answer
    is not asked twice: when an administrator wishes a retry, it is run.)
    """

    step: Step
    wanted: Takeover
    output: str = ""
    again: Takeover | None = None


@dataclass(frozen=True, slots=True)
class When:
    """Whether a step is run: when the step of that note has printed one of the words, or none of them."""

    note: str
    words: tuple[str, ...]
    is_absent: bool = False

    def holds(self, notes: Mapping[str, str]) -> bool:
        """Whether it does, by what the steps so far have printed."""
        said = notes.get(self.note, "").split()
        return any(word in said for word in self.words) is not self.is_absent


@dataclass(frozen=True, slots=True)
class Step:
    """One driver action.

    host: the node to run it on over ssh, '' for the front-end. variant: a more special script that is run
    instead when it exists. line: a shell line to run instead of a script, with the arguments as $1, $2, ….
    is_piped: the front-end's script is given to the node's python3, so that the node needs no copy of it.
    may_lack: a driver without the action is no failure, UNSUPPORTED is its output then.
    stdin is given in base64 when ``is_encoded``; with stdin_note it is what the step of that note printed.
    undo: run in order when this step fails, whatever they answer. redo: the same, before a step that is run
    again after a crash. gives_output: its standard output is the operation's result. note: a name for its
    output, which later steps look at.
    """

    subsystem: str
    driver: str
    action: str
    args: tuple[Argument, ...]
    timeout_s: int
    host: str = ""
    remote_folder: str = ""
    variant: str = ""
    line: str = ""
    is_piped: bool = False
    may_lack: bool = False
    forwards_agent: bool = False
    stdin: str = ""
    stdin_note: str = ""
    is_encoded: bool = True
    files: tuple[File, ...] = ()
    undo: tuple[Step, ...] = ()
    redo: tuple[Step, ...] = ()
    gives_output: bool = False
    ignore_failure: bool = False
    note: str = ""
    when: When | None = None
    probe: Probe | None = None

    @property
    def name(self) -> str:
        """For messages: vmm/kvm/deploy."""
        return f"{self.subsystem}/{self.driver}/{self.action}"

    @property
    def longest_s(self) -> int:
        """How long it may take with all that belongs to it."""
        seconds = self.timeout_s + sum(step.timeout_s for step in (*self.undo, *self.redo))
        return seconds + (self.probe.step.timeout_s if self.probe else 0)

    def command(
        self, deploy_id: str, timeout_s: float, output: str = "", notes: Mapping[str, str] | None = None
    ) -> Command:
        """The process to start, at most for ``timeout_s``; output: what an earlier step printed.

        Raises PlanError when that cannot be used.
        """
        args = [_known(arg, deploy_id, output) for arg in self.args]
        stdin = self._stdin(notes or {})
        if not self.host:
            return Command((*self._local_program(), *args), timeout_s, stdin)
        if self.is_piped:
            stdin = base64.b64encode(Path(self._local_script()).read_bytes()) + b"\n" + stdin
        # The node ends the action itself too: killing our ssh leaves its far end running.
        line = f"timeout -k 5 {int(timeout_s) + 5} {shlex.join([*self._remote_program(), *args])}"
        options = _FORWARDING if self.forwards_agent else ()
        return Command((*_SSH, *options, "--", self.host, line), timeout_s, stdin)

    def _stdin(self, notes: Mapping[str, str]) -> bytes:
        text = (notes.get(self.stdin_note, "") if self.stdin_note else self.stdin).encode()
        return base64.b64encode(text) if self.is_encoded and text else text

    def _local_program(self) -> tuple[str, ...]:
        if self.line:
            return ("sh", "-c", self.line, self.action)
        script = self._local_script()
        if self.is_piped:
            return (sys.executable, "-I", script)
        return ("sh", "-c", _IF_THERE, script) if self.may_lack else (script,)

    def _remote_program(self) -> tuple[str, ...]:
        if self.line:
            return ("sh", "-c", self.line, self.action)
        if self.is_piped:
            return ("python3", "-I", "-c", _LOADER.format(name=self.action))
        script = f"{self.remote_folder}/{self.subsystem}/{self.driver}/{self.action}"
        return ("sh", "-c", _IF_THERE, script) if self.may_lack else (script,)

    def _local_script(self) -> str:
        folder = paths.remotes() / self.subsystem / self.driver
        if self.variant and (folder / self.variant).exists():
            return str(folder / self.variant)
        return str(folder / self.action)


def _known(arg: Argument, deploy_id: str, output: str) -> str:
    if isinstance(arg, FromOutput):
        return arg.make(output)
    return deploy_id if isinstance(arg, Slot) else arg
