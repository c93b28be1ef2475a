"""onemarketapp export: images and templates made of an appliance.

Source: marketplace pages of OpenNebula's manual.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import documents, kinds, template_text
from services.cli.documents import text_of
from services.cli.errors import CliError
from services.cli.template_text import quote, vector
from services.cli.views.marketapp import STATES, TYPES, decoded, named
from services.common.oca import EndpointError, OneError

_FILE_DS = "2"  # TYPE of datastores for kernels and context files
_IMAGE_TYPES = ("OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT")
_FILES = ("KERNEL", "RAMDISK", "CONTEXT")


class Exported:
    """The ids of what an export created."""

    def __init__(self) -> None:
        self.images: list[int] = []
        self.templates: list[int] = []


def export(inv: Any) -> int:
    """Export an appliance; prints the ids of what was created."""
    app = documents.parse(inv.info(inv.args["appid"]))
    done = Exported()
    try:
        export_app(inv, app, inv.args["name"], done, with_template=not inv.opts.no)
    except (CliError, OneError, EndpointError):
        for what, ids in (("image", done.images), ("template", done.templates)):
            if ids:
                inv.warn(f"Left over: {what} {', '.join(map(str, ids))}.")
        raise
    for head, ids in (("IMAGE", done.images), ("VMTEMPLATE", done.templates)):
        if ids:
            inv.out(head)
        for oid in ids:
            inv.out(f"    ID: {oid}")
    inv.tell(inv.args["appid"])
    return 0


def export_app(inv: Any, app: Element, name: str, done: Exported, with_template: bool) -> None:
    """Make images and templates of an appliance, into --datastore; their ids are added to ``done``."""
    label = f"MARKETPLACEAPP {text_of(app, 'ID')}"
    state, sort = named(app, "STATE", STATES), named(app, "TYPE", TYPES)
    if state != "READY":
        raise CliError(f"{label}: only an appliance that is READY can be exported, it is {state}.")
    if inv.opts.datastore is None:
        raise CliError("onemarketapp export: --datastore is missing.")
    if sort == "IMAGE":
        image = _image(inv, app, name, done)
        if with_template:
            _template_of_image(inv, app, inv.opts.vmname or name, image, done)
    elif sort == "VMTEMPLATE":
        _vm_template(inv, app, name, done)
    else:
        raise CliError(
            f"{label}: appliances of type {sort} belong to OneFlow, which this front-end does not have."
        )


def _image(inv: Any, app: Element, name: str, done: Exported) -> int:
    text = decoded(text_of(app, "APPTEMPLATE64"))
    lines = [text.rstrip("\n"), f"NAME={quote(name)}", f"FROM_APP={quote(text_of(app, 'ID'))}"]
    if inv.opts.tag:
        lines.append(f"URL_ARGS={quote('tag=' + inv.opts.tag)}")
    sort = next((word for word in _FILES if _is_type(text, word)), "")
    datastore = _file_datastore(inv) if sort else inv.opts.datastore
    oid = int(inv.call("image.allocate", "\n".join(lines), datastore, True))
    done.images.append(oid)
    # FORMAT and DRIVER describe the appliance's file; the datastore's own count for the image.
    found = documents.parse(inv.call("image.info", oid, False)).find("TEMPLATE")
    if found is not None:
        inv.call("image.update", oid, template_text.from_element(found, ("FORMAT", "DRIVER")), 0)
    return oid


def _is_type(text: str, sort: str) -> bool:
    import re

    return re.search(rf'^\s*TYPE\s*=\s*"?{sort}\b', text, re.I | re.M) is not None


def _file_datastore(inv: Any) -> int:
    if inv.opts.file_datastore is not None:
        return int(inv.opts.file_datastore)
    found: list[int] = []

    def use(datastore: Element) -> None:
        if datastore.findtext("TYPE") == _FILE_DS:
            found.append(int(datastore.findtext("ID", "-1")))

    inv.visit(kinds.DATASTORE, use)
    if not found:
        raise CliError("onemarketapp export: there is no file datastore; name one with --file-datastore.")
    return min(found)


def _template_of_image(inv: Any, app: Element, name: str, image: int, done: Exported) -> None:
    """The VM template that comes with an image, or a copy of --template, with the image as disk."""
    disk = vector("DISK", [("IMAGE_ID", str(image))])
    if inv.opts.template is not None:
        oid = int(inv.call("template.clone", inv.opts.template, name, False))
        done.templates.append(oid)
        inv.call("template.update", oid, disk, 1)
        return
    text = text_of(app, "TEMPLATE/VMTEMPLATE64")
    if text:
        template = "\n".join([decoded(text), f"NAME={quote(name)}", disk])
        done.templates.append(int(inv.call("template.allocate", template)))


def _vm_template(inv: Any, app: Element, name: str, done: Exported) -> None:
    """A VM template, and the images that it names as appliances of their own."""
    pool: dict[str, int] = {}
    inv.visit(
        kinds.APP,
        lambda member: pool.setdefault(member.findtext("NAME", ""), int(member.findtext("ID", "-1"))),
    )
    images: dict[str, int] = {}
    lines = [decoded(text_of(app, "APPTEMPLATE64")), f"NAME={quote(inv.opts.vmname or name)}"]
    files: list[str] = []
    for index, disk in enumerate(app.findall("TEMPLATE/DISK")):
        wanted = text_of(disk, "APP")
        if wanted not in images:
            if wanted not in pool:
                raise CliError(
                    f"MARKETPLACEAPP {text_of(app, 'ID')} needs the appliance {wanted}, which is not there."
                )
            part = documents.parse(inv.call("marketapp.info", pool[wanted], False))
            export_app(inv, part, f"{name}-{index}", done, with_template=False)
            images[wanted] = done.images[-1]
        oid = images[wanted]
        sort = _image_type(inv, oid)
        if sort == "CONTEXT":
            files.append(f'$FILE[IMAGE_ID="{oid}"]')
        elif sort == "KERNEL":
            lines.append(vector("OS", [("KERNEL_DS", f"$FILE[IMAGE_ID={oid}]")]))
        else:
            lines.append(vector("DISK", [("IMAGE_ID", str(oid))]))
    if files:
        lines.append(vector("CONTEXT", [("FILES_DS", " ".join(files))]))
    done.templates.append(int(inv.call("template.allocate", "\n".join(lines))))


def _image_type(inv: Any, oid: int) -> str:
    number = documents.number_of(documents.parse(inv.call("image.info", oid, False)), "TYPE")
    return _IMAGE_TYPES[number] if 0 <= number < len(_IMAGE_TYPES) else ""
