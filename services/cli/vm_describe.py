"""The template that shortcut options describe (vm_options.py).

Source: vm template reference of release 6.0; options of onevm create.
"""

from __future__ import annotations

from typing import Any

from services.cli.errors import CliError
from services.cli.template_text import quote, vector

_DISPLAYS = ("vnc", "spice")
_EVERYWHERE = "0.0.0.0"  # where displays listen unless told otherwise, as OpenNebula's commands have it


def template(opts: Any, with_name: bool = True) -> str:
    """The template that the options describe; empty when none was given. Raises CliError."""
    lines = []
    if with_name and opts.name:
        lines.append(f"NAME={quote(opts.name)}")
    for name in ("CPU", "VCPU", "MEMORY", "AS_UID", "AS_GID", "VCENTER_VM_FOLDER"):
        value = getattr(opts, name.lower())
        if value is not None:
            lines.append(f"{name}={quote(str(value))}")
    lines += [_device("DISK", "IMAGE", word) for word in opts.disk or ()]
    lines += [_device("NIC", "NETWORK", word) for word in opts.nic or ()]
    system = [(key, value) for key, value in (("ARCH", opts.arch), ("BOOT", opts.boot)) if value]
    if system:
        lines.append(vector("OS", system))
    lines += filter(None, (_display(opts, kind) for kind in _DISPLAYS))
    context = _context(opts)
    if context:
        lines.append(vector("CONTEXT", context))
    if opts.raw:
        lines.append(opts.raw)
    return "\n".join(lines)


def inputs(opts: Any) -> dict[str, str]:
    """The values that --user-inputs gives. Raises CliError."""
    return dict(_pair(word, "--user-inputs") for word in opts.user_inputs or ())


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


def _device(name: str, kind: str, word: str) -> str:
    """``user[web]:size=100`` as a DISK or NIC vector. A value may hold colons, as MAC addresses do."""
    source, *more = word.split(":")
    if name == "NIC" and source.lower() == "auto":
        parts = [("NETWORK_MODE", "auto")]
    elif source.isdigit():
        parts = [(f"{kind}_ID", source)]
    elif source.endswith("]") and "[" in source:
        owner, _, inner = source[:-1].partition("[")
        parts = [(kind, inner), (f"{kind}_UNAME", owner)]
    else:
        parts = [(kind, source)]
    extras: list[tuple[str, str]] = []
    for extra in more:
        key, equals, value = extra.partition("=")
        if equals and key:
            extras.append((key.upper(), value))
        elif extras:
            extras[-1] = (extras[-1][0], f"{extras[-1][1]}:{extra}")
        else:
            raise CliError(f"--{name.lower()}: expected attribute=value behind {source}, found {extra!r}")
    return vector(name, parts + extras)


def _display(opts: Any, kind: str) -> str:
    password, keymap = getattr(opts, f"{kind}_password"), getattr(opts, f"{kind}_keymap")
    listen = getattr(opts, f"{kind}_listen")
    if not getattr(opts, kind):
        for name, value in (("password", password), ("keymap", keymap), ("listen", listen)):
            if value:
                raise CliError(f"--{kind}-{name} needs --{kind}.")
        return ""
    parts = [("TYPE", kind), ("LISTEN", listen or _EVERYWHERE)]
    parts += [(key, value) for key, value in (("PASSWD", password), ("KEYMAP", keymap)) if value]
    return vector("GRAPHICS", parts)


def _context(opts: Any) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    if opts.ssh is not None:
        key = _file(opts.ssh, "--ssh").strip() if opts.ssh else "$USER[SSH_PUBLIC_KEY]"
        parts.append(("SSH_PUBLIC_KEY", key))
    if opts.net_context:
        parts.append(("NETWORK", "YES"))
    parts += [_pair(word, "--context") for word in opts.context or ()]
    if opts.files_ds:
        parts.append(("FILES_DS", " ".join(f'$FILE[IMAGE="{name}"]' for name in opts.files_ds)))
    if opts.init:
        parts.append(("INIT_SCRIPTS", " ".join(opts.init)))
    if opts.startscript is not None:
        from base64 import b64encode

        if not opts.startscript:
            raise CliError("--startscript needs the name of a file.")
        script = _file(opts.startscript, "--startscript").strip()
        parts.append(("START_SCRIPT_BASE64", b64encode(script.encode()).decode()))
    if opts.report_ready:
        parts.append(("REPORT_READY", "YES"))
    return parts


def _pair(word: str, option: str) -> tuple[str, str]:
    """``NAME=value`` or ``NAME="value"``."""
    name, equals, value = word.partition("=")
    if not equals or not name.strip():
        raise CliError(f"{option}: expected NAME=VALUE, found {word!r}")
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return name.strip(), value


def _file(path: str, option: str) -> str:
    from services.cli.template_text import read

    try:
        return read(path)
    except CliError as error:
        raise CliError(f"{option}: {error}") from None
