"""What the node does beside a machine: one action at a time on it, its memory, the guest's clock.

Source: settings of kvmrc and their meaning in release 6.0.0.3.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from driver import DriverError
from kvm_settings import Settings

COMPACT = ("sudo", "-n", "sysctl", "vm.drop_caches=3", "vm.compact_memory=1")
_LOCK_WAIT_S = 12 * 3600.0
_LOCK_POLL_S = 0.5
_CLOCK_TRIES = 4
_CLOCK_PAUSE_S = 5
_CLOCK = f"""
for try in $(seq {_CLOCK_TRIES}); do
    virsh --connect "$1" domstate --domain="$2" || exit 0
    virsh --connect "$1" domtime --domain="$2" --sync && exit 0
    sleep {_CLOCK_PAUSE_S}
done
"""


def arguments(argv: Sequence[str], names: str) -> list[str]:
    """The arguments of an action, as many as it has names. Raises DriverError for fewer or empty ones."""
    wanted = names.split()
    given = list(argv[: len(wanted)])
    lacking = [name for index, name in enumerate(wanted) if index >= len(given) or not given[index]]
    if lacking:
        raise DriverError(
            f"{os.path.basename(sys.argv[0])}: arguments are {names}, missing {', '.join(lacking)}"
        )
    return given


@contextlib.contextmanager
def alone(vm_id: str, wait_s: float = _LOCK_WAIT_S) -> Iterator[None]:
    """Keep other actions on a VM off this node meanwhile.

    An action whose engine died may still run here when it is begun again; the second waits, and finds the
    work done. Raises DriverError when the first does not end.
    """
    if not re.fullmatch(r"[0-9]{1,10}", vm_id):
        raise DriverError(f"the id of a VM must be a number, found {vm_id!r}")
    path = os.path.join(_lock_folder(), f"vm-{vm_id}")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    ends_at = time.monotonic() + wait_s
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > ends_at:
                    raise DriverError(f"another action on vm {vm_id} does not end on this host") from None
                time.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _lock_folder() -> str:
    path = os.path.join(tempfile.gettempdir(), f"one-vmm-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise DriverError(f"{path} must be a folder that only this user can write to")
    return path


def _in_background(argv: Sequence[str]) -> None:
    """Start a program that may outlive the action; nobody waits for it, so a failure is nobody's."""
    with contextlib.suppress(OSError):
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def compact_before_start(settings: Settings) -> None:
    """Make room in one piece before a machine starts, where kvmrc wishes that; a failure is no obstacle."""
    if settings.is_yes("CLEANUP_MEMORY_ON_START"):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(COMPACT, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)


def compact_after_stop(settings: Settings) -> None:
    """The same after a machine ended, without waiting for it."""
    if settings.is_yes("CLEANUP_MEMORY_ON_STOP"):
        _in_background(COMPACT)


def clock_command(settings: Settings, domain: str) -> list[str]:
    """The program that sets a guest's clock by its agent; it asks again, for the agent may not be up yet."""
    return ["sh", "-c", _CLOCK, "clock", settings.uri, domain]


def set_clock(settings: Settings, domain: str) -> None:
    """Set the clock of a guest that goes on after a rest, where kvmrc wishes that."""
    if settings.is_yes("SYNC_TIME"):
        _in_background(clock_command(settings, domain))
