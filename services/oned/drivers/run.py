"""Starting processes: the only module that does.

An action runs in its own session, with a clean environment, a hard time limit and bounded output, and the
guard makes sure that it does not outlive the engine. Everything here belongs to the event loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from services.common import paths
from services.oned.drivers import guard

_log = logging.getLogger("DRV")

OUTPUT_LIMIT_BYTES = 1024 * 1024
_TERM_GRACE_S = 5.0
_OUTPUT_GRACE_S = 1.0  # for output that a left-behind child of the action could still hold open
_EXIT_POLL_S = 0.02
_PASSED_ON = ("PATH", "HOME", "ONE_LOCATION", "ONE_XMLRPC", "ONE_AUTH", "SSH_AUTH_SOCK")
# For what reads from web servers.
_WEB = (
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
_TOLD = b"INFO: "  # how drivers begin the lines of standard error that tell how far they are
_TOLD_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments; ``stdin`` is given to it as a file."""

    argv: tuple[str, ...]
    timeout_s: float
    stdin: bytes = b""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a process ended.

    code: negative for a signal, None when it could not be started (``fault`` says why). stdout keeps its
    beginning and stderr its end, each up to OUTPUT_LIMIT_BYTES; ``dropped_bytes`` is what went beyond.
    """

    code: int | None
    stdout: str = ""
    stderr: str = ""
    timed_out: bool = False
    stopped: bool = False
    fault: str = ""
    dropped_bytes: int = 0


def clean_environment() -> dict[str, str]:
    """What actions see of our environment: what OpenNebula's drivers get, web settings, and nothing else."""
    kept = {name: value for name in (*_PASSED_ON, *_WEB) if (value := os.environ.get(name))}
    kept.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if "HOME" not in kept:
        kept["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
    if paths.ssh_programs().is_dir():
        kept["PATH"] = f"{paths.ssh_programs()}:{kept['PATH']}"
    return {**kept, "LANG": "C", "LC_ALL": "C"}


class Runner:
    """Starts actions and waits for them."""

    def __init__(self) -> None:
        self._environment = clean_environment()
        self._folder = paths.var()
        self._step = 0
        self._groups: set[int] = set()
        self._guard: subprocess.Popen[bytes] | None = None

    def heartbeat(self, valid_s: float) -> None:
        """Tell the guard that the actions may go on for ``valid_s`` seconds from now."""
        self._tell(f"={valid_s:.3f}\n")

    def kill_all(self) -> None:
        """Kill every action at once."""
        for group in self._groups:
            _signal_group(group, signal.SIGKILL)

    def close(self) -> None:
        """Kill every action and let the guard end."""
        self.kill_all()
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()
            self._guard.wait()
        self._guard = None

    async def run(
        self, command: Command, stop: asyncio.Event | None = None, tell: Callable[[str], None] | None = None
    ) -> Outcome:
        """The outcome of a command; its whole group is killed when time is up or ``stop`` is set.

        tell: gets each line in which the action says how far it is (INFO: ...), while it runs.
        """
        self._step += 1
        environment = {**self._environment, "ONEBOX_STEP": f"{os.getpid()}.{self._step}"}
        try:
            with _input(command.stdin) as stdin:
                process = subprocess.Popen(
                    command.argv,
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=self._folder,
                    env=environment,
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:
            return Outcome(None, fault=_start_fault(command.argv[0], error))
        self._groups.add(process.pid)
        self._tell(f"+{process.pid} {self._step}\n")
        try:
            return await _follow(process, command.timeout_s, stop, tell)
        except asyncio.CancelledError:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            self._groups.discard(process.pid)
            self._tell(f"-{process.pid}\n")

    def _tell(self, line: str) -> None:
        for _ in range(2):
            if self._guard is None:
                self._guard = self._start_guard()
            assert self._guard.stdin is not None
            try:
                os.write(self._guard.stdin.fileno(), line.encode())
                return
            except OSError:
                _log.error("the guard process died or hangs, starting another")
                self._guard.kill()
                self._guard.wait()
                self._guard.stdin.close()
                self._guard = None
        _log.error("no guard process: actions may outlive a crash of the engine")

    def _start_guard(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(guard.__file__)), str(os.getpid())],
            stdin=subprocess.PIPE,
            cwd="/",
            env={"PATH": self._environment["PATH"]},
            start_new_session=True,
        )
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        for group in self._groups:
            os.write(process.stdin.fileno(), f"+{group} {self._step}\n".encode())
        return process


def run_now(command: Command) -> Outcome:
    """The outcome of a command that a caller waits for, in a thread without an event loop.

    No guard watches over it: should this process die, the command may go on until it ends by itself, so it
    must change nothing.
    """
    try:
        with _input(command.stdin) as stdin:
            process = subprocess.Popen(
                command.argv,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=paths.var(),
                env=clean_environment(),
                start_new_session=True,
            )
    except (OSError, ValueError) as error:
        return Outcome(None, fault=_start_fault(command.argv[0], error))
    return asyncio.run(_follow(process, command.timeout_s, None))


async def _follow(
    process: subprocess.Popen[bytes],
    timeout_s: float,
    stop: asyncio.Event | None,
    tell: Callable[[str], None] | None = None,
) -> Outcome:
    assert process.stdout is not None and process.stderr is not None
    stdout, stderr = (
        _Output(process.stdout.fileno(), keep_end=False),
        _Output(process.stderr.fileno(), keep_end=True, tell=tell),
    )
    ended = asyncio.create_task(_wait_exit(process))
    stopped = asyncio.create_task(stop.wait()) if stop is not None else None
    try:
        waiting = {ended} if stopped is None else {ended, stopped}
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        in_time = ended.done()
        if not in_time:
            _signal_group(process.pid, signal.SIGTERM)
            await asyncio.wait({ended}, timeout=_TERM_GRACE_S)
            _signal_group(process.pid, signal.SIGKILL)
            await ended
        await asyncio.wait({stdout.ended, stderr.ended}, timeout=_OUTPUT_GRACE_S)
    finally:
        ended.cancel()
        if stopped is not None:
            stopped.cancel()
        stdout.close()
        stderr.close()
        process.stdout.close()
        process.stderr.close()
    is_stopped = not in_time and stop is not None and stop.is_set()
    return Outcome(
        process.returncode,
        stdout.text(),
        stderr.text(),
        timed_out=not in_time and not is_stopped,
        stopped=is_stopped,
        dropped_bytes=stdout.dropped_bytes + stderr.dropped_bytes,
    )


async def _wait_exit(process: subprocess.Popen[bytes]) -> None:
    """Return when the process has ended; its return code is set then."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:  # an old kernel, or a container that does not allow the call
        while process.poll() is None:
            await asyncio.sleep(_EXIT_POLL_S)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    process.wait()


class _Output:
    """Reads a pipe to its end, keeping the first or the last OUTPUT_LIMIT_BYTES."""

    def __init__(self, descriptor: int, *, keep_end: bool, tell: Callable[[str], None] | None = None) -> None:
        self._descriptor = descriptor
        self._keep_end = keep_end
        self._tell = tell
        self._line = b""  # the beginning of one that is not complete
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self.dropped_bytes = 0
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            chunk = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return
        if not chunk:
            self.close()
            return
        if self._tell is not None:
            self._tell_lines(self._tell, chunk)
        self._chunks.append(chunk)
        self._size += len(chunk)
        while self._size > OUTPUT_LIMIT_BYTES:
            over = self._size - OUTPUT_LIMIT_BYTES
            end = self._chunks.popleft() if self._keep_end else self._chunks.pop()
            kept = end[over:] if self._keep_end else end[: max(0, len(end) - over)]
            if kept:
                if self._keep_end:
                    self._chunks.appendleft(kept)
                else:
                    self._chunks.append(kept)
            self._size -= len(end) - len(kept)
            self.dropped_bytes += len(end) - len(kept)

    def _tell_lines(self, tell: Callable[[str], None], chunk: bytes) -> None:
        *lines, rest = (self._line + chunk).split(b"\n")
        self._line = rest[:_TOLD_LENGTH_MAX]
        for line in lines:
            if line.startswith(_TOLD):
                tell(line[len(_TOLD) : _TOLD_LENGTH_MAX].decode("utf-8", "replace"))

    def close(self) -> None:
        if not self.ended.done():
            self._loop.remove_reader(self._descriptor)
            self.ended.set_result(None)

    def text(self) -> str:
        return b"".join(self._chunks).decode("utf-8", "replace")


@contextlib.contextmanager
def _input(data: bytes) -> Iterator[int]:
    """A descriptor to read ``data`` from. A file in memory: unlike a pipe it never makes the writer wait."""
    if not data:
        yield subprocess.DEVNULL
        return
    descriptor = os.memfd_create("stdin", os.MFD_CLOEXEC)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _start_fault(program: str, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no driver action {program}"
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"driver action {program} cannot be started: {reason}"
