"""kvmrc: what an administrator has set for the machines of a node."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from driver import DriverError, run

_FILE = os.path.normpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../etc/vmm/kvm/kvmrc"))
# Shell syntax is the file's, and values may refer to others: only a shell can read it.
_READER = 'set -a; . "$1" >&2 || exit 1; exec env -0'
_OLD_SHUTDOWN_TIMEOUT_S = 120  # where the setting is empty
_RETRIES = 3


@dataclass(frozen=True)
class Settings:
    """The settings of a kvmrc; names that it does not set read as empty."""

    values: Mapping[str, str]
    path: str = _FILE
    _yes: frozenset[str] = field(default=frozenset({"yes", "true", "1"}), repr=False)

    def get(self, name: str, default: str = "") -> str:
        """A value without the blanks around it."""
        return self.values.get(name, "").strip() or default

    def is_yes(self, name: str) -> bool:
        """Whether a setting says yes."""
        return self.get(name).lower() in self._yes

    def number(self, name: str, default: int) -> int:
        """A whole number that is not negative. Raises DriverError for another word."""
        text = self.get(name, str(default))
        if not text.isascii() or not text.isdigit():
            raise DriverError(f"{self.path}: {name} must be a whole number, found {text!r}")
        return int(text)

    def words(self, name: str) -> list[str]:
        """Options, split as a shell does. Raises DriverError for an open quote."""
        try:
            return shlex.split(self.get(name))
        except ValueError as error:
            raise DriverError(f"{self.path}: {name} cannot be split into words: {error}") from None

    @property
    def uri(self) -> str:
        """The libvirt of this node."""
        return self.get("LIBVIRT_URI", "qemu:///system")

    def uri_of(self, host: str) -> str:
        """The libvirt of another node."""
        return f"{self.get('QEMU_PROTOCOL', 'qemu+ssh')}://{host}/system"

    @property
    def shutdown_timeout_s(self) -> int:
        """How long a machine may take to shut down."""
        return self.number("SHUTDOWN_TIMEOUT", _OLD_SHUTDOWN_TIMEOUT_S)

    @property
    def retries(self) -> int:
        """Attempts of commands that can fail for a moment; at least one."""
        return max(1, self.number("VIRSH_RETRIES", _RETRIES))


def load(path: str = _FILE) -> Settings:
    """The settings of a file. Raises DriverError when it cannot be read."""
    if not os.path.isfile(path):
        raise DriverError(f"the settings of the driver are missing here: {path}")
    shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
    try:
        text = run([shell, "-c", _READER, "kvmrc", path], timeout_s=30)
    except DriverError as error:
        raise DriverError(f"{path} cannot be read: {error}") from None
    pairs = (entry.partition("=") for entry in text.split("\0") if entry)
    return Settings({name: value for name, _, value in pairs}, path)
