"""What onevm does beyond a single call: creating, placing and recovering machines."""

from __future__ import annotations

from typing import Any

from services.cli import template_text, vm_describe
from services.cli.commands.template_handlers import described_by
from services.cli.errors import CliError

_RECOVERIES = ("success", "failure", "retry", "delete", "recreate", "delete-db")


def create(inv: Any) -> int:
    """Create one machine, or --multiple; prints an id a line."""
    described = described_by(inv.opts, with_name=False)
    text = template_text.read(inv.args.get("file")) if inv.args.get("file") or not described else ""
    for index in range(inv.opts.multiple or 1):
        name = vm_describe.numbered(inv.opts.name, index)
        head = "\n".join(filter(None, (f"NAME={template_text.quote(name)}" if name else "", described)))
        template = vm_describe.merge(head, text)
        if inv.opts.dry:
            inv.out(template)
            return 0
        inv.out(f"ID: {inv.call('vm.allocate', template, bool(inv.opts.hold))}")
    return 0


def deploy(inv: Any) -> int:
    """Place machines on a host."""
    extra = template_text.read(inv.opts.file) if inv.opts.file else ""
    datastore = inv.args.get("datastoreid", -1)

    def place(oid: int) -> None:
        inv.call("vm.deploy", oid, inv.args["hostid"], bool(inv.opts.enforce), datastore, extra)

    return int(inv.each(inv.args["vmid_list"], place))


def recover(inv: Any) -> int:
    """Check that one operation is asked for, then do it."""
    given = [name for name in _RECOVERIES if getattr(inv.opts, name.replace("-", "_"))]
    if len(given) != 1:
        found = " and ".join(f"--{name}" for name in given) or "none"
        raise CliError(
            f"onevm recover: expected one of {', '.join('--' + name for name in _RECOVERIES)}, found {found}."
        )
    if not inv.opts.interactive:
        return int(inv.perform())
    if given != ["retry"]:
        raise CliError("onevm recover: --interactive goes with --retry only.")
    if len(inv.args["vmid_list"]) != 1:
        raise CliError("onevm recover: --interactive takes one machine at a time.")
    from services.cli import frontend_program

    return frontend_program.run("services.oned.tm_debug", str(inv.args["vmid_list"][0]))
