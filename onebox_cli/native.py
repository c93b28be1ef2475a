"""A front-end without a container: the same bootstrap and Supervisor programs, all below one folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from bootstrap.params import PREFIXES
from bootstrap.supervisor import Supervisor, SupervisorError
from onebox_cli import venv
from onebox_cli.instance import MAX_DATA_BYTES, ROOT, Instance
from onebox_cli.ui import Failure, Step, run_logged, say, step, tail, warn

# In Supervisor's configuration these mean something wherever they stand.
_REFUSED = "%;#[]*?\\\"'\n"
_READY_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 120.0
_PORT_TIMEOUT_S = 10.0


class Native:
    """An instance that runs as processes of the user."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._conf = instance.data / "supervisor" / "supervisord.conf"

    # -- up and down ---------------------------------------------------------------------------------
    def up(self, *, wait: bool) -> bool:
        """Start everything and return once it is ready; False when it ran already."""
        instance = self.instance
        if len(os.fsencode(instance.data)) > MAX_DATA_BYTES:
            raise Failure(
                f"{instance.data}: the path is too long for the sockets in it "
                f"({len(os.fsencode(instance.data))} bytes, at most {MAX_DATA_BYTES})",
                advice="choose a shorter --data",
            )
        for path in (instance.data, ROOT):
            if found := sorted(set(str(path)) & set(_REFUSED)):
                advice = "choose another --data" if path != ROOT else "move the checkout"
                raise Failure(
                    f"{path}: Supervisor cannot work with {' '.join(found)} in a path", advice=advice
                )
        if self.is_running():
            if wait:
                with step("services ready") as current:
                    self._wait_ready(current)
            return False
        self._refuse_silent_supervisor()
        with step("python environment") as current:
            was_ready = venv.RUN.is_ready
            python = venv.ensure(venv.RUN)
            current.result = "there" if was_ready else "made"
        if instance.db == "mysql":
            with step("database server") as current:
                current.result = _mysql_or_failure()
        with step("port") as current:
            self._wait_port_free()
            current.result = str(instance.port)
        with step("bootstrap"):
            self._bootstrap(python)
        with step("supervisor"):
            self._start_supervisor(python)
        instance.save()
        if wait:
            with step("services ready") as current:
                self._wait_ready(current)
        return True

    def down(self) -> bool:
        """Stop everything; False when nothing ran. Raises Failure when it does not end."""
        if not self.is_running():
            self._refuse_silent_supervisor()
            return False
        supervisor = self._supervisor()
        pid = int(supervisor.call("getPID"))
        with step("stopping"):
            supervisor.call("shutdown")
            deadline = time.monotonic() + _STOP_TIMEOUT_S
            while _is_alive(pid):
                if time.monotonic() > deadline:
                    raise Failure(
                        f"Supervisor (process {pid}) has not ended after {_STOP_TIMEOUT_S:g} s",
                        log=tail(self._conf.with_name("supervisord.log")),
                        advice=f"look at what still runs: ps --ppid {pid}",
                    )
                time.sleep(0.05)
        return True

    def purge(self) -> None:
        """Remove the instance's data."""
        shutil.rmtree(self.instance.data)

    # -- looking -------------------------------------------------------------------------------------
    def is_running(self) -> bool:
        """Whether Supervisor answers."""
        try:
            self._supervisor().call("getPID")
        except SupervisorError:
            return False
        return True

    def problems(self) -> list[str]:
        """What keeps the front-end from being ready."""
        python = venv.RUN.python if venv.RUN.is_ready else Path(sys.executable)
        result = subprocess.run(
            [python, "-m", "bootstrap.health", "--json"], env=self._environment(), cwd=ROOT, text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        try:
            found: list[str] = json.loads(result.stdout)
        except ValueError:
            return [f"the health check failed: {result.stderr.strip()[-300:]}"]
        return found

    def programs(self) -> list[str]:
        """A line per program: name, state, since when."""
        found: list[dict[str, Any]] = self._supervisor().processes()
        return [f"{row['name']:<24} {row['statename']:<9} {row['description']}" for row in found]

    def logs(self, program: str | None, follow: bool) -> int:
        """Show the last log lines, of one program or of all; the exit code of tail."""
        files = sorted(self.instance.logs.glob("*.log"))
        if program is not None:
            files = [file for file in files if file.stem == program]
            if not files:
                known = ", ".join(file.stem for file in sorted(self.instance.logs.glob("*.log")))
                raise Failure(f"there is no log of {program}", advice=f"one of: {known or 'none yet'}")
        if not files:
            raise Failure(f"there are no logs in {self.instance.logs}", advice="start it with up first")
        return subprocess.run(
            ["tail", "-n", "100", *(["-F"] if follow else []), *files], check=False
        ).returncode

    def client_environment(self) -> dict[str, str]:
        """What clients on this machine need."""
        return {"ONE_LOCATION": str(self.instance.prefix)}

    def shell(self) -> int:
        """Run the user's shell in the front-end's environment; its exit code."""
        path = f"{ROOT / 'bin'}:{venv.RUN.folder / 'bin'}:{os.environ.get('PATH', os.defpath)}"
        environment = os.environ | self.client_environment() | {
            "ONE_XMLRPC": self.instance.endpoint, "ONE_AUTH": str(self.instance.auth_file), "PATH": path,
        }  # fmt: skip
        say(f"A shell for {self.instance.name}: the one* commands speak with it; exit leaves it.")
        return subprocess.run([os.environ.get("SHELL") or "/bin/sh"], env=environment, check=False).returncode

    def onedb(self, words: Sequence[str], stdin: BinaryIO) -> int:
        """Run onedb while the front-end is stopped; its exit code."""
        command = [str(venv.RUN.python), "-m", "bootstrap.quiet", str(ROOT / "bin/onedb"), *words]
        environment = self._environment_without_parameters() | {"ONE_XMLRPC": self.instance.endpoint}
        return subprocess.run(command, stdin=stdin, env=environment, cwd=ROOT, check=False).returncode

    # -- parts ---------------------------------------------------------------------------------------
    def _environment(self) -> dict[str, str]:
        # ONEBOX_* names of the user's shell steer tools around this one; to bootstrap they would be unknown.
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ONEBOX_", "PYTHON"))
        }
        return kept | {
            "ONE_LOCATION": str(self.instance.prefix),
            "ONEBOX_DB": self.instance.db,
            "ONEBOX_PORT_OFFSET": str(self.instance.port_offset),
        }

    def _environment_without_parameters(self) -> dict[str, str]:
        # Some are passwords, and Supervisor lives on.
        return {name: value for name, value in self._environment().items() if not name.startswith(PREFIXES)}

    def _supervisor(self) -> Supervisor:
        return Supervisor(self._conf)

    def _refuse_silent_supervisor(self) -> None:
        """A stale pid file and socket are nothing; a Supervisor that lives but does not answer is."""
        try:
            pid = int(self._conf.with_name("supervisord.pid").read_text(encoding="ascii"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return
        if os.fsencode(self._conf) in command:
            raise Failure(
                f"Supervisor (process {pid}) runs but does not answer on its socket",
                log=tail(self._conf.with_name("supervisord.log")),
                advice=f"end it with: kill {pid}; then try again",
            )

    def _wait_port_free(self) -> None:
        # Programs of an instance whose Supervisor was killed, and left its pid file, need a moment to end.
        was_killed = self._conf.with_name("supervisord.pid").exists()
        deadline = time.monotonic() + (_PORT_TIMEOUT_S if was_killed else 0)
        while not _is_free(self.instance.port):
            if time.monotonic() > deadline:
                raise Failure(
                    f"port {self.instance.port} is in use by another program",
                    advice="run up with --port-offset N (a second instance also needs --name or --data)",
                )
            time.sleep(0.2)

    def _bootstrap(self, python: Path) -> None:
        command = [str(python), "-m", "bootstrap", "--prefix", str(self.instance.prefix), "--native"]
        log = self.instance.logs / "bootstrap.log"
        run_logged(
            command, log, "bootstrap failed", env=self._environment(), cwd=ROOT,
            advice="correct what the lines with 'failed:' name (docs/parameters.md), then run up again",
        )  # fmt: skip
        for line in log.read_text(encoding="utf-8").splitlines():
            if "] warning: " in line:
                warn(line)

    def _start_supervisor(self, python: Path) -> None:
        log = self.instance.logs / "supervisor-start.log"
        environment = self._environment_without_parameters()
        run_logged(
            [python, "-m", "bootstrap.supervisor"],
            log,
            "writing Supervisor's configuration",
            env=environment,
            cwd=ROOT,
        )
        run_logged(
            [python, "-m", "supervisor.supervisord", "-c", self._conf], log, "Supervisor does not start",
            env=environment, cwd=ROOT, advice=f"see {log} and {self._conf.with_name('supervisord.log')}",
        )  # fmt: skip
        deadline = time.monotonic() + 15
        while not self.is_running():
            if time.monotonic() > deadline:
                log = self._conf.with_name("supervisord.log")
                raise Failure(
                    "Supervisor does not answer 15 s after its start", log=tail(log), advice=f"see {log}"
                )
            time.sleep(0.05)

    def _wait_ready(self, current: Step) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while found := self.problems():
            if found == ["maintenance mode"]:
                current.result = "maintenance mode: nothing started"
                return
            given_up = next(iter(self._given_up()), "")
            if given_up or time.monotonic() > deadline:
                name = given_up or found[0].split(":")[0]
                log = self.instance.logs / f"{name}.log"
                raise Failure(
                    f"not ready: {'; '.join(found)}", log=tail(log),
                    advice=f"see {log}; once corrected: ./onebox down{self.instance.flags()}, then up",
                )  # fmt: skip
            time.sleep(0.15)

    def _given_up(self) -> list[str]:
        try:
            return sorted(path.name for path in (self.instance.data / "supervisor/failed").iterdir())
        except FileNotFoundError:
            return []


def _mysql_or_failure() -> str:
    from bootstrap.mysqld import find_program

    server = find_program("mariadbd")
    if server is None or find_program("mariadb-install-db") is None:
        raise Failure(
            "--db mysql needs MariaDB's server, which is not installed",
            advice="install it (Debian: apt-get install mariadb-server), or use SQLite: --db sqlite",
        )
    return f"{server}, client {'mysqlclient' if venv.ensure_mysqlclient(venv.RUN) else 'PyMySQL'}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A zombie of another parent has ended.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
