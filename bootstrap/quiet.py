"""``python -m bootstrap.quiet COMMAND …`` runs a command while the front-end is stopped, its database is not.

The programs that ran before run again afterwards, whatever became of the command; its exit code is passed on.
In a container the command runs as oneadmin.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from bootstrap import places
from bootstrap.supervisor import Supervisor, SupervisorError

# All that use the database carry this name; agents for ssh and the like may go on.
_PREFIX, _EXCEPT = "opennebula", "opennebula-ssh"
_STOP_TIMEOUT_S = 120.0
_RUNNING = ("STARTING", "RUNNING", "BACKOFF")
_USER = "oneadmin"


def run(command: Sequence[str]) -> int:
    """Run the command; its exit code. Raises SupervisorError when Supervisor does not answer."""
    supervisor = Supervisor(timeout_s=_STOP_TIMEOUT_S)
    stopped = []
    try:
        # The last to start is the first to stop.
        for process in reversed(supervisor.processes()):
            if _concerns(process) and process["statename"] in _RUNNING:
                stopped.append(process["name"])
                supervisor.call("stopProcess", process["name"])
        return subprocess.run(command, check=False, **_as_oneadmin()).returncode
    finally:
        for name in reversed(stopped):
            supervisor.call("startProcess", name, False)


def _concerns(process: dict[str, Any]) -> bool:
    name: str = process["name"]
    return name.startswith(_PREFIX) and not name.startswith(_EXCEPT)


def _as_oneadmin() -> dict[str, Any]:
    if places.is_native():
        return {}
    environment = os.environ | {"HOME": "/var/lib/one", "USER": _USER, "LOGNAME": _USER}
    return {"user": _USER, "group": _USER, "extra_groups": [], "cwd": "/var/lib/one", "env": environment}


def main(words: Sequence[str]) -> int:
    """The command line."""
    if not words:
        print("usage: python -m bootstrap.quiet COMMAND [ARGUMENT …]", file=sys.stderr)
        return 2
    try:
        return run(words)
    except (SupervisorError, OSError) as error:
        print(f"quiet: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
