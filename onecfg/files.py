"""Reading and writing configuration files: whole, never through links, with mode and owner kept."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from onecfg import catalog
from onecfg.errors import OnecfgError, ParseError

MAX_BYTES = 4 * 1024 * 1024
_BACKED_UP = (catalog.ETC, "/var/lib/one/remotes")


def place(name: str, root: Path = Path("/")) -> Path:
    """Where the file or folder of an absolute name lies below ``root``, or below ONE_LOCATION."""
    prefix = os.environ.get("ONE_LOCATION")
    if prefix and root == Path("/"):
        for system, own in ((catalog.ETC, "etc"), ("/var/lib/one", "var"), ("/etc", "etc")):
            if name == system or name.startswith(f"{system}/"):
                return Path(prefix, own + name[len(system) :])
    return root / name.lstrip("/")


def known(name: str, root: Path = Path("/")) -> catalog.Entry:
    """The catalogue's row of a file that is there. Raises OnecfgError."""
    entry = catalog.find(name)
    if entry is None or not place(name, root).is_file():
        raise OnecfgError(f"Unknown or missing file to patch '{_shown(name)}'")
    return entry


def scan(root: Path = Path("/")) -> Iterator[tuple[str, catalog.Entry]]:
    """The files of the catalogue that are there, in alphabetical order."""
    for top in (catalog.ETC, "/var/lib/one/remotes"):
        folder = place(top, root)
        for file in sorted(folder.rglob("*")) if folder.is_dir() else []:
            name = f"{top}/{file.relative_to(folder).as_posix()}"
            entry = catalog.find(name)
            if entry is not None and (file.is_symlink() or file.is_file()):
                yield name, entry


def read(path: Path) -> str:
    """The text of a regular file. Raises OnecfgError: a link, too large, not text, not readable."""
    _refuse_links(path)
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise OnecfgError(f"{path}: expected a regular file")
            if found.st_size > MAX_BYTES:
                raise OnecfgError(f"{path}: found {found.st_size} bytes, expected at most {MAX_BYTES}")
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise OnecfgError(f"{path}: cannot be read: {error.strerror}") from None
    return text_of(data, str(path))


def text_of(data: bytes, name: str) -> str:
    """The text of bytes that somebody passed. Raises ParseError naming where they came from."""
    if len(data) > MAX_BYTES:
        raise ParseError(f"{name}: more than {MAX_BYTES} bytes")
    if b"\0" in data:
        raise ParseError(f"{name}: line {data.count(10, 0, data.index(0)) + 1}: found a NUL character")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(10, 0, error.start) + 1
        raise ParseError(f"{name}: line {line}: not text in UTF-8") from None


def write(path: Path, text: str, *, keeps_owner: bool = True) -> None:
    """Replace the content of a file at once: a reader sees the old one or the new one. Mode and owner stay.

    keeps_owner: False leaves a file that belongs to somebody else to the caller. Raises OnecfgError.
    """
    _refuse_links(path)
    temporary = ""
    try:
        found = os.lstat(path)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            present = os.fstat(file.fileno())
            if keeps_owner and (present.st_uid, present.st_gid) != (found.st_uid, found.st_gid):
                os.fchown(file.fileno(), found.st_uid, found.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(found.st_mode))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise OnecfgError(f"{path}: cannot be written: {error.strerror}") from None


def write_all(texts: dict[Path, str], *, keeps_owner: bool = True) -> None:
    """Write several files, or none: when one cannot be written, those before it get their content back."""
    before = {path: read(path) for path in texts}
    done: list[Path] = []
    try:
        for path, text in texts.items():
            write(path, text, keeps_owner=keeps_owner)
            done.append(path)
    except OnecfgError:
        for path in done:
            write(path, before[path], keeps_owner=keeps_owner)
        raise


def check_links(root: Path = Path("/")) -> None:
    """Raise OnecfgError when there is a symbolic link among the configuration files."""
    for top in (catalog.ETC, catalog.REMOTES_ETC):
        folder = place(top, root)
        for parent, folders, names in os.walk(folder):
            for name in [*folders, *names]:
                if os.path.islink(os.path.join(parent, name)):
                    raise OnecfgError(f"Found symbolic links in '{_shown(os.path.join(parent, name))}'")


@contextmanager
def lock(root: Path = Path("/")) -> Iterator[None]:
    """Hold the configuration for one patch at a time. Raises OnecfgError while another one is under way."""
    folder = place(catalog.ETC, root)
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise OnecfgError(f"{folder}: cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise OnecfgError(f"{folder}: another onecfg is at work") from None
    finally:
        os.close(handle)


def backup(root: Path = Path("/")) -> Path:
    """Copy the configuration folders; the new folder, named after time and process. Raises OnecfgError."""
    parent = os.environ.get("ONECFG_BACKUP_DIR")
    base = Path(parent) if parent else place("/var/lib/one/backups/config", root)
    target = base / f"{datetime.now():%Y-%m-%d_%H:%M:%S}_{os.getpid()}"
    try:
        _make_parents(base)
        base.mkdir(mode=0o700, exist_ok=True)
        name, count = target.name, 1
        while True:
            try:
                target.mkdir(mode=0o700)
                break
            except FileExistsError:  # two in one second
                count += 1
                target = base / f"{name}_{count}"
        for top in _BACKED_UP:
            source = place(top, root)
            if source.is_dir():
                shutil.copytree(
                    source, target / top.lstrip("/"), symlinks=True, copy_function=_copy, dirs_exist_ok=True
                )
    except (OSError, shutil.Error) as error:
        reason = (
            error.strerror if isinstance(error, OSError) and error.strerror else "a file cannot be copied"
        )
        raise OnecfgError(f"Error making backup due to {reason} ({target})") from None
    return target


def _make_parents(base: Path) -> None:
    """Make the folders above, as their owner would: others keep their backups beside these."""
    for folder in reversed(base.parents):
        if not folder.is_dir():
            folder.mkdir(mode=0o755)
            above = folder.parent.stat()
            if os.geteuid() == 0:
                os.chown(folder, above.st_uid, above.st_gid)


def _copy(source: str, target: str) -> str:
    shutil.copy2(source, target, follow_symlinks=False)
    if os.geteuid() == 0:
        found = os.lstat(source)
        os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
    return target


def _refuse_links(path: Path) -> None:
    if path.is_symlink():
        raise OnecfgError(f"{path}: expected a regular file, found a symbolic link")


def _shown(name: str) -> str:
    return name[:200].encode("ascii", "backslashreplace").decode()
