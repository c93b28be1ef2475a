"""Which process is a host's agent: a file with its number, by which the next one replaces it.

The file is ``/tmp/one-monitord-<host>.pid``. Others may write to that folder, so it is used only when it is a
file of our own, and a number in it only when that process is an agent of this host and of this user.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

from driver import DriverError

FOLDER = "/tmp"
_END_S = 5.0
_STEP_S = 0.05
_AGENT = b"im_agent.py"


def path(host_id: int) -> str:
    """The file of a host's agent."""
    return os.path.join(FOLDER, f"one-monitord-{host_id}.pid")


class Lease:
    """The file, held against other starts and stops of the same host."""

    def __init__(self, host_id: int, file: int) -> None:
        self.host_id = host_id
        self._file = file

    def end_holder(self) -> None:
        """End the agent that holds it: TERM, then KILL to its probes as well. Returns when it is gone."""
        pid = _read(self._file)
        if pid is None or pid == os.getpid() or not is_agent(pid, self.host_id):
            return
        for end, number in ((os.kill, signal.SIGTERM), (os.killpg, signal.SIGKILL)):
            with contextlib.suppress(ProcessLookupError):
                end(pid, number)
            deadline = time.monotonic() + _END_S
            while time.monotonic() < deadline:
                if not is_agent(pid, self.host_id):
                    return
                time.sleep(_STEP_S)
        raise DriverError(f"the agent of host {self.host_id}, process {pid}, does not end")

    def write(self, pid: int) -> None:
        """Let a process be the agent."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{pid}\n".encode(), 0)

    def clear(self) -> None:
        """Let no process be the agent: the file says so, and is removed when it is let go of."""
        os.ftruncate(self._file, 0)

    def close(self) -> None:
        """Let go of the file; an empty one is removed."""
        if os.fstat(self._file).st_size == 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path(self.host_id))
        os.close(self._file)


@contextlib.contextmanager
def held(host_id: int) -> Iterator[Lease]:
    """Hold a host's file. Raises DriverError when it is not ours."""
    lease = Lease(host_id, _open(host_id))
    try:
        yield lease
    finally:
        lease.close()


def _open(host_id: int) -> int:
    place = path(host_id)
    while True:
        try:
            file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DriverError(f"{place} cannot be used: {error.strerror}") from None
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1:
            os.close(file)
            raise DriverError(f"{place} cannot be used: it is not a file of this user alone")
        fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(place).st_ino == found.st_ino:
                return file
        os.close(file)  # it was removed while another held it


def is_holder(host_id: int) -> bool:
    """Whether this process is the host's agent. Marks the file as used, for what clears old files away."""
    try:
        with open(path(host_id), "rb") as file:
            mine = _read(file.fileno()) == os.getpid()
        if mine:
            os.utime(path(host_id))
    except OSError:
        return False
    return mine


def _read(file: int) -> int | None:
    text = os.pread(file, 20, 0).strip()
    return int(text) if text.isdigit() else None


def is_agent(pid: int, host_id: int) -> bool:
    """Whether a process is an agent of this host and this user, and alive."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read().rpartition(b")")[2].split()[:1]
        owner = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return False
    named = any(os.path.basename(word) == _AGENT for word in words)
    return named and words[-3:-2] == [str(host_id).encode()] and owner == os.geteuid() and state != [b"Z"]


def end_probes() -> None:
    """End what runs in this process's group, but not this process."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGTERM)


def end() -> NoReturn:
    """End this process and its group at once: no thread can start another probe meanwhile."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


class Code:
    """The agent's own files: newer ones (`onehost sync`, a next start) take over without a stop."""

    # Looks in a row without a folder: one may be replaced as a whole.
    _MISSED_MAX = 3

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._loaded = self._stamp()
        self._last = self._loaded
        self._missed = 0

    def _stamp(self) -> dict[str, tuple[int, int]]:
        found = {}
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith("im_") or entry.name == "driver.py":
                    status = entry.stat()
                    found[entry.name] = (status.st_mtime_ns, status.st_size)
        return found

    def is_gone(self) -> bool:
        """Whether the driver actions were removed from this node; to be asked at intervals."""
        self._missed = 0 if os.path.isdir(self._folder) else self._missed + 1
        return self._missed >= self._MISSED_MAX

    def is_newer(self) -> bool:
        """Whether the files differ from what runs, and are whole: they did not change since the last look."""
        before, self._last = self._last, self._stamp()
        return "im_agent.py" in self._last and self._last == before != self._loaded

    def start_anew(self, arguments: list[str], stdin: bytes) -> None:
        """Become the newer agent, with the same configuration. Does not return."""
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(stdin)
            os._exit(0)
        os.close(writing)
        os.dup2(reading, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.execv(sys.executable, [sys.executable, *arguments])
