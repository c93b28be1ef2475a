"""Virtual environments of this checkout in ``.venv/``, one per set of lock files, made when first needed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onebox_cli.instance import ROOT
from onebox_cli.ui import Failure, run_logged

FOLDER = ROOT / ".venv"
_VENV_ADVICE = "install Python's venv (Debian: apt-get install python3-venv) and try again"


@dataclass(frozen=True)
class Environment:
    """A kind of environment: its name and the lock files that say what is in it."""

    name: str
    locks: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it lies; another lock file or Python makes another folder."""
        digest = hashlib.sha256(repr((sys.version_info[:3], os.path.realpath(sys.executable))).encode())
        for lock in self.locks:
            digest.update((ROOT / lock).read_bytes())
        return FOLDER / f"{self.name}-{digest.hexdigest()[:12]}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def is_ready(self) -> bool:
        """Whether it was made to the end."""
        return (self.folder / ".complete").exists()


RUN = Environment("run", ("requirements.lock",))
TEST = Environment("test", ("requirements.lock", "requirements-test.lock"))
PYONE_610 = Environment("pyone-6.10", ("requirements-pyone-6.10.lock",))


def ensure(wanted: Environment) -> Path:
    """Make the environment when it is not there; its interpreter. Raises Failure."""
    if wanted.is_ready:
        return wanted.python
    with _locked():
        if not wanted.is_ready:
            _make(wanted)
    return wanted.python


def ensure_mysqlclient(wanted: Environment) -> bool:
    """Add the C client for MariaDB when this machine can build it; whether it is there.

    Without it PyMySQL does the same work, slower.
    """
    marker = wanted.folder / ".mysqlclient"
    if marker.exists():
        return True
    if not _can_build_mysqlclient():
        return False
    with _locked():
        lock = ROOT / "requirements-mysql.lock"
        command = [str(wanted.python), *_PIP, "--require-hashes", "-r", str(lock)]
        try:
            run_logged(command, FOLDER / "mysqlclient.log", "building mysqlclient")
        except Failure:
            # Nothing is lost but speed.
            return False
    marker.touch()
    return True


def _can_build_mysqlclient() -> bool:
    has_compiler = shutil.which("cc") or shutil.which("gcc")
    has_library = shutil.which("pkg-config") and (
        shutil.which("mariadb_config") or shutil.which("mysql_config")
    )
    has_headers = Path(sysconfig.get_path("include"), "Python.h").exists()
    return bool(has_compiler and has_library and has_headers)


_PIP = ("-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check")


def _make(wanted: Environment) -> None:
    shutil.rmtree(wanted.folder, ignore_errors=True)
    log = FOLDER / f"{wanted.name}.log"
    # venv fails late and darkly where Debian's package with pip is missing.
    probe = subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False)
    if probe.returncode:
        raise Failure("Python's venv module is not complete", advice=_VENV_ADVICE)
    run_logged(
        [sys.executable, "-m", "venv", wanted.folder],
        log,
        "creating a virtual environment",
        advice=_VENV_ADVICE,
    )
    command: list[str | Path] = [wanted.python, *_PIP, "--require-hashes"]
    for lock in wanted.locks:
        command += ["-r", ROOT / lock]
    run_logged(
        command, log, f"installing Python packages from {' '.join(wanted.locks)}",
        advice=f"check that the package index can be reached (pip's settings hold); see {log}",
    )  # fmt: skip
    (wanted.folder / ".complete").touch()
    _remove_older(wanted)


def _remove_older(wanted: Environment) -> None:
    """Remove environments of the same kind that no running front-end uses."""
    for folder in FOLDER.glob(f"{wanted.name}-*"):
        if folder.is_dir() and folder != wanted.folder and not _is_used(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_used(folder: Path) -> bool:
    wanted = f"{folder}/".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


@contextmanager
def _locked() -> Iterator[None]:
    """Let only one ``onebox`` at a time make environments; others wait."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / ".lock").open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
