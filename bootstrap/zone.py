"""What is set in the front-end itself, over its API, as oneadmin.

``python -m bootstrap.zone``: the endpoint of zone 0, then the batch file; the program opennebula-configure.
``python -m bootstrap.zone showback``: the costs up to now; called daily by the program opennebula-showback.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bootstrap import places, scripts
from services.common import paths
from services.common.oca import Client, EndpointError, OneError

_ALL_MONTHS = (-1, -1, -1, -1)


def set_endpoint(client: Client, endpoint: str) -> bool:
    """Have zone 0 advertise this endpoint; whether it advertised another one. Raises OneError."""
    document = ElementTree.fromstring(client.call("zone.info", 0, False))
    if document.findtext("TEMPLATE/ENDPOINT") == endpoint:
        return False
    client.call("zone.update", 0, f'ENDPOINT = "{endpoint}"', 1)
    return True


def run_batch(file: Path) -> None:
    """Run the operator's batch file with the environment of this program. Raises ScriptFailed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SUPERVISOR_")}
    own = {"ONE_XMLRPC": _endpoint(), "ONE_AUTH": str(paths.auth_dir() / "one_auth")}
    scripts.run(file, kept | own, lambda line: _say(f"{file.name}: {line}"))


def _endpoint() -> str:
    return str(_state()["oned_ready_url"]).removesuffix("/ready") + "/RPC2"


def _is_maintenance() -> bool:
    return bool(_state()["maintenance"])


def _state() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(places.state().read_text(encoding="utf-8"))
    return found


def _client() -> Client:
    return Client(_endpoint(), (paths.auth_dir() / "one_auth").read_text(encoding="utf-8").strip())


def _say(text: str, program: str = "opennebula-configure") -> None:
    print(f"{program}: {text}", flush=True)


def _configure() -> int:
    if places.given_up().exists() and not _is_maintenance():
        # Supervisor started this again before the listener has ended the container.
        return 1
    places.given_up().unlink(missing_ok=True)
    endpoint, batch = os.environ.get("ONEBOX_ENDPOINT", ""), os.environ.get("OPENNEBULA_BATCH_FILE", "")
    with _client() as client:
        if endpoint:
            said = "set to" if set_endpoint(client, endpoint) else "is"
            _say(f"endpoint of zone 0 {said} {endpoint}")
    if batch:
        _say(f"running {batch}")
        try:
            run_batch(Path(batch))
        except scripts.ScriptFailed as error:
            # For the listener, which may end the container.
            places.given_up().write_text(f"OPENNEBULA_BATCH_FILE: {error}\n", encoding="utf-8")
            _say(f"failed: {error}")
            return 1
        _say(f"{batch} is done")
    return 0


def _showback() -> int:
    with _client() as client:
        client.call("vmpool.calculateshowback", *_ALL_MONTHS)
    _say("calculated", "opennebula-showback")
    return 0


def main(arguments: list[str]) -> int:
    """Do one of the two; the exit code."""
    is_showback = arguments == ["showback"]
    try:
        return _showback() if is_showback else _configure()
    except (OneError, EndpointError, OSError) as error:
        _say(f"failed: {error}", "opennebula-showback" if is_showback else "opennebula-configure")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
