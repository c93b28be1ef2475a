"""What onezone does beyond a single call."""

from __future__ import annotations

import os
from typing import Any

from services.cli import documents
from services.cli.errors import CliError
from services.cli.template_text import vector


def server_add(inv: Any) -> int:
    """Add a server to a zone."""
    oid, name, endpoint = inv.args["zoneid"], inv.opts.name, inv.opts.rpc
    if not name or not endpoint:
        raise CliError("onezone server-add: --name and --rpc are needed.")
    if not endpoint.startswith(("http://", "https://")):
        raise CliError(f"onezone server-add: --rpc: expected http://... or https://..., found {endpoint!r}.")
    inv.call("zone.addserver", oid, vector("SERVER", [("NAME", name), ("ENDPOINT", endpoint)]))
    inv.tell(oid)
    return 0


def use(inv: Any) -> int:
    """Write a zone's endpoint to ~/.one/one_endpoint, or say how to set it for one shell."""
    oid = inv.args["zoneid"]
    endpoint = documents.text_of(documents.parse(inv.info(oid)), "TEMPLATE/ENDPOINT")
    if not endpoint or endpoint == "-":
        raise CliError(f"ZONE {oid} has no ENDPOINT.")
    if inv.opts.keep:
        inv.out(f"Type: export ONE_XMLRPC={endpoint}")
        return 0
    path = os.path.join(os.environ.get("HOME", ""), ".one", "one_endpoint")
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(endpoint + "\n")
    except OSError as error:
        raise CliError(f"File {path} cannot be written: {error.strerror}.") from None
    inv.out(f'Endpoint changed to "{endpoint}" in {path}')
    return 0


def serversync(inv: Any) -> int:
    """Refuse: the servers of a zone share their database, and each is configured by its parameters."""
    raise CliError(
        f"onezone serversync: nothing was taken from {inv.args['server']}. Servers of a zone share one "
        "database here, and take their configuration from the parameters they are started with."
    )
