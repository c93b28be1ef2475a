"""The node's virsh: commands, states and documents of domains.

Domains are named by their UUID or their name. Every value is an argument of its own, behind its option's
name, so that none is taken for an option.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

import kvm_settings
from driver import DriverError, document, run

QUICK_S = 120.0
_ENVIRONMENT = {"LANG": "C", "LC_ALL": "C"}
_BUSY = "active block job"
_BUSY_TRIES = 3
_BUSY_PAUSE_S = 5.0
GONE = ""
SHUT_OFF = "shut off"


class Virsh:
    """virsh on one libvirt, by default the node's own."""

    def __init__(self, settings: kvm_settings.Settings, uri: str = "") -> None:
        self.settings = settings
        self.uri = uri or settings.uri

    def call(self, command: str, *options: str, stdin: bytes = b"", timeout_s: float | None = QUICK_S) -> str:
        """The output of a command. Raises DriverError with libvirt's own words."""
        argv = ["virsh", "--quiet", "--connect", self.uri, command, *options]
        try:
            return run(argv, stdin=stdin, env=_ENVIRONMENT, timeout_s=timeout_s)
        except DriverError as error:
            raise DriverError(_plain(str(error))) from None

    def state(self, domain: str) -> tuple[str, str]:
        """State and reason of a domain (running, booted), (GONE, '') when it is not there.

        Raises DriverError when libvirt does not answer: not knowing is not the same as gone.
        """
        try:
            text = self.call("domstate", f"--domain={domain}", "--reason").strip()
        except DriverError:
            # A domain that libvirt lists but cannot describe is on its way out or in, or blocked.
            if self._is_listed(domain):
                raise
            return GONE, ""
        state, _, reason = text.partition(" (")
        return state.strip(), reason.rstrip(")")

    def _is_listed(self, domain: str) -> bool:
        known = [self.call("list", "--all", option).split("\n") for option in ("--uuid", "--name")]
        return any(domain == line.strip() for lines in known for line in lines)

    def is_active(self, domain: str) -> bool:
        """Whether it has a running or paused machine."""
        return self.state(domain)[0] not in (GONE, SHUT_OFF)

    def require_active(self, domain: str) -> None:
        """Raises DriverError when there is no machine to act on."""
        state, _ = self.state(domain)
        if state in (GONE, SHUT_OFF):
            found = "it is shut off" if state else "there is none"
            raise DriverError(f"domain {domain} must be active on this host, {found}")

    def uuid(self, domain: str) -> str:
        """Its UUID. Raises DriverError."""
        return (self.xml(domain).findtext("uuid") or "").strip()

    def xml(self, domain: str) -> Element:
        """Its document as it is now, without secrets. Raises DriverError."""
        return document(self.call("dumpxml", f"--domain={domain}"))

    def device(self, command: str, domain: str, xml: str) -> None:
        """attach-device or detach-device of a running domain; the document goes in by standard input."""
        self.call(command, f"--domain={domain}", "--file=/dev/stdin", "--live", stdin=xml.encode())


def _plain(text: str) -> str:
    """libvirt's message on one line, without the word error before each part."""
    lines = [line.strip() for line in text.removeprefix("virsh failed: ").splitlines()]
    return ": ".join(line.removeprefix("error: ") for line in lines if line.removeprefix("error:").strip())


def when_not_busy(action: Callable[[], str], busy: Sequence[str] = (_BUSY,)) -> str:
    """What an action returns, begun again while libvirt is busy with the disk for a moment."""
    for attempt in range(1, _BUSY_TRIES + 1):
        try:
            return action()
        except DriverError as error:
            if attempt == _BUSY_TRIES or not any(word in str(error) for word in busy):
                raise
            time.sleep(_BUSY_PAUSE_S)
    raise AssertionError("unreachable")
