"""Subcommands of onevm on parts of a machine: disks, interfaces, snapshots, capacity, configuration."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import documents, template_text
from services.cli.errors import CliError, hint

_CONFIGURATION = ("OS", "FEATURES", "INPUT", "GRAPHICS", "RAW", "CPU_MODEL", "CONTEXT")
_NO_SNAPSHOT = -1


def perform(inv: Any) -> int:
    """Run the declared call; snapshots may be given by name."""
    resolve(inv)
    return int(inv.perform())


def resolve(inv: Any) -> None:
    """Put the ids of snapshots that are given by name in place of the names. Raises CliError."""
    for argument, find in (("snapshot_id", _snapshots), ("disk_snapshot_id", _disk_snapshots)):
        text = inv.args.get(argument)
        if isinstance(text, str):
            inv.args[argument] = int(text) if text.isdigit() else _named(inv, text, find)


def _named(inv: Any, name: str, find: Any) -> int:
    oid = inv.args["vmid"]
    known = find(documents.parse(inv.call("vm.info", oid, False)), inv.args.get("diskid"))
    ids = [number for number, candidate in known if candidate == name]
    if len(ids) == 1:
        return int(ids[0])
    if ids:
        raise CliError(f"VM {oid} has several snapshots named {name} (ids {', '.join(ids)}); give the id.")
    guess = hint(name, (candidate for _, candidate in known))
    raise CliError(f"VM {oid} has no snapshot named {name}.{guess}")


def _snapshots(vm: Element, _disk: Any) -> list[tuple[str, str]]:
    found = vm.findall("TEMPLATE/SNAPSHOT")
    return [(documents.text_of(one, "SNAPSHOT_ID"), documents.text_of(one, "NAME")) for one in found]


def _disk_snapshots(vm: Element, disk: Any) -> list[tuple[str, str]]:
    return [
        (documents.text_of(one, "ID"), documents.text_of(one, "NAME"))
        for section in vm.findall("SNAPSHOTS")
        if documents.text_of(section, "DISK_ID") == str(disk)
        for one in section.findall("SNAPSHOT")
    ]


# -- disks and interfaces ----------------------------------------------------------------------------------
def disk_attach(inv: Any) -> int:
    """Attach a disk."""
    opts = inv.opts
    if opts.file:
        text = template_text.read(opts.file)
    elif opts.image is None:
        raise CliError("onevm disk-attach: expected --image (the image) or --file (a template).")
    else:
        prefix = None if opts.target else opts.prefix  # the target says what kind of device it is
        named = (("TARGET", opts.target), ("DEV_PREFIX", prefix), ("CACHE", opts.cache))
        parts = [("IMAGE_ID", str(opts.image)), *named, ("DISCARD", opts.discard)]
        text = template_text.vector("DISK", [(name, value) for name, value in parts if value])
    return _do(inv, "vm.attach", text)


def nic_attach(inv: Any) -> int:
    """Attach an interface, or an alias of one."""
    opts = inv.opts
    if opts.file:
        text = template_text.read(opts.file)
    elif opts.network is None:
        raise CliError("onevm nic-attach: expected --network (the network) or --file (a template).")
    else:
        parts = [("NETWORK_ID", str(opts.network)), ("IP", opts.ip), ("NAME", opts.nic_name)]
        parts.append(("PARENT", opts.alias))
        section = "NIC_ALIAS" if opts.alias else "NIC"
        text = template_text.vector(section, [(name, value) for name, value in parts if value])
    return _do(inv, "vm.attachnic", text)


def disk_saveas(inv: Any) -> int:
    """Save a disk, or a snapshot of it, as an image; prints the image's id."""
    oid, snapshot = inv.args["vmid"], _NO_SNAPSHOT
    if inv.opts.snapshot:
        given = inv.opts.snapshot
        snapshot = int(given) if given.isdigit() else _named(inv, given, _disk_snapshots)
    kind = inv.opts.type or ""
    image = inv.call("vm.disksaveas", oid, inv.args["diskid"], inv.args["img_name"], kind, snapshot)
    inv.out(f"Image ID: {image}")
    inv.tell(oid)
    return 0


# -- capacity and configuration ----------------------------------------------------------------------------
def resize(inv: Any) -> int:
    """Change CPU, VCPU or MEMORY."""
    opts = inv.opts
    if opts.file:
        text = template_text.read(opts.file)
    else:
        values = (("CPU", opts.cpu), ("VCPU", opts.vcpu), ("MEMORY", opts.memory))
        text = "\n".join(
            f"{name}={template_text.quote(str(value))}" for name, value in values if value is not None
        )
        if not text:
            raise CliError("onevm resize: expected --cpu, --vcpu, --memory or --file.")
    return _do(inv, "vm.resize", text, bool(opts.enforce))


def updateconf(inv: Any) -> int:
    """Replace the configuration that may be changed."""
    oid = inv.args["vmid"]

    def present() -> str:
        found = documents.parse(inv.call("vm.info", oid, False)).find("TEMPLATE")
        kept = Element("TEMPLATE")
        kept.extend(part for part in found if part.tag in _CONFIGURATION) if found is not None else None
        return template_text.from_element(kept)

    text = template_text.obtain(inv, present, inv.args.get("file"), is_addition=False)
    if text is None:
        inv.warn("Nothing was changed.")
        return 0
    return _do(inv, "vm.updateconf", text)


def _do(inv: Any, method: str, *arguments: Any) -> int:
    inv.call(method, inv.args["vmid"], *arguments)
    inv.tell(inv.args["vmid"])
    return 0
