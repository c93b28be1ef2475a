"""onemarketapp vm-template import and vm import: appliances made of VM templates and machines.

Source: marketplace pages of OpenNebula's manual.
"""

from __future__ import annotations

import base64
import secrets
import sys
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import documents, kinds, template_text
from services.cli.documents import text_of
from services.cli.errors import CliError
from services.cli.template_text import quote, vector
from services.common.oca import EndpointError, OneError

_PRIVATE = ("http", "s3")  # drivers of marketplaces that take appliances
_USABLE = {"1": "READY", "2": "USED", "4": "LOCKED"}  # states of images that can be imported
_IMAGE_TYPES = ("OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT")
_OF_A_NETWORK = ("NETWORK", "NETWORK_ID", "NETWORK_UNAME", "SECURITY_GROUPS")


def vm_template(inv: Any) -> int:
    """Put a VM template, and its images unless --no, into a marketplace; prints the ids of the appliances."""
    return _import(inv, inv.args["vm_template_id"])


def vm(inv: Any) -> int:
    """Save a machine as template, then put that into a marketplace."""
    from services.cli.commands.vm_saving import as_template

    oid = inv.args["vm_id"]
    name = text_of(documents.parse(inv.call("vm.info", oid, False)), "NAME")
    saved = as_template(inv, oid, f"{name}-saved")
    code = _import(inv, saved)
    inv.out(f"\nTo delete saved template use: `onetemplate delete {saved} --recursive`")
    return code


def _import(inv: Any, oid: int) -> int:
    with_images = _with_images(inv)
    for app in put(inv, oid, _market(inv), with_images):
        inv.out(f"ID: {app}")
    return 0


def put(inv: Any, oid: int, market: int, with_images: bool) -> list[int]:
    """Put a VM template into a marketplace; the ids of the appliances, its own last. All or none is made."""
    template = documents.parse(inv.call("template.info", oid, False, False))
    created: list[int] = []
    try:
        disks = []
        for index, disk in enumerate(template.findall("TEMPLATE/DISK")):
            image = _image_of(inv, template, disk)
            name, text = _image_app(inv, image)
            disks.append(vector("DISK", [("NAME", f"{_type(image)}_{index}"), ("APP", name)]))
            if with_images:
                created.append(int(inv.call("marketapp.allocate", text, market)))
        text = "\n".join([*disks, *_template_app(inv, template)])
        created.append(int(inv.call("marketapp.allocate", text, market)))
    except (CliError, OneError, EndpointError):
        for app in created:
            inv.call("marketapp.delete", app)
        raise
    return created


def _with_images(inv: Any) -> bool:
    """Whether the images are wanted too: by option, or by answer on standard input."""
    if inv.opts.yes and inv.opts.no:
        raise CliError("onemarketapp: --yes and --no exclude each other.")
    if inv.opts.yes or inv.opts.no:
        return bool(inv.opts.yes)
    answer = _ask(inv, "Do you want to import images too? (yes/no, default=yes): ", "yes")
    if answer.lower() not in ("yes", "no"):
        raise CliError(f"Expected yes or no, found {answer!r}; nothing was imported.")
    return answer.lower() == "yes"


def _market(inv: Any) -> int:
    """The marketplace: by option, or by answer. Only those that take appliances can be chosen."""
    found: dict[int, str] = {}

    def use(market: Element) -> None:
        if market.findtext("MARKET_MAD") in _PRIVATE:
            found[int(market.findtext("ID", "-1"))] = market.findtext("NAME", "")

    inv.visit(kinds.MARKET, use)
    if not found:
        raise CliError(
            f"There is no marketplace with driver {' or '.join(_PRIVATE)}, which could take appliances."
        )
    chosen = inv.opts.market
    if chosen is None:
        inv.out("\nAvailable Marketplaces (please enter ID)")
        for oid in sorted(found):
            inv.out(f"- {oid}: {found[oid]}")
        default = str(min(found))
        answer = _ask(inv, f"\nWhere do you want to import the VM template? (default={default}) ", default)
        chosen = int(answer) if answer.isdigit() else -1
    if chosen not in found:
        listed = ", ".join(map(str, sorted(found)))
        raise CliError(
            f"Marketplace {chosen} cannot take appliances; expected one of {listed}. Nothing was imported."
        )
    return int(chosen)


def _ask(inv: Any, prompt: str, default: str) -> str:
    inv.out(prompt, end="")
    sys.stdout.flush()
    answer = sys.stdin.readline().strip()
    if not answer:
        inv.out(default)
    return answer or default


def _image_of(inv: Any, template: Element, disk: Element) -> Element:
    """The image of a disk, which is named by id, or by name and owner."""
    oid = text_of(disk, "IMAGE_ID")
    if not oid:
        name = text_of(disk, "IMAGE")
        owner = text_of(disk, "IMAGE_UNAME") or text_of(template, "UNAME")
        found: list[str] = []

        def use(image: Element) -> None:
            if (image.findtext("NAME"), image.findtext("UNAME")) == (name, owner):
                found.append(image.findtext("ID", ""))

        inv.visit(kinds.IMAGE, use)
        if not found:
            raise CliError(f"IMAGE {name} of {owner} was not found; nothing was imported.")
        oid = found[0]
    image = documents.parse(inv.call("image.info", int(oid), False))
    if text_of(image, "STATE") not in _USABLE:
        raise CliError(f"IMAGE {oid} must be {', '.join(_USABLE.values())} to be imported.")
    return image


def _type(image: Element) -> str:
    number = documents.number_of(image, "TYPE")
    return _IMAGE_TYPES[number] if 0 <= number < len(_IMAGE_TYPES) else "OS"


def _unique(name: str) -> str:
    """A name that no other appliance of the marketplace has."""
    return f"{name}-{secrets.token_hex(5)}"


def _image_app(inv: Any, image: Element) -> tuple[str, str]:
    """Name and template of the appliance of an image."""
    name, prefix = _unique(text_of(image, "NAME")), text_of(image, "TEMPLATE/DEV_PREFIX")
    inner = f"TYPE={_type(image)}\n" + (f"DEV_PREFIX={quote(prefix)}\n" if prefix else "")
    return name, "\n".join(_app(inv, name, text_of(image, "ID"), "IMAGE", inner))


def _template_app(inv: Any, template: Element) -> list[str]:
    """The appliance of a VM template: without its disks, and with networks to be chosen where it is used."""
    found = template.find("TEMPLATE")
    parts = list(found) if found is not None else []
    has_aliases = any(part.tag == "NIC_ALIAS" for part in parts)
    lines = []
    for part in parts:
        if part.tag in ("NIC", "NIC_ALIAS"):
            pairs = [(item.tag, item.text or "") for item in part if item.tag not in _OF_A_NETWORK]
            if part.tag == "NIC" and len(pairs) < len(part):
                pairs.append(("MARKET", "YES") if has_aliases else ("NETWORK_MODE", "auto"))
            lines.append(vector(part.tag, pairs))
        elif part.tag != "DISK":
            holder = Element("TEMPLATE")
            holder.append(part)
            lines.append(template_text.from_element(holder))
    name = inv.opts.vmname or _unique(text_of(template, "NAME"))
    return _app(inv, name, "-1", "VMTEMPLATE", "\n".join(lines) + "\n")


def _app(inv: Any, name: str, origin: str, sort: str, inner: str) -> list[str]:
    return [
        f"NAME={quote(name)}",
        f"ORIGIN_ID={quote(origin)}",
        f"TYPE={quote(sort)}",
        f"VERSION={quote(inv.call('system.version'))}",
        f"APPTEMPLATE64={quote(base64.b64encode(inner.encode()).decode())}",
    ]
