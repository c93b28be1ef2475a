"""What a probe is told: hypervisor and host from its arguments, the rest from MONITOR_CONFIGURATION.

``HYPERVISOR HOST_ID HOST_NAME`` are the arguments, the document comes on standard input; both are
OpenNebula's, and everything in the probe folders is called with them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from driver import DriverError, document

REMOTES = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))

# Seconds, where the configuration does not say (defaults of monitord.conf).
PERIODS_S = {
    "BEACON_HOST": 30,
    "SYSTEM_HOST": 600,
    "MONITOR_HOST": 120,
    "STATE_VM": 5,
    "MONITOR_VM": 30,
    "SYNC_STATE_VM": 180,
}
_DATASTORES = "/var/lib/one/datastores"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


@dataclass
class Context:
    """One host as its probes see it.

    stdin: the document as it came, for probes that are processes. memory: what probes keep between two runs
    in the same agent, by a key of their own; empty in a process of its own.
    """

    hypervisor: str
    host_id: int
    host_name: str
    stdin: bytes
    datastores: str
    address: str
    port: int
    public_key: str
    periods_s: dict[str, int]
    remotes: str = REMOTES
    memory: dict[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> list[str]:
        """The arguments of a probe."""
        return [self.hypervisor, str(self.host_id), self.host_name]

    def path(self, *parts: str) -> str:
        """A path below the folder of all driver actions."""
        return os.path.join(self.remotes, *parts)

    def read(self, *parts: str) -> str:
        """The text of a settings file below that folder; empty when it is not there."""
        try:
            with open(self.path(*parts), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""


def context(arguments: Sequence[str], stdin: bytes) -> Context:
    """The context of a call. Raises DriverError that says which argument or element cannot be used."""
    if len(arguments) < 3:
        raise DriverError(f"expected HYPERVISOR HOST_ID HOST_NAME, found {len(arguments)} arguments")
    hypervisor, host_text, host_name = arguments[0], arguments[-2], arguments[-1]
    if not _NAME.match(hypervisor):
        raise DriverError(f"the hypervisor must be a name of letters and digits, found {hypervisor[:40]!r}")
    if not re.match(r"\d{1,9}\Z", host_text):
        raise DriverError(f"the host's ID must be a number, found {host_text[:40]!r}")
    root = document(stdin)

    def text(path: str, default: str) -> str:
        return (root.findtext(path) or "").strip() or default

    def number(path: str, default: int) -> int:
        value = text(path, str(default))
        if not re.match(r"[1-9]\d{0,8}\Z", value):
            raise DriverError(f"{path} must be a whole number above 0, found {value[:40]!r}")
        return int(value)

    port = number("NETWORK/PORT", 4124)
    if port > 65535:
        raise DriverError(f"NETWORK/PORT must be a port, found {port}")
    return Context(
        hypervisor=hypervisor,
        host_id=int(host_text),
        host_name=host_name,
        stdin=stdin,
        datastores=text("DATASTORE_LOCATION", _DATASTORES),
        address=text("NETWORK/MONITOR_ADDRESS", "auto"),
        port=port,
        public_key=(root.findtext("NETWORK/PUBKEY") or "").strip(),
        periods_s={name: number(f"PROBES_PERIOD/{name}", usual) for name, usual in PERIODS_S.items()},
    )
