"""Shortcut options that describe a VM (onevm create, onetemplate create, instantiate), and their template."""

from __future__ import annotations

from typing import Any

from services.cli.decl import Opt
from services.cli.errors import CliError
from services.cli.template_text import quote, vector

CAPACITY = (
    Opt("cpu", "share of physical CPUs, such as 0.5", "cpu", type="decimal"),
    Opt("vcpu", "number of virtual CPUs", "vcpu", type="count"),
    Opt("memory", "memory in MB; 2g means 2048", "memory", type="memory"),
)
OPTIONS = (
    Opt("name", "name of the new object", "name"),
    *CAPACITY,
    Opt(
        "disk",
        "images to attach: name, id or user[name], with :attribute=value behind",
        "image0,image1",
        type="words",
    ),
    Opt("nic", "networks to attach: name, id, user[name] or auto", "network0,network1", type="words"),
    Opt("arch", "architecture, such as x86_64", "arch"),
    Opt("boot", "boot devices in order, such as disk0,nic0", "device_list"),
    Opt("raw", "text added to the template as it is", "string"),
)
HOLD = Opt("hold", "create on hold, so that the scheduler leaves it alone")
MULTIPLE = Opt("multiple", "create that many; %i in the name becomes the number", "x", "m", "count")
DRY = Opt("dry", "print the template and do nothing")


def template(opts: Any, with_name: bool = True) -> str:
    """The template that the options describe; empty when none was given."""
    lines = []
    if with_name and opts.name:
        lines.append(f"NAME={quote(opts.name)}")
    for name, value in (("CPU", opts.cpu), ("VCPU", opts.vcpu), ("MEMORY", opts.memory)):
        if value is not None:
            lines.append(f"{name}={quote(str(value))}")
    lines += [_device("DISK", "IMAGE", word) for word in opts.disk or ()]
    lines += [_device("NIC", "NETWORK", word) for word in opts.nic or ()]
    system = [(key, value) for key, value in (("ARCH", opts.arch), ("BOOT", opts.boot)) if value]
    if system:
        lines.append(vector("OS", system))
    if opts.raw:
        lines.append(opts.raw)
    return "\n".join(lines)


def _device(name: str, kind: str, word: str) -> str:
    """``user[web]:size=100`` as a DISK or NIC vector."""
    source, *more = word.split(":")
    if name == "NIC" and source == "auto":
        parts = [("NETWORK_MODE", "auto")]
    elif source.isdigit():
        parts = [(f"{kind}_ID", source)]
    elif source.endswith("]") and "[" in source:
        owner, _, inner = source[:-1].partition("[")
        parts = [(kind, inner), (f"{kind}_UNAME", owner)]
    else:
        parts = [(kind, source)]
    for extra in more:
        key, equals, value = extra.partition("=")
        if not equals or not key:
            raise CliError(f"--{name.lower()}: expected attribute=value behind {source}, found {extra!r}")
        parts.append((key.upper(), value))
    return vector(name, parts)


def merge(options_text: str, file_text: str) -> str:
    """Options before the file's text: the first value of an attribute counts.

    Raises CliError when options cannot be added since the file is XML.
    """
    if options_text and file_text.lstrip().startswith("<"):
        raise CliError("Options cannot be combined with a template in XML; write them into the file.")
    return "\n".join(part for part in (options_text, file_text) if part)


def numbered(name: str | None, index: int) -> str | None:
    """The name with %i replaced."""
    return name.replace("%i", str(index)) if name else name
