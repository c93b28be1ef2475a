"""What onetemplate does beyond a single call."""

from __future__ import annotations

from typing import Any

from services.cli import documents, template_text, user_inputs, vm_describe
from services.cli.errors import CliError


def create(inv: Any) -> int:
    """Create a template; prints its id."""
    described = described_by(inv.opts)
    text = template_text.read(inv.args.get("file")) if inv.args.get("file") or not described else ""
    template = vm_describe.merge(described, text)
    if inv.opts.dry:
        inv.out(template)
        return 0
    inv.out(f"ID: {inv.call('template.allocate', template)}")
    return 0


def described_by(opts: Any, with_name: bool = True) -> str:
    """The template of the options; with nothing to ask for, --user-inputs are attributes like others."""
    inputs = vm_describe.inputs(opts).items()
    lines = [f"{name}={template_text.quote(value)}" for name, value in inputs]
    return "\n".join(filter(None, (vm_describe.template(opts, with_name), *lines)))


def instantiate(inv: Any) -> int:
    """Create machines from a template; prints an id a line. What the template asks for is asked once."""
    oid = inv.args["templateid"]
    more = template_text.read(inv.args["file"]) if inv.args.get("file") else ""
    found = documents.parse(inv.call("template.info", oid, False, False))
    answers = user_inputs.obtain(*_asked(found, inv.opts))
    described = vm_describe.template(inv.opts, with_name=False)
    described = "\n".join(filter(None, (described, _userdata(inv.opts.userdata, found), answers)))
    extra = vm_describe.merge(described, more)
    for index in range(inv.opts.multiple or 1):
        name = vm_describe.numbered(inv.opts.name, index) or ""
        vm_id = inv.call(
            "template.instantiate", oid, name, bool(inv.opts.hold), extra, bool(inv.opts.persistent)
        )
        inv.out(f"VM ID: {vm_id}")
    return 0


def _asked(found: Any, opts: Any) -> tuple[list[tuple[str, str]], dict[str, str], str]:
    asked, order = user_inputs.of_template(found)
    return asked, vm_describe.inputs(opts), order


def _userdata(userdata: str | None, found: Any) -> str:
    """The template's EC2 section with the userdata in it."""
    if userdata is None:
        return ""
    section = found.find("TEMPLATE/EC2")
    if section is None:
        raise CliError("--userdata: the template has no EC2 section to put it into.")
    parts = [(part.tag, part.text or "") for part in section if part.tag != "USERDATA"]
    return template_text.vector("EC2", [*parts, ("USERDATA", userdata)])
