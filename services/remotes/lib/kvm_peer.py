"""The other node of a migration, reached over ssh as this user."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable, Sequence

from driver import DriverError, run

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30")
_IN_BACKGROUND = 'setsid "$@" </dev/null >/dev/null 2>&1 &'


class Peer:
    """A node by the name that ssh knows it by."""

    def __init__(self, host: str) -> None:
        self.host = host

    def _argv(self, argv: Sequence[str]) -> list[str]:
        return [*_SSH, "--", self.host, shlex.join(argv)]

    def run(self, *argv: str) -> str:
        """What a program prints there. Raises DriverError when it fails."""
        try:
            return run(self._argv(argv))
        except DriverError as error:
            raise DriverError(f"on host {self.host}: {argv[0]}: {error}") from None

    def has(self, path: str) -> bool:
        """Whether there is such a file there. Raises DriverError when that cannot be found out."""
        said = self.run("sh", "-c", 'if [ -e "$1" ]; then echo yes; else echo no; fi', "has", path)
        return said.strip() == "yes"

    def begin(self, argv: Sequence[str]) -> None:
        """Start a program there that nobody waits for. Raises DriverError."""
        self.run("sh", "-c", _IN_BACKGROUND, "begin", *argv)

    def copy(self, folder: str, paths: Iterable[str]) -> None:
        """Copy files and links of a folder, named as they are below it, into the same folder there.

        Holes stay holes, and links stay links. Raises DriverError.
        """
        names = b"".join(os.fsencode(path) + b"\0" for path in paths)
        place = f"--directory={folder}"
        read = ("tar", "--create", "--sparse", "--no-recursion", place, "--null", "--files-from=-")
        write = self._argv(("tar", "--extract", "--preserve-permissions", place))
        with (
            subprocess.Popen(read, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader,
            subprocess.Popen(write, stdin=reader.stdout, stderr=subprocess.PIPE) as writer,
        ):
            assert reader.stdin is not None and reader.stdout is not None and writer.stderr is not None
            reader.stdout.close()  # so that the reader ends when the writer does
            with reader.stdin as pipe:
                pipe.write(names)
            said = writer.stderr.read().decode("utf-8", "replace").strip()
        if writer.returncode or reader.returncode:
            raise DriverError(f"copying {folder} to host {self.host} failed: {said[-1000:] or 'no message'}")
