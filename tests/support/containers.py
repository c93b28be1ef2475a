"""Containers of the image, run by a real Docker or Podman, for the image ring.

    with containers.run(engine, image, {"OPENNEBULA_HOST": "localhost"}) as container:
        container.wait_healthy(30)
        container.client().call("hostpool.info")

Containers and anonymous volumes are removed at the end, whatever happened; each has a random name.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.common.oca import Client

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "onebox:test"
ONED_PORT = 2633
_CALL_TIMEOUT_S = 120.0
# What Podman needs on some machines: limits it may not raise, or another runtime than its default.
_LIMITS = ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:1024")
_WAYS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    ((), ()),
    ((), _LIMITS),
    (("--runtime", "runc"), ()),
    (("--runtime", "runc"), _LIMITS),
)


class EngineError(Exception):
    """A command of the container engine failed; the text has its last lines."""


@dataclass(frozen=True)
class Engine:
    """How to call an engine. ``command``: the words before a subcommand; ``run_options`` go to each run."""

    command: tuple[str, ...]
    run_options: tuple[str, ...] = ()

    @property
    def is_docker(self) -> bool:
        """Docker checks health by itself; Podman only where systemd runs its timers."""
        return "docker" in self.command

    def try_call(
        self, *arguments: str, stdin: str | None = None, timeout_s: float = _CALL_TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of the engine, whatever its exit code."""
        # An empty input instead of none: nothing may read the terminal of who runs the tests.
        return subprocess.run(
            [*self.command, *arguments], input=stdin or "", text=True, capture_output=True, timeout=timeout_s
        )

    def call(self, *arguments: str, stdin: str | None = None, timeout_s: float = _CALL_TIMEOUT_S) -> str:
        """Standard output of a command that must succeed. Raises EngineError."""
        result = self.try_call(*arguments, stdin=stdin, timeout_s=timeout_s)
        if result.returncode:
            output = (result.stdout + result.stderr).strip()[-2000:]
            raise EngineError(f"{' '.join(arguments[:3])}: exit code {result.returncode}: {output}")
        return result.stdout


def docker() -> Engine | None:
    """The Docker engine of this machine; None when none answers."""
    engine = Engine(("docker",))
    if shutil.which("docker") is None or engine.try_call("info", timeout_s=30).returncode:
        return None
    return engine


def working_podman(command: Sequence[str], image: str) -> Engine:
    """Podman with the options under which it starts a container here. Raises EngineError."""
    reason = ""
    for global_options, run_options in _WAYS:
        engine = Engine((*command, *global_options), run_options)
        result = engine.try_call(
            "run", "--rm", "--network", "none", "--no-healthcheck", *run_options, image, "true"
        )
        if result.returncode == 0:
            return engine
        reason = result.stderr.strip()[-600:]
    raise EngineError(f"podman starts no container on this machine: {reason}")


@contextmanager
def one_build() -> Iterator[None]:
    """Only one process of a ring builds images at a time: the next one finds what it needs made."""
    file = ROOT / ".onebox-test" / "build.lock"
    file.parent.mkdir(exist_ok=True)
    with file.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)  # the kernel gives it back, however the process ends
        yield


def build(engine: Engine) -> str:
    """The image made from this tree; a tree that has not changed is not built again."""
    script = [str(ROOT / "image" / "build.sh"), "--engine", engine.command[0], "--tag", IMAGE]
    with one_build():
        result = subprocess.run(script, text=True, capture_output=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise EngineError(f"image/build.sh: exit code {result.returncode}: {result.stderr[-4000:]}")
    return IMAGE


class Container:
    """One container. Names of volumes given by the test are the test's to remove."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name

    # -- looking -------------------------------------------------------------------------------------
    def inspect(self) -> dict[str, Any]:
        """What the engine knows about it."""
        found: list[dict[str, Any]] = json.loads(self.engine.call("container", "inspect", self.name))
        return found[0]

    @property
    def is_running(self) -> bool:
        """Whether its first process is there."""
        return bool(self.inspect()["State"]["Running"])

    @property
    def exit_code(self) -> int:
        """How it ended."""
        return int(self.inspect()["State"]["ExitCode"])

    @property
    def endpoint(self) -> str:
        """URL of the XML-RPC interface on this machine. Asked each time: a restart may change the port."""
        published = self.engine.call("port", self.name, f"{ONED_PORT}/tcp").splitlines()[0]
        return f"http://127.0.0.1:{published.rpartition(':')[2]}/RPC2"

    @property
    def session(self) -> str:
        """oneadmin's ``user:password``."""
        return self.exec("cat", "/var/lib/one/.one/one_auth").strip()

    def client(self) -> Client:
        """A client of the XML-RPC interface, as oneadmin."""
        return Client(self.endpoint, self.session)

    def logs(self) -> str:
        """Everything it has written so far."""
        result = self.engine.try_call("logs", self.name)
        return result.stdout + result.stderr

    def health(self) -> str:
        """starting, healthy or unhealthy; where the engine does not ask by itself, the check is run now."""
        if self.engine.is_docker:
            return str(self.inspect()["State"]["Health"]["Status"])
        return "unhealthy" if self.problems() else "healthy"

    def problems(self) -> str:
        """What the image's health check says; empty when all is well."""
        result = self.engine.try_call("exec", self.name, "/frontend-healthcheck.sh")
        return (result.stdout + result.stderr).strip() if result.returncode else ""

    def wait_handler(self, number: int, timeout_s: float = 60.0) -> None:
        """Return once the first process handles a signal; until then the kernel drops it."""
        pid = self.engine.call("container", "inspect", "--format", "{{.State.Pid}}", self.name).strip()
        deadline = time.monotonic() + timeout_s
        while True:
            status = Path(f"/proc/{pid}/status").read_text()
            if int(status.partition("SigCgt:")[2].split()[0], 16) >> (number - 1) & 1:
                return
            if time.monotonic() > deadline:
                raise EngineError(f"{self.name} handles no signal {number} after {timeout_s:g} s")

    def wait_health(self, wanted: str, timeout_s: float) -> float:
        """Seconds until the health is ``wanted``. Raises EngineError with the log's end after the timeout."""
        started = time.monotonic()
        while (found := self.health()) != wanted:
            if not self.is_running:
                raise EngineError(f"{self.name} ended with code {self.exit_code}:\n{self.logs()[-4000:]}")
            if time.monotonic() - started > timeout_s:
                raise EngineError(
                    f"{self.name} is {found} after {timeout_s:g} s, expected {wanted}; the check says: "
                    f"{self.problems() or 'ready'}\n{self.logs()[-4000:]}"
                )
            time.sleep(0.25)
        return time.monotonic() - started

    def wait_healthy(self, timeout_s: float = 150.0) -> float:
        """Seconds until it is healthy."""
        return self.wait_health("healthy", timeout_s)

    def wait_exit(self, timeout_s: float = 60.0) -> int:
        """The exit code, once it has ended."""
        return int(self.engine.call("wait", self.name, timeout_s=timeout_s).split()[-1])

    # -- acting --------------------------------------------------------------------------------------
    def exec(self, *command: str, user: str = "root", stdin: str | None = None) -> str:
        """Standard output of a command inside that must succeed."""
        interactive = ["-i"] if stdin is not None else []
        return self.engine.call("exec", *interactive, "-u", user, self.name, *command, stdin=stdin)

    def supervisor(self, *words: str) -> str:
        """What supervisorctl prints; its exit code is another for each state, so it is not looked at."""
        return self.engine.try_call("exec", self.name, "supervisorctl", *words).stdout

    def programs(self) -> dict[str, str]:
        """Supervisor's programs with their state."""
        lines = [line.split() for line in self.supervisor("status").splitlines()]
        return {words[0]: words[1] for words in lines}

    def stop(self, timeout_s: int = 60) -> float:
        """Stop it as an operator does; seconds it took."""
        started = time.monotonic()
        self.engine.call("stop", "-t", str(timeout_s), self.name, timeout_s=timeout_s + 30)
        return time.monotonic() - started

    def kill(self) -> None:
        """End it as a power cut would."""
        self.engine.call("kill", "-s", "KILL", self.name)

    def start(self) -> None:
        """Start it again after stop or kill."""
        self.engine.call("start", self.name)

    def remove(self) -> None:
        """Remove it with its anonymous volumes, running or not."""
        self.engine.try_call("rm", "-f", "-v", self.name)


@contextmanager
def run(
    engine: Engine,
    image: str,
    parameters: Mapping[str, str],
    *options: str,
    volumes: Mapping[str, str] | None = None,
    publish: bool = True,
) -> Iterator[Container]:
    """A new container, removed at the end. ``volumes``: path inside by volume name or folder."""
    container = Container(engine, f"onebox-test-{secrets.token_hex(6)}")
    arguments = ["--name", container.name, *engine.run_options, *options]
    if publish:
        arguments += ["-p", f"127.0.0.1::{ONED_PORT}"]
    for source, path in (volumes or {}).items():
        arguments += ["-v", f"{source}:{path}"]
    for name in parameters:
        # Values go in by the environment: an argument list is readable for everybody on the machine.
        arguments += ["-e", name]
    try:
        with _environment(parameters):
            engine.call("run", "-d", *arguments, image)
        yield container
    finally:
        container.remove()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def volumes(engine: Engine, *paths: str) -> Iterator[dict[str, str]]:
    """New named volumes for these paths inside, removed at the end."""
    prefix = f"onebox-test-{secrets.token_hex(6)}"
    made = {f"{prefix}-{re.sub('[^a-z0-9]+', '-', path).strip('-')}": path for path in paths}
    try:
        for name in made:
            engine.call("volume", "create", name)
        yield made
    finally:
        for name in made:
            engine.try_call("volume", "rm", "-f", name)
