"""Waking the readers of the database: an empty datagram to every socket in ``<run>/wake``.

A datagram says only "look again". A lost one delays its reader until the next poll, nothing more, so the
sender never blocks and reports no failure. Sockets are addressed through a descriptor of their directory:
a socket path has room for 107 bytes, which a long prefix or a test directory exceeds.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import select
import socket
from pathlib import Path

from services.common import paths

_SUFFIX = ".sock"
# The reader is there but has enough datagrams waiting; one is as good as many.
_HAS_ENOUGH = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS}


def _folder() -> Path:
    return paths.run() / "wake"


def notify() -> None:
    """Wake every reader; sockets whose owner is gone are removed."""
    try:
        folder_fd = os.open(_folder(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return  # nobody has ever listened here
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            for name in os.listdir(folder_fd):
                if name.endswith(_SUFFIX):
                    _send(sender, folder_fd, name)
    finally:
        os.close(folder_fd)


def _send(sender: socket.socket, folder_fd: int, name: str) -> None:
    try:
        sender.sendto(b"", f"/proc/self/fd/{folder_fd}/{name}")
    except OSError as error:
        if error.errno == errno.ECONNREFUSED:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder_fd)
        elif error.errno not in _HAS_ENOUGH and error.errno != errno.ENOENT:
            return  # a file that is no socket, or another user's: not ours to judge


class Wake:
    """A reader's socket, named after program and process; removed by ``close`` and at exit.

    Raises OSError when the socket cannot be made.
    """

    def __init__(self, program: str) -> None:
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{program}-{os.getpid()}{_SUFFIX}"
        self._owner_pid = os.getpid()
        self._path.unlink(missing_ok=True)  # left by a dead process that had our number
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._socket.bind(f"/proc/self/fd/{folder_fd}/{self._path.name}")
        finally:
            os.close(folder_fd)
        atexit.register(self.close)

    def fileno(self) -> int:
        """For select() and event loops: readable when there was a wake-up."""
        return self._socket.fileno()

    def drain(self) -> bool:
        """Take every waiting datagram; whether there was one."""
        woken = False
        while True:
            try:
                self._socket.recv(1)
            except (BlockingIOError, InterruptedError):
                return woken
            woken = True

    def wait(self, timeout_s: float) -> bool:
        """Whether a wake-up came within ``timeout_s`` seconds; takes all that are waiting."""
        ready, _, _ = select.select([self._socket], [], [], max(0.0, timeout_s))
        return bool(ready) and self.drain()

    def close(self) -> None:
        """Stop listening; safe to call twice, and in a forked child, where the file stays."""
        atexit.unregister(self.close)
        self._socket.close()
        if os.getpid() == self._owner_pid:
            self._path.unlink(missing_ok=True)
