"""A step: one run of one driver action, as data. Plans are lists of steps; ``execute`` runs them."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from services.common import paths
from services.oned.drivers.run import Command
from services.oned.drivers.table import Takeover

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15")


class PlanError(ValueError):
    """An operation cannot be turned into driver actions; the message says what is missing or unknown."""


class Slot(Enum):
    """An argument that is known only while the plan runs."""

    DEPLOY_ID = "the deploy id that an earlier step printed"


Argument = str | Slot


@dataclass(frozen=True, slots=True)
class File:
    """A file of the front-end that a step needs; written just before it, readable by oneadmin alone."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Probe:
    """How to find out whether an action has done its work already: ``step`` prints STATE=``wanted``.

    output: what the action would have printed.
    """

    step: Step
    wanted: Takeover
    output: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One driver action.

    host: the node to run it on over ssh, '' for the front-end. variant: a more special script that is run
    instead when it exists. stdin is given in base64 when ``is_encoded``. undo: run in order when this step
    fails, whatever they answer. gives_output: its standard output is the operation's result.
    """

    subsystem: str
    driver: str
    action: str
    args: tuple[Argument, ...]
    timeout_s: int
    host: str = ""
    remote_folder: str = ""
    variant: str = ""
    stdin: str = ""
    is_encoded: bool = True
    files: tuple[File, ...] = ()
    undo: tuple[Step, ...] = ()
    gives_output: bool = False
    ignore_failure: bool = False
    probe: Probe | None = None

    @property
    def name(self) -> str:
        """For messages: vmm/kvm/deploy."""
        return f"{self.subsystem}/{self.driver}/{self.action}"

    def command(self, deploy_id: str, timeout_s: float) -> Command:
        """The process to start, at most for ``timeout_s``."""
        args = [deploy_id if isinstance(arg, Slot) else arg for arg in self.args]
        text = self.stdin.encode()
        stdin = base64.b64encode(text) if self.is_encoded and text else text
        if not self.host:
            return Command((self._local_script(), *args), timeout_s, stdin)
        script = f"{self.remote_folder}/{self.subsystem}/{self.driver}/{self.action}"
        # The node ends the action itself too: killing our ssh leaves its far end running.
        line = f"timeout -k 5 {int(timeout_s) + 5} {shlex.join([script, *args])}"
        return Command((*_SSH, "--", self.host, line), timeout_s, stdin)

    def _local_script(self) -> str:
        folder = paths.remotes() / self.subsystem / self.driver
        if self.variant and (folder / self.variant).exists():
            return str(folder / self.variant)
        return str(folder / self.action)
