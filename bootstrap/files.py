"""Writing files: whole, with the right mode and owner, and left alone when nothing changed.

Within ``planning()`` nothing is touched: what would be written is noted, and read back from the notes.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Planned:
    """A file or folder that would be made or changed. ``before``: the present text, None: there is none."""

    path: Path
    mode: int
    owner: Owner | None
    text: str | None = None
    before: str | None = None


@dataclass
class Plan:
    """What would be done: ``changes`` in order; ``texts`` by path, None for a file that would be removed."""

    changes: list[Planned] = field(default_factory=list)
    texts: dict[Path, str | None] = field(default_factory=dict)


_plan: Plan | None = None


@contextmanager
def planning() -> Iterator[Plan]:
    """Note what would be written instead of writing it."""
    global _plan
    _plan = Plan()
    try:
        yield _plan
    finally:
        _plan = None


def planned() -> Plan | None:
    """The plan that is being made; None when files are really written."""
    return _plan


def read(path: Path) -> str:
    """The text of a file, or the one it would have. Raises OSError, ValueError when it is not UTF-8."""
    if _plan is not None and path in _plan.texts:
        text = _plan.texts[path]
        if text is None:
            raise FileNotFoundError(2, os.strerror(2), str(path))
        return text
    return path.read_text(encoding="utf-8")


def exists(path: Path) -> bool:
    """Whether a file is there, or would be."""
    if _plan is not None and path in _plan.texts:
        return _plan.texts[path] is not None
    return path.exists()


def write(path: Path, content: str, mode: int, owner: Owner | None = None) -> bool:
    """Make the file have this content, mode and owner; whether anything changed.

    A reader sees the old file or the new one, and nobody else ever sees a secret in between.
    """
    data = content.encode()
    is_same = not path.is_symlink() and path.is_file() and path.read_bytes() == data
    if _plan is not None:
        if is_same and _is_own(path, mode, owner):
            return False
        before = read(path) if exists(path) else None
        _plan.texts[path] = content
        _plan.changes.append(Planned(path, mode, owner, content, before))
        return True
    if is_same:
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


def remove(path: Path) -> bool:
    """Make sure that a file is not there; whether it was."""
    if not exists(path):
        return False
    if _plan is not None:
        _plan.texts[path] = None
    else:
        path.unlink()
    return True


def folder(path: Path, mode: int, owner: Owner | None = None) -> bool:
    """Make the folder exist with this mode and owner; whether anything changed."""
    is_new = not path.is_dir()
    if _plan is not None:
        if is_new and not any(change.path == path for change in _plan.changes):
            _plan.changes.append(Planned(path, mode, owner))
        return is_new or own(path, mode, owner)
    path.mkdir(parents=True, exist_ok=True)
    return own(path, mode, owner) or is_new


def own(path: Path, mode: int, owner: Owner | None) -> bool:
    """Give an existing file or folder this mode and owner; whether anything changed."""
    if _plan is not None:
        if not path.exists() or _is_own(path, mode, owner):
            return False
        _plan.changes.append(Planned(path, mode, owner))
        return True
    found = path.stat()
    changed = False
    if owner is not None and (found.st_uid, found.st_gid) != (owner.uid, owner.gid):
        os.chown(path, owner.uid, owner.gid)
        changed = True
    if found.st_mode & 0o7777 != mode:
        path.chmod(mode)
        changed = True
    return changed


def _is_own(path: Path, mode: int, owner: Owner | None) -> bool:
    found = path.stat()
    is_owner = owner is None or (found.st_uid, found.st_gid) == (owner.uid, owner.gid)
    return is_owner and found.st_mode & 0o7777 == mode


@contextmanager
def locked(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold a folder while something in it is made: volumes are shared by containers that start together.

    Raises TimeoutError after ``timeout_s`` seconds.
    """
    if _plan is not None:
        yield
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline = time.monotonic() + timeout_s
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    message = f"{path}: another container has been at work in it for {timeout_s:g} s"
                    raise TimeoutError(message) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)
