"""What oneimage does beyond a single call."""

from __future__ import annotations

import os
import re
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, template_text
from services.cli.errors import CliError
from services.cli.vm_describe import merge

_PREFIXES = ("hd", "sd", "xvd", "vd")
_ADDRESS = re.compile(r"(https?|file|ssh|s3|rbd|vcenter|lxd|docker|dockerfile)://|data:")
_ATTRIBUTES = (
    "NAME DESCRIPTION TYPE TARGET PATH FORMAT FS DISK_TYPE VCENTER_DISK_TYPE VCENTER_ADAPTER_TYPE SOURCE SIZE"
)


def create(inv: Any) -> int:
    """Add an image; prints its id."""
    described = _described(inv.opts)
    text = template_text.read(inv.args.get("file")) if inv.args.get("file") or not described else ""
    return _allocate(inv, merge(described, text))


def dockerfile(inv: Any) -> int:
    """Add an image built from a Dockerfile, which goes along in the path; prints its id."""
    opts = inv.opts
    _require_datastore(inv)
    missing = [name for name in ("name", "size") if getattr(opts, name) is None]
    if missing:
        raise CliError(f"oneimage dockerfile: --{missing[0]} is missing.")
    given = opts.path.removeprefix("dockerfile://") if opts.path else None
    text = template_text.read(given) if given else template_text.edit("")
    if not text.strip():
        raise CliError("The Dockerfile is empty; nothing was created.")
    from base64 import b64encode

    encoded = b64encode(text.encode()).decode()
    opts.path = f"dockerfile:///?fileb64={encoded}&size={opts.size}"
    return _allocate(inv, _described(opts))


def _allocate(inv: Any, template: str) -> int:
    if inv.opts.dry:
        inv.out(template)
        return 0
    _require_datastore(inv)
    # The call's last argument says whether an administrator's image is checked. The client of release 6.0
    # gives the option as it is, so that images can be made in datastores that were not monitored yet.
    oid = inv.call("image.allocate", template, inv.opts.datastore, bool(inv.opts.no_check_capacity))
    inv.out(f"ID: {oid}")
    return 0


def _require_datastore(inv: Any) -> None:
    if inv.opts.datastore is None and not inv.opts.dry:
        raise CliError(f"oneimage {inv.sub.name}: --datastore is missing (-d default, for example).")


def _described(opts: Any) -> str:
    """The template that the options describe; empty when none was given. Raises CliError."""
    values = {name: getattr(opts, name.lower()) for name in _ATTRIBUTES.split()}
    if opts.path:
        values["PATH"] = _path(opts.path, bool(opts.no_context))
    lines = [
        f"{name}={template_text.quote(str(value))}" for name, value in values.items() if value is not None
    ]
    if opts.persistent:
        lines.append('PERSISTENT="YES"')
    if opts.prefix:
        prefix = opts.prefix.strip().lower()
        if prefix not in _PREFIXES:
            raise CliError(f"--prefix: expected one of {', '.join(_PREFIXES)}, found {opts.prefix!r}")
        lines.append(f'DEV_PREFIX="{prefix}"')
    return "\n".join(lines)


def _path(path: str, without_context: bool) -> str:
    """An address as it is, a file by its whole path."""
    if not _ADDRESS.match(path):
        return os.path.abspath(path)
    return path + ("&" if "?" in path else "?") + "context=no" if without_context else path


def orphans(inv: Any) -> int:
    """Print the ids of images that are a disk of no template, by id or by name and owner."""
    used: set[str | tuple[str, str]] = set()

    def note(template: Element) -> None:
        for disk in template.findall("TEMPLATE/DISK"):
            used.add(disk.findtext("IMAGE_ID", ""))
            # Without a user the image of that name is the template owner's.
            owner = disk.findtext("IMAGE_UNAME", "") or template.findtext("UNAME", "")
            used.add((disk.findtext("IMAGE", ""), owner))

    inv.visit(kinds.TEMPLATE, note)
    found: list[str] = []

    def check(image: Element) -> None:
        name = (image.findtext("NAME", ""), image.findtext("UNAME", ""))
        if image.findtext("ID", "") not in used and name not in used:
            found.append(image.findtext("ID", ""))

    inv.visit(kinds.IMAGE, check)
    for oid in found:
        inv.out(oid)
    return 0
