"""Where every file lives.

With ``ONE_LOCATION`` set, everything is kept under that prefix (etc, var, lib, share), as OpenNebula's
self-contained installation does; without it the system paths hold. The environment is read at each
call, so that a test or a second instance can change it.
"""

from __future__ import annotations

import os
from pathlib import Path


def _place(below_prefix: str, system: str) -> Path:
    prefix = os.environ.get("ONE_LOCATION")
    return Path(prefix, below_prefix) if prefix else Path(system)


def etc() -> Path:
    """Configuration files: oned.conf, sched.conf, cli/."""
    return _place("etc", "/etc/one")


def var() -> Path:
    """State: credentials, datastores, remotes, the SQLite database."""
    return _place("var", "/var/lib/one")


def upgrade_note() -> Path:
    """There while the database is upgraded: who waits for the front-end waits longer then."""
    return run() / "upgrading"


def log() -> Path:
    """Log files; with a prefix OpenNebula keeps them in var."""
    return _place("var", "/var/log/one")


def lib() -> Path:
    """Programs and the Python tree."""
    return _place("lib", "/usr/lib/one")


def share() -> Path:
    """Stock configuration and examples."""
    return _place("share", "/usr/share/one")


def run() -> Path:
    """Sockets and pid files; may be emptied at every start."""
    return _place("var/run", "/run/one")


def remotes() -> Path:
    """Driver actions (vmm, tm, datastore, im, vnm, market)."""
    return var() / "remotes"


def ssh_programs() -> Path:
    """ssh, scp and sftp of a front-end under a prefix, which has its own key and settings; else not there."""
    return var() / ".ssh" / "bin"


def auth_dir() -> Path:
    """Credential files of oneadmin and serveradmin; directory mode 0700."""
    return var() / ".one"
