"""``python -m bootstrap.health``: whether the front-end is ready. Exit code 0, or 1 and one line per problem.

Supervisor says which programs run; the core says whether it can answer, its database included.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from bootstrap import places
from bootstrap.supervisor import Supervisor, SupervisorError

_READY_TIMEOUT_S = 3.0
_MAINTENANCE = "maintenance mode"


def problems() -> list[str]:
    """What keeps the front-end from being ready; empty when it is."""
    failed = places.bootstrap_failed()
    if not places.is_native() and failed.exists():
        return [f"bootstrap failed: {failed.read_text(encoding='utf-8').strip()}"]
    try:
        state: dict[str, Any] = json.loads(places.state().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ["bootstrap has not finished"]
    except (OSError, ValueError) as error:
        return [f"{places.state()}: cannot be read: {error}"]
    if state["maintenance"]:
        return [_MAINTENANCE]
    try:
        processes = {
            process["name"]: process for process in Supervisor(timeout_s=_READY_TIMEOUT_S).processes()
        }
    except SupervisorError as error:
        return [str(error)]
    found = [
        text
        for name, kind in state["programs"].items()
        if (text := _problem(name, kind, processes.get(name)))
    ]
    url = state["ready_url"]
    if url and not found and (text := _not_ready(url)):
        found.append(f"opennebula: {text}")
    return found


def _problem(name: str, kind: str, process: dict[str, Any] | None) -> str:
    if process is None:
        return f"{name}: not known to Supervisor"
    shown: str = process["statename"]
    if kind == "oneshot":
        if shown == "EXITED" and process["exitstatus"] == 0:
            return ""
        return f"{name}: has not succeeded yet ({shown}, last exit code {process['exitstatus']})"
    if shown == "RUNNING":
        return ""
    reason = f": {process['spawnerr']}" if process.get("spawnerr") else ""
    marker = places.failed() / name
    since = f", {_read(marker)}" if marker.exists() else ""
    return f"{name}: is {shown}{since}{reason}, expected RUNNING"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _not_ready(url: str) -> str:
    # The front-end is on this machine: a proxy of the environment has no business here.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_READY_TIMEOUT_S) as reply:
            return "" if reply.status == 200 else f"{url} answered {reply.status}"
    except urllib.error.HTTPError as error:
        return f"not ready: {error.read(300).decode(errors='replace').strip()}"
    except (urllib.error.URLError, OSError) as error:
        return f"{url} does not answer: {getattr(error, 'reason', error)}"


def _is_just_configured(grace_s: float) -> bool:
    try:
        return time.time() - places.state().stat().st_mtime < grace_s
    except OSError:
        return False


def main() -> int:
    """Print the problems; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bootstrap.health", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the problems as a JSON list")
    parser.add_argument(
        "--maintenance-grace-s", type=float, default=0.0, metavar="N",
        help="in maintenance mode, succeed for N seconds after bootstrap: others may wait for this container",
    )  # fmt: skip
    options = parser.parse_args()
    found = problems()
    if options.json:
        print(json.dumps(found))
    else:
        print("\n".join(found) if found else "ready")
    if found == [_MAINTENANCE] and _is_just_configured(options.maintenance_grace_s):
        return 0
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
