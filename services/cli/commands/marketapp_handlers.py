"""What onemarketapp does beyond a single call, but for exports and imports."""

from __future__ import annotations

from typing import Any

from services.cli import template_text
from services.cli.errors import CliError
from services.cli.template_text import quote


def create(inv: Any) -> int:
    """Create an appliance; prints its id."""
    opts, path = inv.opts, inv.args.get("file")
    if opts.marketplace is None:
        raise CliError("onemarketapp create: --marketplace is missing.")
    described = [
        f"{tag}={quote(str(value))}"
        for tag, value in (("NAME", opts.name), ("DESCRIPTION", opts.description), ("ORIGIN_ID", opts.image))
        if value is not None
    ]
    if path is not None and described:
        raise CliError("onemarketapp create: give a file or options, not both.")
    text = "\n".join([*described, 'TYPE="image"']) if described else template_text.read(path)
    if opts.dry:
        inv.out(text.rstrip("\n"))
        return 0
    inv.out(f"ID: {inv.call('marketapp.allocate', text, opts.marketplace)}")
    return 0


def download(inv: Any) -> int:
    """Refuse: the file would come from Sunstone."""
    raise CliError(
        f"onemarketapp download: MARKETPLACEAPP {inv.args['appid']} was not saved. Appliances are downloaded "
        "through Sunstone, which this front-end does not have; export the appliance into a datastore instead."
    )


def service_template(inv: Any) -> int:
    """Refuse: service templates belong to OneFlow."""
    raise CliError(
        f"onemarketapp service-template import: {inv.args['service_template_id']} was not imported. "
        "Service templates belong to OneFlow, which this front-end does not have."
    )
