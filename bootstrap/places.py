"""Where bootstrap and Supervisor keep their files.

In the container these are root's own folders: what Supervisor runs as root must not be writable for the
services' user. Natively everything lies in the instance's folder, beside ONE_LOCATION.
"""

from __future__ import annotations

import os
from pathlib import Path

from services.common import paths

CODE = Path(__file__).resolve().parents[1]


def is_native() -> bool:
    """Whether this is a front-end under a prefix, without a container."""
    return bool(os.environ.get("ONE_LOCATION"))


def _place(beside_prefix: str, container: str) -> Path:
    prefix = os.environ.get("ONE_LOCATION")
    return Path(prefix).parent / beside_prefix if prefix else Path(container)


def supervisor() -> Path:
    """Supervisor's configuration, socket and pid file."""
    return _place("supervisor", "/run/supervisor")


def supervisord_conf() -> Path:
    """Supervisor's main configuration; mode 0600, it holds the password of the socket."""
    return supervisor() / "supervisord.conf"


def programs() -> Path:
    """One rendered file per enabled program."""
    return supervisor() / "conf.d"


def state() -> Path:
    """What bootstrap enabled, for the health check; there once bootstrap has finished."""
    return supervisor() / "state.json"


def failed() -> Path:
    """One file per program that Supervisor gave up on."""
    return supervisor() / "failed"


def program_logs() -> Path | None:
    """Where the output of programs goes; None means to the container's own output."""
    return _place("logs", "") if is_native() else None


def mysql_data() -> Path:
    """The database's files."""
    return _place("mysql", "/var/lib/mysql")


def mysql_run() -> Path:
    """The database's socket, pid file and settings."""
    return _place("one/var/run", "/run/mysqld")


def mysql_socket() -> Path:
    """The database's unix socket."""
    return mysql_run() / "mysqld.sock"


def mysql_version() -> Path:
    """The version of the database server that was started last."""
    return mysql_run() / "version"


def mysql_upgraded() -> Path:
    """The version that the server's own tables were made or upgraded by."""
    return mysql_data() / ".onebox-version"


def mysql_settings() -> Path:
    """Port, accounts and passwords for the mysqld programs; mode 0600, the database user's."""
    return mysql_run() / "onebox.json"


def bootstrap_failed() -> Path:
    """Why bootstrap failed, one fault a line; the entrypoint prints it last and ends with exit code 1."""
    return Path("/run/one/bootstrap.failed")


def given_up() -> Path:
    """Why a program gave the whole start up: written by oneadmin's programs, read by the listener."""
    return paths.run() / "given-up"


def ssh_agent_socket() -> Path:
    """The socket of oneadmin's agent."""
    return paths.run() / "ssh-agent.sock"


def ssh_sockets() -> Path:
    """Control sockets of shared SSH connections."""
    return paths.run() / "ssh-socks"


def ssh() -> Path:
    """oneadmin's SSH folder: key pair, authorized_keys, known_hosts, config."""
    return paths.var() / ".ssh"


def ssh_copyback() -> Path:
    """Public parts of it for an SSH server in another container, where that shares a volume with this one."""
    return paths.var() / ".ssh-copyback"


def ssh_host_keys() -> Path:
    """The SSH server's host keys."""
    return Path("/srv/one/secret-ssh-host-keys")


def sshd_conf() -> Path:
    """The SSH server's configuration."""
    return supervisor() / "sshd_config"


def tls() -> Path:
    """The TLS certificate and its key."""
    return Path("/srv/one/secret-tls")


def stunnel_conf() -> Path:
    """The TLS proxy's configuration."""
    return supervisor() / "stunnel.conf"


def stock() -> Path:
    """Stock configuration files."""
    return CODE / "share" / "etc"
