"""SSH of a front-end under a prefix: settings of its own, and programs that use them.

ssh looks for settings in the home folder that the system knows for the user, and never asks the
environment. So that an instance neither uses the user's keys nor changes the user's settings, ``ssh``,
``scp`` and ``sftp`` of its own stand first in the PATH of driver actions; rsync finds them too.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from bootstrap import files, places
from bootstrap.context import Context
from services.common import paths

_PROGRAMS = ("ssh", "scp", "sftp")
_MARK = "# Written by bootstrap at every start, while this line is the first"


def client(context: Context) -> None:
    """Write the settings and the programs; an operator's own settings stay."""
    missing = write(places.ssh(), context.settings["ONEBOX_NODE_SSH_PORT"])
    if missing:
        context.say(
            f"warning: {', '.join(missing)} not found: nodes cannot be reached (Debian: openssh-client)"
        )
    context.say(f"keys and settings in {places.ssh()}")


def write(folder: Path, port: str = "22") -> list[str]:
    """Make the settings and programs for the key in a folder; the programs that this machine lacks."""
    files.folder(folder, 0o700)
    config = folder / "config"
    if not files.exists(config) or files.read(config).startswith(_MARK):
        files.write(config, _config(folder, port), 0o600)
    own = folder / paths.ssh_programs().name
    files.folder(own, 0o700)
    missing = []
    for name in _PROGRAMS:
        search = [part for part in os.environ.get("PATH", os.defpath).split(":") if Path(part) != own]
        found = shutil.which(name, path=":".join(search))
        if found is None:
            missing.append(name)
            continue
        script = f'#!/bin/sh\nexec {shlex.quote(found)} -F {shlex.quote(str(config))} "$@"\n'
        files.write(own / name, script, 0o700)
    return missing


def _config(folder: Path, port: str) -> str:
    return "\n".join([
        f"{_MARK}.",
        "Host *",
        "  User oneadmin",
        f"  Port {port}",
        f'  IdentityFile "{folder}/id_rsa"',
        "  IdentitiesOnly yes",
        f'  UserKnownHostsFile "{folder}/known_hosts"',
        "  StrictHostKeyChecking accept-new",
        "  ServerAliveInterval 10",
        "  ControlMaster no",
    ]) + "\n"  # fmt: skip
