"""Paths in libvirt's documents, when a VM's folder is in another datastore than before."""

from __future__ import annotations

import os
import re
from xml.sax.saxutils import escape


def moved(text: str, folder: str, vm_id: str) -> str:
    """A domain's document whose paths in a VM's folder are in this one: it may have got another datastore.

    Folders are ``<location>/<datastore id>/<vm id>``; slashes may be doubled.
    """
    location, _ = os.path.split(os.path.dirname(folder.rstrip("/")))
    parts = [re.escape(escape(part)) for part in location.split("/") if part]
    pattern = "".join(f"/+{part}" for part in parts) + f"/+[0-9]+/+{vm_id}(?=[/<'\"])"
    target = escape(folder.rstrip("/"), {"'": "&apos;", '"': "&quot;"})
    return re.sub(rf"(?<=[>'\"]){pattern}", lambda _: target, text)
