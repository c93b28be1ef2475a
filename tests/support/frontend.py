"""A front-end of real processes for service tests and benchmarks, in a folder of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from services.common.oca import Client

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "opennebula": ["-m", "services.oned.server"],
    "opennebula-engine": ["-m", "services.oned.engine"],
    "opennebula-scheduler": ["-m", "services.scheduler"],
}
# Started by name only: hosts of the dummy drivers have no use for it.
MONITORD = "opennebula-monitord"
_COMMANDS = {**PROGRAMS, MONITORD: ["-m", "services.oned.monitor"]}


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Frontend:
    """The API, the engine and the scheduler on one database; start(), then stop()."""

    def __init__(
        self, folder: Path, db_section: str = 'DB = [ BACKEND = "sqlite" ]', extra_conf: str = ""
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.monitord_port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}/RPC2"
        self.password = secrets.token_urlsafe(12)
        self.session = f"oneadmin:{self.password}"
        self.auth_file = folder / "var" / ".one" / "one_auth"
        self.env = {
            **os.environ,
            "ONE_LOCATION": str(folder),
            "ONE_XMLRPC": self.endpoint,
            "ONE_AUTH": str(self.auth_file),
            "PYTHONPATH": str(ROOT),
            "ONEBOX_PYTHON": sys.executable,
            "PATH": f"{ROOT / 'bin'}:{os.environ['PATH']}",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._prepare(db_section, extra_conf)

    def _prepare(self, db_section: str, extra_conf: str) -> None:
        for name in ("etc", "var/.one", "var/run"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.auth_file.touch(mode=0o600)
        self.auth_file.write_text(self.session + "\n")
        stock = (ROOT / "share/etc/oned.conf").read_text()
        kept, skipping = [], False
        for line in stock.splitlines():
            if line.replace(" ", "").startswith(("DB=", "PORT=", "LISTEN_ADDRESS=")):
                skipping = "[" in line and "]" not in line
                continue
            if skipping:
                skipping = "]" not in line
                continue
            kept.append(line)
        settings = f'{db_section}\nPORT = {self.port}\nLISTEN_ADDRESS = "127.0.0.1"\n{extra_conf}\n'
        (self.folder / "etc/oned.conf").write_text(settings + "\n".join(kept) + "\n")
        sched = (ROOT / "share/etc/sched.conf").read_text()
        lines = [line for line in sched.splitlines() if not line.replace(" ", "").startswith("ONE_XMLRPC=")]
        (self.folder / "etc/sched.conf").write_text(
            f'ONE_XMLRPC = "{self.endpoint}"\n' + "\n".join(lines) + "\n"
        )
        monitord = (ROOT / "share/etc/monitord.conf").read_text()
        assert "PORT            = 4124" in monitord
        (self.folder / "etc/monitord.conf").write_text(
            monitord.replace("PORT            = 4124", f"PORT = {self.monitord_port}")
        )
        shutil.copytree(ROOT / "services/remotes", self.folder / "var/remotes", dirs_exist_ok=True)

    # -- processes -----------------------------------------------------------------------------------
    def start(self, *programs: str) -> None:
        """Create the zone when it is new and start the programs (all by default); returns when ready."""
        subprocess.run(
            [sys.executable, "-m", "services.oned.store", "init"],
            env=self.env,
            cwd=self.folder,
            check=True,
            capture_output=True,
        )
        for name in programs or PROGRAMS:
            self.spawn(name)
        self.wait_ready()

    def spawn(self, name: str) -> None:
        """Start one program; its output goes to <name>.out."""
        with open(self.folder / f"{name}.out", "ab") as out:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *_COMMANDS[name]],
                env=self.env,
                cwd=self.folder,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Return once the API answers. Raises RuntimeError with the last log lines."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=2) as reply:
                    if reply.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise RuntimeError(f"the API is not ready after {timeout_s} s:\n{self.tail('opennebula')}")

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines that a program printed."""
        out = self.folder / f"{name}.out"
        return "\n".join(out.read_text(errors="replace").splitlines()[-lines:]) if out.exists() else ""

    def kill(self, name: str) -> None:
        """SIGKILL a program with everything in its process group, as a crash or the OOM killer would."""
        process = self.processes[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def end(self, name: str) -> None:
        """End a program in good order, as Supervisor would."""
        process = self.processes[name]
        process.terminate()
        process.wait(15)

    def stop(self) -> None:
        """End every program that was started."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    # -- client --------------------------------------------------------------------------------------
    def client(self, session: str | None = None) -> Client:
        """A client of ours; oneadmin's by default."""
        return Client(self.endpoint, session or self.session)

    def run(self, *command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command line as oneadmin would."""
        return subprocess.run(command, env=self.env, input=stdin, text=True, capture_output=True, timeout=60)
