"""How full a system datastore is that every machine sees (drivers shared, qcow2), and its VMs' disks.

Datastores of ssh are watched by their nodes, with tm/ssh/monitor_ds.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import sys
from collections.abc import Sequence

import tm_paths
from driver import DriverError, document
from im_send import Sender
from tm_machine import call
from tm_transfer import wanted

_PORT = 4124


def monitor(arguments: Sequence[str]) -> None:
    """monitor DS_DRIVER_ACTION64 DS_ID: prints USED_MB, FREE_MB and TOTAL_MB."""
    data, ds_id = wanted(arguments, "DS_DRIVER_ACTION64 DS_ID")[:2]
    try:
        root = document(base64.b64decode(data, validate=True))
    except binascii.Error:
        raise DriverError("the first argument is no base64") from None
    location = (root.findtext("DATASTORE_LOCATION") or "").strip() or tm_paths.datastores()
    path = tm_paths.spot(f"{location.rstrip('/')}/{tm_paths.number(ds_id, 'the datastore')}").path
    bridges = (root.findtext("DATASTORE/TEMPLATE/BRIDGE_LIST") or "").split()
    # Any of the hosts that see it will do, another one each time.
    host = tm_paths.spot(f"{bridges[os.getpid() % len(bridges)]}:{path}").host if bridges else ""
    is_with_disks = (root.findtext("MONITOR_VM_DISKS") or "").strip() == "1"
    answer = call(host, "tm_node_sizes.datastore", path=path, is_with_disks=is_with_disks)
    print(f"USED_MB={answer['used_mb']} FREE_MB={answer['free_mb']} TOTAL_MB={answer['total_mb']}")
    if is_with_disks and answer["vms"]:
        try:
            tell("MONITOR_VM", True, -1, "\n".join(answer["vms"]) + "\n")
        except DriverError as error:
            # They come again with the next run; the room of the datastore does not depend on them.
            sys.stderr.write(f"{error}\n")


def tell(kind: str, is_ok: bool, host_id: int, text: str) -> None:
    """Send a message to the monitoring daemon of this front-end. Raises DriverError."""
    values = _daemon()
    address, port, key = values.get("MONITOR_ADDRESS", ""), values.get("PORT", ""), values.get("PUBKEY", "")
    host = address if address and address != "auto" else "127.0.0.1"
    try:
        sealed = ""
        if key:
            with open(key, encoding="utf-8") as file:
                sealed = file.read()
        sender = Sender(host, int(port) if port.isdigit() else _PORT, host_id, sealed)
        sender.datagrams(kind, is_ok, text)
    except OSError as error:
        raise DriverError(f"the monitoring daemon cannot be told: {error}") from None


def _daemon() -> dict[str, str]:
    """The section NETWORK of monitord.conf."""
    folder = os.environ.get("ONE_LOCATION")
    path = os.path.join(folder, "etc/monitord.conf") if folder else "/etc/one/monitord.conf"
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = re.sub(r"(?m)^\s*#.*$", "", file.read())
    except OSError:
        return {}
    section = re.search(r"NETWORK\s*=\s*\[([^\]]*)\]", text)
    return dict(re.findall(r'(\w+)\s*=\s*"?([^",\]\s]*)', section.group(1))) if section else {}
