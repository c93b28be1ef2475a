"""Supervisor's main configuration, and a client for its unix socket.

``python -m bootstrap.supervisor`` writes the configuration and prints its path.
"""

from __future__ import annotations

import configparser
import http.client
import os
import secrets
import socket
import xmlrpc.client
from base64 import b64encode
from pathlib import Path
from typing import Any

from bootstrap import files, places

_BOOTSTRAP_PROGRAM = """
[program:bootstrap]
command = /frontend-bootstrap.sh
directory = {code}
priority = 1
autorestart = false
startsecs = 0
redirect_stderr = true
stdout_logfile = /dev/stdout
stdout_logfile_maxbytes = 0
"""


class SupervisorError(Exception):
    """Supervisor does not answer, or refused; the message says which."""


def write_main_conf() -> Path:
    """Write the main configuration, with a fresh password for the socket; its path."""
    native = places.is_native()
    folder = places.supervisor()
    files.folder(folder, 0o700 if native else 0o755)
    files.folder(places.programs(), 0o755)
    log = places.supervisor() / "supervisord.log" if native else Path("/dev/null")
    lines = [
        "; Written at every start; changes do not last.",
        "[unix_http_server]",
        f"file = {folder / 'supervisor.sock'}",
        "chmod = 0700",
        "username = onebox",
        f"password = {secrets.token_hex(16)}",
        "",
        "[supervisord]",
        f"pidfile = {folder / 'supervisord.pid'}",
        f"logfile = {log}",
        f"logfile_maxbytes = {'10MB' if native else '0'}",
        "logfile_backups = 2",
        f"childlogdir = {folder}",
        f"directory = {places.CODE}",
        "identifier = onebox",
        "umask = 022",
        # File descriptors: a little more than the API and its workers need.
        "minfds = 1024",
        "user = root" if os.geteuid() == 0 else "",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        "",
        "[supervisorctl]",
        f"serverurl = unix://{folder / 'supervisor.sock'}",
        "username = onebox",
    ]
    password = next(line for line in lines if line.startswith("password = "))
    lines += [
        password,
        "prompt = onebox",
        "",
        "[include]",
        "; relative to this file: blanks in the path would make it two patterns",
        f"files = {places.programs().name}/*.conf",
    ]
    if not native:
        lines.append(_BOOTSTRAP_PROGRAM.format(code=places.CODE))
    files.write(places.supervisord_conf(), "\n".join(lines) + "\n", 0o600)
    return places.supervisord_conf()


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str, user: str, password: str, timeout_s: float) -> None:
        super().__init__(
            headers=[("Authorization", "Basic " + b64encode(f"{user}:{password}".encode()).decode())]
        )
        self._path = path
        self._timeout_s = timeout_s

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("localhost", timeout=self._timeout_s)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self._timeout_s)
            sock.connect(self._path)
        except OSError:
            sock.close()
            raise
        connection.sock = sock
        return connection


class Supervisor:
    """The Supervisor of this instance. Calls raise SupervisorError when it does not answer or refuses."""

    def __init__(self, conf: Path | None = None, timeout_s: float = 10.0) -> None:
        file = conf or places.supervisord_conf()
        parser = configparser.ConfigParser(interpolation=None)
        try:
            with file.open(encoding="utf-8") as opened:
                parser.read_file(opened)
            section = parser["unix_http_server"]
            path = section["file"]
        except (OSError, KeyError, configparser.Error) as error:
            raise SupervisorError(f"Supervisor's configuration cannot be read: {file}: {error}") from None
        transport = _UnixTransport(path, section.get("username", ""), section.get("password", ""), timeout_s)
        self._proxy = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport)

    def call(self, method: str, *arguments: Any) -> Any:
        """The result of ``supervisor.METHOD``."""
        try:
            return getattr(self._proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            words = " ".join([method, *map(str, arguments)])
            raise SupervisorError(f"Supervisor refused {words}: {fault.faultString}") from None
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise SupervisorError(f"Supervisor does not answer on its socket: {error}") from None

    def processes(self) -> list[dict[str, Any]]:
        """All programs with name, statename, spawnerr, exitstatus, pid…"""
        found: list[dict[str, Any]] = self.call("getAllProcessInfo")
        return found

    def update(self) -> list[str]:
        """Take changed program files over, as ``supervisorctl update`` does; a line for each change."""
        [[added, changed, removed]] = self.call("reloadConfig")
        done = []
        for name in [*removed, *changed]:
            self.call("stopProcessGroup", name)
            self.call("removeProcessGroup", name)
            done.append(f"{name}: {'removed' if name in removed else 'stopped'}")
        for name in [*changed, *added]:
            self.call("addProcessGroup", name)
            done.append(f"{name}: {'updated' if name in changed else 'added'}")
        return done


if __name__ == "__main__":
    print(write_main_conf())
