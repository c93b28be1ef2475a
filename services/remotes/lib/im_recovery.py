"""The probe that has recovery snapshots made: of disks of the ssh driver that have a replica."""

from __future__ import annotations

import base64
import os
import re

from driver import DriverError, document, run
from im_context import Context
from im_datastore import marked
from im_text import vector

_ACTION = ("tm", "ssh", "recovery_snap_create_live")
_NUMBER = re.compile(r"\d{1,9}\Z")
_DISK = re.compile(r"disk\.(\d{1,9})\Z")


def recovery(at: Context) -> str:
    """Run the driver's action for each disk with RECOVERY_SNAPSHOT_FREQ: VM vectors with time or fault."""
    action = at.path(*_ACTION)
    if not os.access(action, os.X_OK):
        return ""
    said = []
    for ds_id, driver in marked(at):
        if driver != "ssh":
            continue
        folder = os.path.join(at.datastores, str(ds_id))
        for vm_id in sorted((name for name in os.listdir(folder) if _NUMBER.match(name)), key=int):
            text = _snapshots(action, os.path.join(folder, vm_id), vm_id)
            if text:
                said.append(vector("VM", {"ID": vm_id, "MONITOR": base64.b64encode(text.encode()).decode()}))
    return "".join(said)


def _snapshots(action: str, folder: str, vm_id: str) -> str:
    said = []
    replica = _value(os.path.join(folder, "ds.xml"), "TEMPLATE/REPLICA_HOST")
    if not replica:
        return ""
    for name in sorted(os.listdir(folder)):
        disk = _DISK.match(name)
        if disk is None or not os.path.isfile(os.path.join(folder, f"{name}.snap", "base.1")):
            continue
        path = f"TEMPLATE/DISK[DISK_ID='{disk[1]}']/RECOVERY_SNAPSHOT_FREQ"
        period = _value(os.path.join(folder, "vm.xml"), path)
        if not period.isdigit():
            continue
        try:
            stamp = run([action, vm_id, os.path.join(folder, name), period, replica]).strip()
            said.append(vector("DISK_RECOVERY_SNAPSHOT", {"ID": disk[1], "TIMESTAMP": stamp}))
        except DriverError as error:
            said.append(vector("DISK_RECOVERY_SNAPSHOT", {"ID": disk[1], "MSG": f"ERROR {error}"}))
    return "".join(said)


def _value(file: str, path: str) -> str:
    try:
        with open(file, "rb") as opened:
            return (document(opened.read()).findtext(path) or "").strip()
    except (OSError, DriverError):
        return ""
