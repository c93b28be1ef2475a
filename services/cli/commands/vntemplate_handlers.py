"""What onevntemplate does beyond a single call."""

from __future__ import annotations

from typing import Any

from services.cli import template_text, vnet_options
from services.cli.errors import CliError


def instantiate(inv: Any) -> int:
    """Create networks from a template; prints an id a line."""
    oid, opts = inv.args["templateid"], inv.opts
    path = inv.args.get("file")
    if path is not None and vnet_options.is_used(opts):
        raise CliError(
            "onevntemplate instantiate: give a file or options of an address range; the file can hold both."
        )
    parts = [template_text.read(path)] if path is not None else []
    parts += [f"{tag}={value}" for tag, value in (("AS_UID", opts.as_uid), ("AS_GID", opts.as_gid)) if value]
    if vnet_options.is_used(opts):
        parts.append(vnet_options.address_range(opts))
    for index in range(opts.multiple or 1):
        name = (opts.name or "").replace("%i", str(index))
        inv.out(f"VN ID: {inv.call('vntemplate.instantiate', oid, name, chr(10).join(parts))}")
    return 0
