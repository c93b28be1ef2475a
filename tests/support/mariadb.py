"""A private MariaDB server for tests: own data folder, own socket, no network, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path


class MariaDb:
    """A running server; ``socket`` is its unix socket, root needs no password on it.

    is_durable: what is committed outlives a power cut. Without that it outlives a killed server all the same,
    and nobody waits for the disk.
    """

    def __init__(self, folder: Path, is_durable: bool = False) -> None:
        self.folder = folder
        self._sync = (
            ["--innodb-flush-log-at-trx-commit=1"]
            if is_durable
            else ["--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync"]
        )
        # A socket path may have 107 characters at most, and pytest's folders are longer.
        self._short = tempfile.mkdtemp(prefix="onebox-db-")
        self.socket = str(Path(self._short, "s"))
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def available() -> bool:
        """Whether the server is installed here."""
        return shutil.which("mariadbd") is not None or Path("/usr/sbin/mariadbd").exists()

    def start(self) -> None:
        """Create the data folder when it is new, and start the server; RuntimeError says why that failed."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        data = self.folder / "data"
        user = "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody")
        if not data.exists():
            data.mkdir(parents=True)
            made = subprocess.run(
                [
                    "mariadb-install-db",
                    "--no-defaults",
                    f"--user={user}",
                    f"--datadir={data}",
                    "--skip-test-db",
                    "--auth-root-authentication-method=normal",
                ],
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if made.returncode:
                raise RuntimeError(f"mariadb-install-db ended with {made.returncode}:\n{made.stdout[-2000:]}")
        log = open(self.folder / "mariadbd.log", "ab")  # noqa: SIM115 - closed once the child has it
        server = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        self._process = subprocess.Popen(
            [
                server,
                "--no-defaults",
                f"--user={user}",
                f"--datadir={data}",
                f"--socket={self.socket}",
                "--skip-networking",
                f"--pid-file={self.folder}/pid",
                *self._sync,
                "--performance-schema=OFF",
                "--max-connections=400",
                "--character-set-server=utf8mb4",
            ],
            stdout=log,
            stderr=log,
        )
        log.close()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"mariadbd ended, see {self.folder}/mariadbd.log")
            if self.sql("SELECT 1", check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError("mariadbd did not start within 60 s")

    def sql(self, statements: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run statements as root; what the client printed."""
        return subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self.socket}", "-u", "root", "-N"],
            input=statements,
            text=True,
            capture_output=True,
            check=check,
        )

    def database(self, name: str) -> None:
        """A fresh, empty database that user oneadmin (password: secret) may use."""
        self.sql(
            f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4; "
            "CREATE USER IF NOT EXISTS oneadmin@localhost IDENTIFIED BY 'secret'; "
            f"GRANT ALL ON {name}.* TO oneadmin@localhost;"
            # An upgrade works on a copy beside it; "_" stands for any letter there unless it is marked.
            + f"GRANT ALL ON `{name}_onebox_upgrade`.* TO oneadmin@localhost;".replace(
                "_", "\\_", name.count("_") + 2
            )
        )

    def section(self, name: str) -> str:
        """The DB section of oned.conf for a fresh database."""
        self.database(name)
        return (
            f'DB = [ BACKEND = "mysql", SOCKET = "{self.socket}", USER = "oneadmin", PASSWD = "secret", '
            f'DB_NAME = "{name}" ]'
        )

    @property
    def pid(self) -> int:
        """The server's process. Raises RuntimeError when it does not run."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    def kill(self) -> None:
        """End the server as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """End the server and remove the socket's folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._short, ignore_errors=True)
