"""What onetemplate does beyond a single call."""

from __future__ import annotations

from typing import Any

from services.cli import template_text, vm_options


def create(inv: Any) -> int:
    """Create a template; prints its id."""
    described = vm_options.template(inv.opts)
    text = template_text.read(inv.args.get("file")) if inv.args.get("file") or not described else ""
    template = vm_options.merge(described, text)
    if inv.opts.dry:
        inv.out(template)
        return 0
    inv.out(f"ID: {inv.call('template.allocate', template)}")
    return 0


def instantiate(inv: Any) -> int:
    """Create machines from a template; prints an id a line."""
    oid = inv.args["templateid"]
    described = vm_options.template(inv.opts, with_name=False)
    more = template_text.read(inv.args["file"]) if inv.args.get("file") else ""
    extra = vm_options.merge(described, more)
    for index in range(inv.opts.multiple or 1):
        name = vm_options.numbered(inv.opts.name, index) or ""
        vm_id = inv.call(
            "template.instantiate", oid, name, bool(inv.opts.hold), extra, bool(inv.opts.persistent)
        )
        inv.out(f"VM ID: {vm_id}")
    return 0
