"""Writing files: whole, with the right mode and owner, and left alone when nothing changed."""

from __future__ import annotations

import os
import pwd
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """User and group numbers."""

    uid: int
    gid: int

    @classmethod
    def named(cls, user: str) -> Owner:
        """The owner with that user's name and main group. Raises KeyError."""
        entry = pwd.getpwnam(user)
        return cls(entry.pw_uid, entry.pw_gid)


def write(path: Path, content: str, mode: int, owner: Owner | None = None) -> bool:
    """Make the file have this content, mode and owner; whether anything changed.

    A reader sees the old file or the new one, and nobody else ever sees a secret in between.
    """
    data = content.encode()
    if not path.is_symlink() and path.is_file() and path.read_bytes() == data:
        return own(path, mode, owner)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
            os.fchmod(opened.fileno(), mode)
            if owner is not None:
                os.fchown(opened.fileno(), owner.uid, owner.gid)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True


def folder(path: Path, mode: int, owner: Owner | None = None) -> bool:
    """Make the folder exist with this mode and owner; whether anything changed."""
    is_new = not path.is_dir()
    path.mkdir(parents=True, exist_ok=True)
    return own(path, mode, owner) or is_new


def own(path: Path, mode: int, owner: Owner | None) -> bool:
    """Give an existing file or folder this mode and owner; whether anything changed."""
    found = path.stat()
    changed = False
    if owner is not None and (found.st_uid, found.st_gid) != (owner.uid, owner.gid):
        os.chown(path, owner.uid, owner.gid)
        changed = True
    if found.st_mode & 0o7777 != mode:
        path.chmod(mode)
        changed = True
    return changed
