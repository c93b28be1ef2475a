"""The folder of a file datastore: the names of its images, and the only place where they are removed.

An image is <base path>/<32 hex digits>; beside it may be <image>.snap (snapshots) and <image>.md5sum (of
replicas). The name follows from the image's id and birth, so that an action that runs twice makes one file.
What is not finished has a name of its own, which starts with a dot.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator

from driver import DriverError
from ds_request import Request

_SUFFIXES = ("", ".snap", ".md5sum")


class Store:
    """A datastore's folder; ``ready`` makes it when it is missing."""

    def __init__(self, base_path: str) -> None:
        self.base_path = base_path

    def ready(self) -> None:
        """Make the folder. Raises DriverError."""
        try:
            os.makedirs(self.base_path, mode=0o750, exist_ok=True)
        except OSError as error:
            raise DriverError(f"{self.base_path} cannot be made: {error.strerror}") from None

    def new_image(self, request: Request) -> str:
        """The path that an image gets."""
        return f"{self.base_path}/{self._hash(request)}"

    def free_bytes(self) -> int:
        """What its file system has room for."""
        found = os.statvfs(self.base_path)
        return found.f_bavail * found.f_frsize

    def own(self, source: str) -> str:
        """The path of an image's SOURCE. Raises DriverError for what does not lie directly in the folder."""
        folder, _, name = source.rpartition("/")
        if not name or name.startswith(".") or "\0" in name or os.path.normpath(folder) != self.base_path:
            raise DriverError(f"Bad formed image source: {source!r} is not an image of {self.base_path}")
        return f"{self.base_path}/{name}"

    @contextlib.contextmanager
    def unfinished(self, request: Request) -> Iterator[str]:
        """A path to write to, which is empty now and removed afterwards, however the work ends."""
        part = f"{self.base_path}/.{request.oid}-{self._hash(request)}.part"
        remove(part)
        try:
            yield part
        finally:
            remove(part)
            remove(part + ".tmp")

    def remove_image(self, source: str) -> None:
        """Remove an image with its snapshots and checksum; nothing for what is gone. Raises DriverError."""
        path = self.own(source)
        if os.path.isdir(path) and not os.path.islink(path):
            raise DriverError(f"Bad formed image source: {source!r} is a folder")
        for suffix in reversed(_SUFFIXES):
            remove(path + suffix)

    def remove_leftovers(self, request: Request) -> None:
        """Remove what a killed action left of an image that never got a SOURCE."""
        path = self.new_image(request)
        remove(f"{self.base_path}/.{request.oid}-{self._hash(request)}.part")
        remove(f"{self.base_path}/.{request.oid}-{self._hash(request)}.part.tmp")
        self.remove_image(path)

    def _hash(self, request: Request) -> str:
        born = f"{request.number('IMAGE/REGTIME')}:{request.oid}"
        return hashlib.md5(born.encode(), usedforsecurity=False).hexdigest()


def remove(path: str) -> None:
    """Remove a file, a link (not what it leads to) or a folder. Raises DriverError; a missing one is fine."""
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise DriverError(f"{path} cannot be removed: {error.strerror}") from None


def finish(part: str, path: str) -> None:
    """Give a finished file its name; it is on the disk then. Raises DriverError."""
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(part, path)
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise DriverError(f"{path} cannot be written: {error.strerror}") from None
