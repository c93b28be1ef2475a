"""Where images may be copied from: SAFE_DIRS and RESTRICTED_DIRS of a datastore.

A path is judged where it really leads, symbolic links and .. resolved, and the file that was judged is the
one that is read: it cannot be replaced in between. SAFE_DIRS win over RESTRICTED_DIRS, to which the
front-end's own folders always belong.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from driver import DriverError

# State, settings, logs; run has the tokens of consoles.
_PLACES = ("/var/lib/one", "/etc/one", "/var/log/one", "/run/one")
# Files that the kernel makes of processes and devices: environments with passwords, memory, disks.
_OF_THE_KERNEL = ("/proc", "/sys", "/dev")


def own_dirs(env: Mapping[str, str]) -> tuple[str, ...]:
    """What is of the front-end itself: state, settings, logs, tokens, processes, the home of oneadmin."""
    prefix = env.get("ONE_LOCATION")
    found = [f"{prefix}/{name}" for name in ("var", "etc")] if prefix else [*_PLACES]
    found += _OF_THE_KERNEL
    if env.get("HOME"):
        found.append(env["HOME"])
    return tuple(found)


@dataclass(frozen=True)
class Places:
    """The folders that a datastore lets images come from (``safe``) and does not (``restricted``)."""

    safe: tuple[str, ...]
    restricted: tuple[str, ...]

    @classmethod
    def of(cls, safe: str, restricted: str, env: Mapping[str, str]) -> Places:
        """From SAFE_DIRS and RESTRICTED_DIRS, which are separated by blanks."""
        return cls(_real(safe.split()), _real([*own_dirs(env), *restricted.split()]))

    def allow(self, real_path: str) -> bool:
        """Whether a path, with nothing left to resolve, may be read."""
        if any(_is_below(real_path, folder) for folder in self.safe):
            return True
        return not any(_is_below(real_path, folder) for folder in self.restricted)

    def open(self, path: str) -> int:
        """A descriptor to read a regular file. Raises DriverError when it is not allowed or not there.

        Forbidden places say nothing about what is in them.
        """
        if not path.startswith("/") or "\0" in path:
            raise DriverError(f"PATH must be an absolute path or an http(s) URL, found {path[:200]!r}")
        self._check(os.path.realpath(path), path)
        try:
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError as error:
            raise DriverError(f"{path!r} cannot be read: {error.strerror}") from None
        try:
            by_handle = f"/proc/self/fd/{handle}"
            self._check(os.readlink(by_handle), path)
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise DriverError(f"{path!r} is not a regular file")
            return os.open(by_handle, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise DriverError(f"{path!r} cannot be read: {error.strerror}") from None
        finally:
            os.close(handle)

    def _check(self, real_path: str, path: str) -> None:
        if not self.allow(real_path):
            raise DriverError(
                f"Not allowed to copy image from {path!r}, "
                "check SAFE_DIRS and RESTRICTED_DIRS in your datastore"
            )


def _real(folders: list[str]) -> tuple[str, ...]:
    return tuple(os.path.realpath(folder) for folder in folders if folder.startswith("/"))


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
