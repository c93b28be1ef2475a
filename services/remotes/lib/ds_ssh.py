"""Reading a file of another machine as oneadmin: ssh://[user@]host:path, for marketplace and other drivers.

Users cannot name such sources: oneadmin may read more on those machines than they should.
"""

from __future__ import annotations

import re
import shlex
import subprocess

from driver import DriverError

_ADDRESS = re.compile(r"ssh://((?:[A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9._][A-Za-z0-9._-]*):(/[^\0\n]*)")
_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15")


class SshSource:
    """What ``cat`` prints on another machine."""

    def __init__(self, address: str) -> None:
        found = _ADDRESS.fullmatch(address)
        if not found:
            raise DriverError(f"{address[:200]!r} is no ssh address: expected ssh://[user@]host:/path")
        self.label = repr(address)
        self.size_bytes: int | None = None
        try:
            self._process = subprocess.Popen(
                [*_SSH, "--", found[1], f"cat -- {shlex.quote(found[2])}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError:
            raise DriverError("ssh is not installed here") from None

    def read(self, size: int) -> bytes:
        """See Source."""
        assert self._process.stdout is not None and self._process.stderr is not None
        part = self._process.stdout.read(size)
        if not part and self._process.wait() != 0:
            said = self._process.stderr.read().decode("utf-8", "replace").strip()
            raise DriverError(f"{self.label} cannot be read: {said[-500:] or 'ssh failed'}")
        return part

    def close(self) -> None:
        """See Source."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
