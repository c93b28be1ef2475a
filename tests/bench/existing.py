"""A front-end that runs already, as a target of benchmarks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from services.common.oca import Client


class Existing:
    """What benchmarks need: ``port``, ``session`` and ``client()``; found through ONE_XMLRPC and ONE_AUTH."""

    def __init__(self) -> None:
        self.endpoint = os.environ["ONE_XMLRPC"]
        self.port = urlsplit(self.endpoint).port or 2633
        self.session = Path(os.environ["ONE_AUTH"]).read_text(encoding="utf-8").strip()

    def client(self) -> Client:
        """A client as oneadmin."""
        return Client(self.endpoint, self.session)

    def tidy(self) -> None:
        """End and remove what benchmarks made; ended VMs stay in the database, as all do."""
        client = self.client()
        for vm_id in _ours(client.call("vmpool.info", -2, -1, -1, -1)):
            client.call("vm.recover", vm_id, 5)
        for host_id in _ours(client.call("hostpool.info")):
            client.call("host.delete", host_id)
        for kind in ("user", "group"):
            for oid in _ours(client.call(f"{kind}pool.info")):
                client.call(f"{kind}.delete", oid)
        for template_id in _ours(client.call("templatepool.info", -2, -1, -1)):
            client.call("template.delete", template_id, False)


def _ours(pool: str) -> list[int]:
    """The ids of a pool's objects whose names are ours."""
    objects = ElementTree.fromstring(pool)
    return [
        int(found.findtext("ID") or -1)
        for found in objects
        if re.fullmatch(r"bench(-\w+)?", found.findtext("NAME") or "")
    ]
