"""What onevrouter does beyond a single call."""

from __future__ import annotations

from typing import Any

from services.cli import documents, template_text, user_inputs, vm_describe
from services.cli.errors import CliError
from services.cli.template_text import vector


def instantiate(inv: Any) -> int:
    """Create the machines of a virtual router; what the VM template asks for is asked once."""
    oid, opts, path = inv.args["vrouterid"], inv.opts, inv.args.get("file")
    described = vm_describe.template(opts, with_name=False)
    if path is not None and described:
        raise CliError("onevrouter instantiate: give a file or options of the template, not both.")
    extra = template_text.read(path) if path is not None else described
    template = documents.parse(inv.call("template.info", inv.args["templateid"], False, False))
    asked, order = user_inputs.of_template(template)
    answers = user_inputs.obtain(asked, vm_describe.inputs(opts), order)
    inv.call(
        "vrouter.instantiate",
        oid,
        opts.multiple or 1,
        inv.args["templateid"],
        opts.name or "",
        bool(opts.hold),
        vm_describe.merge(answers, extra),
    )
    inv.tell(oid)
    return 0


def nic_attach(inv: Any) -> int:
    """Add a network card."""
    oid, opts = inv.args["vrouterid"], inv.opts
    if (opts.file is None) == (opts.network is None):
        raise CliError("onevrouter nic-attach: give --network or --file, one of them.")
    if opts.file is not None:
        text = template_text.read(opts.file)
    else:
        parts = [("NETWORK_ID", str(opts.network))]
        if opts.ip:
            parts.append(("IP", opts.ip))
        if opts.float:
            parts.append(("FLOATING_IP", "YES"))
        text = vector("NIC", parts)
    inv.call("vrouter.attachnic", oid, text)
    inv.tell(oid)
    return 0
