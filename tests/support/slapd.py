"""A private OpenLDAP server for tests: own folder, a free port of the loopback interface, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

BASE = "dc=test"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "admin-pw"
_START_S = 30.0

_CONF = """
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
pidfile {folder}/pid
modulepath {modules}
moduleload back_mdb
moduleload memberof
{tls}
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw {password}
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{admin}" manage by dn.regex="^cn=reader," read by anonymous {anonymous} by * none
overlay memberof
memberof-group-oc groupOfNames
memberof-member-ad member
memberof-memberof-ad memberOf
"""


class Slapd:
    """A running server with ``dc=test``. ``anonymous``: what callers without a name may do (auth, read)."""

    def __init__(
        self, folder: Path, ldif: str, anonymous: str = "read", certificate: Path | None = None
    ) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.tls_port = _free_port()
        self._tls = certificate is not None
        tls = ""
        if certificate is not None:
            tls = f"TLSCertificateFile {certificate}\nTLSCertificateKeyFile {certificate.with_suffix('.key')}"
        (folder / "data").mkdir(parents=True)
        self._conf = folder / "slapd.conf"
        root = Path(self._program()).parents[1]
        self._conf.write_text(
            _CONF.format(
                schema=_schemas(root), modules=root / "lib/ldap", folder=folder, tls=tls, base=BASE,
                admin=ADMIN, password=ADMIN_PASSWORD, anonymous=anonymous,
            )
        )  # fmt: skip
        (folder / "data.ldif").write_text(ldif)

    @staticmethod
    def available() -> bool:
        """Whether the server is installed here."""
        return Slapd._program() != ""

    @staticmethod
    def _program() -> str:
        path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
        return shutil.which("slapd", path=path) or ""

    def start(self) -> None:
        """Fill the directory and start the server; RuntimeError says why that failed."""
        command = [self._program(), "-T", "add", "-f", str(self._conf), "-l", str(self._folder / "data.ldif")]
        filled = subprocess.run(command, capture_output=True, text=True, check=False)
        if filled.returncode:
            raise RuntimeError(f"slapadd ended with {filled.returncode}:\n{filled.stderr[-2000:]}")
        self.resume()

    def resume(self) -> None:
        """Start the server on the directory as it is."""
        urls = f"ldap://127.0.0.1:{self.port}/"
        if self._tls:
            urls += f" ldaps://127.0.0.1:{self.tls_port}/"
        with (self._folder / "slapd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program(), "-f", str(self._conf), "-h", urls, "-d", "none"], stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                text = (self._folder / "slapd.log").read_text(errors="replace")
                raise RuntimeError(f"slapd ended with {self._process.returncode}:\n{text[-2000:]}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"slapd did not start within {_START_S:g} s")

    def freeze(self, frozen: bool = True) -> None:
        """Make the server hang, or go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def stop(self) -> None:
        """End the server."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _schemas(root: Path) -> Path:
    """Debian keeps the schemas in /etc; an unpacked package has them beside the program."""
    beside = root.parent / "etc/ldap/schema"
    return beside if beside.is_dir() else Path("/etc/ldap/schema")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
