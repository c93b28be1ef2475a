"""How a VM starts: kernel and initial RAM disk, boot order, CPU model, raw hypervisor data, graphics.

Source: OS, CPU_MODEL, RAW and GRAPHICS sections of the virtual machine template reference of release 6.0.
"""

from __future__ import annotations

import functools
import re
import secrets
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

from services.common import paths
from services.common.template import Template, Vector
from services.oned.config import OnedConf
from services.oned.errors import RequestError
from services.oned.lifecycle import file_images
from services.oned.lifecycle.numbers import is_yes, joined, whole
from services.oned.model.datastore import Datastore
from services.oned.model.image import ImageType
from services.oned.model.vm import VM
from services.oned.store import pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_DEVICE = re.compile(r"(DISK|NIC)([0-9]+)\Z")
_PORT_LARGEST = 65535
_SPICE_PASSWORD_LENGTH = 59
_DOMAIN_SCHEMAS = ("schemas/libvirt/domain.rng",)
_SYSTEM_SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
_FILES = (("KERNEL", ImageType.KERNEL), ("INITRD", ImageType.RAMDISK))


def move_os(call: Call, vm: VM) -> None:
    """Move OS into the core's part, with the files it names and a UUID. Raises RequestError."""
    given = vm.user_template.get_all("OS")
    if len(given) > 1:
        raise RequestError(f"Only one OS attribute can be defined, found {len(given)}.")
    if given and not isinstance(given[0], dict):
        raise RequestError(f"OS must be a vector (OS = [ … ]), found {str(given[0])[:40]!r}.")
    vm.user_template.remove("OS")
    machine: Vector = dict(given[0]) if given and isinstance(given[0], dict) else {}
    for name, kind in _FILES:
        if machine.get(f"{name}_DS"):
            _write_file(call, vm, machine, name, kind)
    if not machine.get("UUID"):
        machine["UUID"] = str(uuid.uuid4())
    vm.template.add("OS", machine)


def _write_file(call: Call, vm: VM, machine: Vector, name: str, kind: ImageType) -> None:
    text = machine[f"{name}_DS"]
    images = file_images.find(call, vm, text, kind)
    if len(images) != 1:
        raise RequestError(f"Only one FILE variable can be used in: {text[:80]}")
    image = images[0]
    machine.pop(name, None)
    machine[f"{name}_DS_ID"] = str(image.oid)
    machine[f"{name}_DS_SOURCE"] = image.source
    machine[f"{name}_DS_DSID"] = str(image.datastore_id)
    body = pools.body(call.tx, Datastore.TABLE, image.datastore_id)
    if body is None:
        raise RequestError(f"Datastore {image.datastore_id} of image {image.oid} does not exist")
    store = Datastore.from_xml(body)
    machine[f"{name}_DS_TM"] = store.tm_mad
    if store.clusters:
        machine[f"{name}_DS_CLUSTER_ID"] = joined(store.clusters)


def set_boot_order(template: Template) -> None:
    """Number disks and interfaces (ORDER) as BOOT of OS lists them (``disk0,nic0``). Raises RequestError."""
    devices = {"DISK": template.vectors("DISK"), "NIC": template.vectors("NIC")}
    for vector in (*devices["DISK"], *devices["NIC"]):
        vector.pop("ORDER", None)
    order = (template.get_vector("OS") or {}).get("BOOT", "")
    if not order:
        return
    words = [word for word in order.split(",") if word]
    for position, word in enumerate(words, start=1):
        match = _DEVICE.match(word.upper())
        if match is None:
            raise RequestError(
                f'Wrong OS/BOOT value: "{order[:80]}" should be a comma-separated list of disk# or nic#'
            )
        kind, number = match.group(1), int(match.group(2))
        found = [vector for vector in devices[kind] if whole(vector.get(f"{kind}_ID")) == number]
        if not found:
            raise RequestError(f"Wrong OS/BOOT value. Device with {kind}_ID {number} not found")
        for vector in found:
            vector["ORDER"] = str(position)


def move_cpu_model(user: Template, core: Template) -> None:
    """Move the first CPU_MODEL into the core's part; others are dropped."""
    models = user.vectors("CPU_MODEL")
    user.remove("CPU_MODEL")
    if models:
        core.add("CPU_MODEL", models[0])


def check_raw(conf: OnedConf, template: Template) -> None:
    """Raise RequestError for RAW data of an unknown hypervisor driver, or that libvirt's schema refuses.

    Data with VALIDATE = NO pass. Without libvirt's schema they must at least be well-formed elements.
    """
    raw = template.get_vector("RAW")
    if raw is None or (raw.get("VALIDATE") and not is_yes(raw["VALIDATE"])):
        return
    name = raw.get("TYPE", "").lower()
    driver = conf.driver("VM_MAD", name)
    if driver is None:
        raise RequestError(f"Invalid RAW section: unsupported TYPE, found {name[:40]!r}")
    if driver.get("TYPE", "").lower() not in ("kvm", "qemu"):
        return
    text = (
        "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
        f"<name>aux</name>{raw.get('DATA', '')}</domain>"
    )
    try:
        document = etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise RequestError(f"Invalid RAW section: DATA is not well-formed XML: {error.msg}") from None
    loose = next((child.tail for child in document if child.tail and child.tail.strip()), None)
    if loose is not None:
        raise RequestError(f"Invalid RAW section: DATA must be XML elements, found {loose.strip()[:40]!r}")
    schema = _domain_schema()
    if schema is not None and not schema.validate(document):
        raise RequestError("Invalid RAW section: cannot validate DATA with domain.rng schema")


@functools.cache
def _domain_schema() -> etree.RelaxNG | None:
    """libvirt's schema of its machines, the installed one, or None where there is none that can be used."""
    for file in (*(paths.share() / name for name in _DOMAIN_SCHEMAS), _SYSTEM_SCHEMA):
        if file.is_file():
            try:
                return etree.RelaxNG(etree.parse(str(file)))
            except etree.LxmlError:
                continue
    return None


def move_graphics(user: Template, core: Template) -> None:
    """Move GRAPHICS into the core's part, in place of what is there; RANDOM_PASSWD gives it a password.

    Raises RequestError for a wrong PORT.
    """
    given = user.get_vector("GRAPHICS")
    if given is None:
        return
    graphics = dict(given)
    user.remove("GRAPHICS")
    core.set("GRAPHICS", graphics)
    settle_graphics(core)


def settle_graphics(core: Template) -> None:
    """Check PORT of GRAPHICS and give it a password if it asks for one. Raises RequestError."""
    graphics = core.get_vector("GRAPHICS")
    if graphics is None:
        return
    if graphics.get("PORT"):
        port = whole(graphics["PORT"])
        if port is None or not 0 <= port <= _PORT_LARGEST:
            raise RequestError(f"Wrong PORT number in GRAPHICS attribute, found {graphics['PORT'][:40]!r}")
    if graphics.get("RANDOM_PASSWD") and not graphics.get("PASSWD"):
        password = secrets.token_hex(32)
        # What SPICE servers take at most.
        is_spice = graphics.get("TYPE") == "SPICE"
        graphics["PASSWD"] = password[:_SPICE_PASSWORD_LENGTH] if is_spice else password
