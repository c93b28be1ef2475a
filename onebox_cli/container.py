"""A front-end in one container, run by Docker or Podman without any privilege."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from bootstrap import params, programs
from onebox_cli.instance import ONED_PORT, ROOT, Instance
from onebox_cli.ui import Failure, Step, run_logged, step, tail, warn

ENGINES = ("docker", "podman")
IMAGE = "onebox:local"
# Every volume of the image gets a name, so that nothing is lost with the container.
VOLUMES = {
    "/var/lib/mysql": "mysql",
    "/var/lib/one": "one",
    "/var/lib/one/.one": "oneadmin_auth",
    "/var/lib/one/.ssh": "oneadmin_ssh",
    "/var/lib/one/.ssh-oneprovision": "oneprovision_ssh",
    "/var/lib/one/backups": "backups",
    "/var/lib/one/datastores": "datastores",
    "/var/lib/one/fireedge": "fireedge",
    "/var/log": "log",
    "/srv/one": "srv",
}
_READY_TIMEOUT_S = 180.0
_STOP_TIMEOUT_S = 90
_SECRETS = "/run/secrets"
_PYTHON = "/usr/lib/one/venv/bin/python"
# What engines need on some machines, tried in turn when a container does not start: options of the engine
# itself, and of its run command.
_LIMITS = ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:1024")
_RUNC = ("--runtime", "runc")
_WAYS: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "docker": (((), ()),),
    "podman": (((), ()), ((), _LIMITS), (_RUNC, ()), (_RUNC, _LIMITS)),
}


def why_unusable(engine: str) -> str:
    """Why the engine cannot be used; empty when it can."""
    if shutil.which(engine) is None:
        return f"{engine} is not installed"
    result = _call(engine, "info", timeout_s=30)
    lines = result.stderr.strip().splitlines()
    return "" if result.returncode == 0 else (lines[-1] if lines else f"{engine} info failed")


def check(engine: str) -> None:
    """Raises Failure when the engine cannot be used."""
    reason = why_unusable(engine)
    if reason:
        advice = "start it (systemctl start docker), or run without a container: --engine native"
        raise Failure(f"{engine} does not answer: {reason}", advice=advice)


def _call(engine: str, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [engine, *arguments],
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(
            [engine], 124, "", f"{engine} {arguments[0]} took over {timeout_s:g} s"
        )


def _check_parameters() -> None:
    """Refuse faulty image parameters before anything is built; misspelt ones would not reach it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ONEBOX_")}
    try:
        # native: the public host need not be given, it is this machine.
        params.read(environ, native=True)
    except params.ParameterFaults as found:
        raise Failure(
            "faulty parameters",
            log=found.faults,
            advice="correct these variables; docs/parameters.md lists all",
        ) from None


class Container:
    """An instance in a container; container and volumes carry its name."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._engine = instance.engine

    # -- up and down ---------------------------------------------------------------------------------
    def build(self, *, show: bool = False) -> None:
        """Build the image, or leave it when this tree is in it already. Raises Failure."""
        command = [str(ROOT / "image" / "build.sh"), "--engine", self._engine, "--tag", IMAGE]
        if show:
            if subprocess.run(command, check=False).returncode:
                raise Failure("building the image failed", advice="the lines above say where")
            return
        log = self.instance.logs / "build.log"
        run_logged(
            command, log, "building the image failed", advice=f"see {log}; ./onebox build shows all of it"
        )

    def up(self, *, wait: bool) -> bool:
        """Start everything and return once it is healthy; False when it ran already."""
        state = self._state()
        if state == "running":
            if wait:
                with step("services ready") as current:
                    self._wait_ready(current)
                self._fetch_auth()
            return False
        was_ready = self.instance.auth_file.exists()
        if state and (self._published_port() != self.instance.port or not was_ready):
            # Port and parameters belong to the container; the data is in the volumes.
            self._remove()
            state = ""
        if not state:
            _check_parameters()
            with step("image") as current:
                say_first = "" if self._image_id() else " (the first build takes some minutes)"
                if say_first:
                    print(say_first, end=" ", flush=True)
                self.build()
                current.result = self._image_id()[7:19]
        self.instance.save()
        with step("container") as current:
            if state:
                self._or_failure("start", self.instance.name)
                current.result = "started again"
            else:
                self._run()
        if wait:
            with step("services ready") as current:
                self._wait_ready(current)
            if self._engine == "docker":
                # Only once it was healthy: a container that cannot start should stay ended, with its reason.
                _call("docker", "update", "--restart", "unless-stopped", self.instance.name)
            self._fetch_auth()
        return True

    def down(self) -> bool:
        """Stop and remove the container; its volumes stay. False when there was none."""
        if not self._state():
            return False
        with step("stopping"):
            timeout_s = _STOP_TIMEOUT_S + 30
            result = _call(
                self._engine, "stop", "-t", str(_STOP_TIMEOUT_S), self.instance.name, timeout_s=timeout_s
            )
            if result.returncode:
                raise Failure(f"{self._engine} stop {self.instance.name}: {result.stderr.strip()}")
            self._remove()
        return True

    def purge(self) -> None:
        """Remove the volumes."""
        present = _call(self._engine, "volume", "ls", "-q").stdout.split()
        for volume in (f"{self.instance.name}_{suffix}" for suffix in VOLUMES.values()):
            if volume in present:
                self._or_failure("volume", "rm", volume)

    # -- looking -------------------------------------------------------------------------------------
    def is_running(self) -> bool:
        """Whether the container runs."""
        return self._state() == "running"

    def problems(self) -> list[str]:
        """What the image's health check says."""
        result = _call(self._engine, "exec", self.instance.name, "/frontend-healthcheck.sh", timeout_s=30)
        if result.returncode == 0:
            return []
        return (result.stdout + result.stderr).strip().splitlines() or ["the health check failed"]

    def programs(self) -> list[str]:
        """Supervisor's lines, one per program."""
        return _call(self._engine, "exec", self.instance.name, "supervisorctl", "status").stdout.splitlines()

    def logs(self, program: str | None, follow: bool) -> int:
        """Show the container's log, or the log file of one program; the engine's exit code."""
        if not self._state():
            raise Failure(f"there is no container {self.instance.name}", advice="start it with up first")
        command = [self._engine, "logs", "--tail", "100", *(["-f"] if follow else []), self.instance.name]
        if program is not None:
            known = {found.name: found.log for found in programs.load_all().values() if found.log}
            if program not in known:
                raise Failure(
                    f"{program} has no log file of its own",
                    advice=f"one of: {', '.join(known)}; or without a name, for the log of the container",
                )
            file = f"/var/log/one/{known[program]}"
            command = [
                self._engine,
                "exec",
                self.instance.name,
                "tail",
                "-n",
                "100",
                *(["-F"] if follow else []),
                file,
            ]
        return subprocess.run(command, check=False).returncode

    def client_environment(self) -> dict[str, str]:
        """Nothing more than endpoint and credentials."""
        return {}

    def shell(self) -> int:
        """Run a shell as oneadmin inside; its exit code."""
        terminal = ["-t"] if os.isatty(0) else []
        command = [self._engine, "exec", "-i", *terminal, "-u", "oneadmin", "-w", "/var/lib/one"]
        command += ["-e", "HOME=/var/lib/one", self.instance.name, "/bin/bash"]
        return subprocess.run(command, check=False).returncode

    def onedb(self, words: Sequence[str], stdin: BinaryIO) -> int:
        """Run onedb inside while the front-end is stopped; its exit code."""
        command = [self._engine, "exec", "-i", self.instance.name, _PYTHON, "-m", "bootstrap.quiet", "onedb"]
        return subprocess.run([*command, *words], stdin=stdin, check=False).returncode

    # -- parts ---------------------------------------------------------------------------------------
    def _inspect(self, kind: str, name: str) -> dict[str, Any]:
        result = _call(self._engine, kind, "inspect", name)
        found: list[dict[str, Any]] = json.loads(result.stdout) if result.returncode == 0 else []
        return found[0] if found else {}

    def _state(self) -> str:
        """``running``, ``exited``…; empty when there is no such container."""
        state: str = self._inspect("container", self.instance.name).get("State", {}).get("Status", "")
        return state

    def _image_id(self) -> str:
        found = str(self._inspect("image", IMAGE).get("Id", ""))
        return found if found.startswith("sha256:") or not found else f"sha256:{found}"

    def _published_port(self) -> int:
        bindings = self._inspect("container", self.instance.name)["HostConfig"].get("PortBindings") or {}
        published = bindings.get(f"{ONED_PORT}/tcp") or [{}]
        return int(published[0].get("HostPort") or 0)

    def _or_failure(self, *arguments: str) -> str:
        result = _call(self._engine, *arguments)
        if result.returncode:
            raise Failure(f"{self._engine} {' '.join(arguments[:2])}: {result.stderr.strip()[-600:]}")
        return result.stdout

    def _remove(self) -> None:
        self._or_failure("rm", "-f", "-v", self.instance.name)

    def _run(self) -> None:
        name = self.instance.name
        arguments = [
            "--name",
            name,
            "--hostname",
            "onebox",
            "-p",
            f"127.0.0.1:{self.instance.port}:{ONED_PORT}",
        ]
        # Nodes report from elsewhere; everything else is for this machine alone.
        monitord, console = (self._given(name) for name in ("MONITORD_PORT", "SUNSTONE_VNC_PORT"))
        for protocol in ("tcp", "udp"):
            arguments += ["-p", f"{monitord}:{monitord}/{protocol}"]
        arguments += ["-p", f"127.0.0.1:{console}:{console}"]
        for path, suffix in VOLUMES.items():
            arguments += ["-v", f"{name}_{suffix}:{path}"]
        arguments += self._parameters()
        reason = ""
        for of_engine, of_run in _WAYS[self._engine]:
            if of_engine == _RUNC and not shutil.which("runc"):
                continue
            result = _call(self._engine, *of_engine, "run", "-d", *of_run, *arguments, IMAGE)
            if result.returncode == 0:
                if of_engine or of_run:
                    warn(f"{self._engine} needs {' '.join(of_engine + of_run)} on this machine; used it")
                return
            reason = result.stderr.strip()[-800:]
            _call(self._engine, "rm", "-f", "-v", name)
            if "already allocated" in reason or "address already in use" in reason:
                ports = [str(self.instance.port), monitord, console]
                taken = next((port for port in ports if f":{port}" in reason), ports[0])
                raise Failure(f"port {taken} is in use", advice="run up with --port-offset N")
        raise Failure(f"{self._engine} run: {reason}", advice="or run without a container: --engine native")

    def _given(self, port: str) -> str:
        """A port that is the same inside and outside: the user's, else the usual one and the offset."""
        return os.environ.get(port) or str(int(params.BY_NAME[port].default) + self.instance.port_offset)

    def _parameters(self) -> list[str]:
        """The image parameters of the user's environment; secrets go in as files, inspect shows the rest."""
        given = {"OPENNEBULA_HOST": "localhost", "OPENNEBULA_SERVICE": "all", "ONEBOX_DB": self.instance.db}
        given |= {name: self._given(name) for name in ("MONITORD_PORT", "SUNSTONE_VNC_PORT")}
        files: dict[str, Path] = {}
        for param in params.PARAMS:
            for name in filter(None, (param.name, param.alias)):
                value, file = os.environ.get(name), os.environ.get(f"{name}_FILE")
                if name.startswith("ONEBOX_"):
                    continue
                if file and f"{name}_FILE" not in params.BY_NAME:
                    files[name] = Path(file).absolute()
                elif value and param.secret:
                    files[name] = self._secret_file(name, value)
                elif value:
                    given[name] = value
        arguments = []
        for name, value in given.items():
            arguments += ["-e", f"{name}={value}"]
        for name, path in files.items():
            inside = f"{_SECRETS}/{name.lower()}"
            arguments += ["-v", f"{path}:{inside}:ro", "-e", f"{name}_FILE={inside}"]
        return arguments

    def _secret_file(self, name: str, value: str) -> Path:
        folder = self.instance.data / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / name.lower()
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
            opened.write(value)
        return file

    def _wait_ready(self, current: Step) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        found = ["not asked yet"]
        while found:
            state = self._state()
            if state != "running":
                raise self._not_ready(f"the container is {state or 'gone'}")
            found = self.problems()
            if "maintenance mode" in found:
                current.result = "maintenance mode: nothing started"
                return
            if found and time.monotonic() > deadline:
                raise self._not_ready(f"not ready after {_READY_TIMEOUT_S:g} s: {'; '.join(found)}")
            if found:
                time.sleep(0.3)
        # What the engine itself says follows at its next check.
        while self._health() == "starting" and time.monotonic() < deadline:
            time.sleep(0.3)
        current.result = "healthy"

    def _health(self) -> str:
        state = self._inspect("container", self.instance.name).get("State", {})
        return str(state.get("Health", {}).get("Status", "")) if self._engine == "docker" else ""

    def _not_ready(self, what: str) -> Failure:
        result = _call(self._engine, "logs", "--tail", "15", self.instance.name)
        log = self.instance.logs / "container.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(result.stdout + result.stderr, encoding="utf-8")
        flags = self.instance.flags()
        return Failure(
            what, log=tail(log),
            advice=f"see ./onebox logs{flags}; when corrected: ./onebox down{flags} and up again",
        )  # fmt: skip

    def _fetch_auth(self) -> None:
        """Copy oneadmin's credentials out, for clients on this machine."""
        text = self._or_failure("exec", self.instance.name, "cat", "/var/lib/one/.one/one_auth")
        file = self.instance.auth_file
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(text)
