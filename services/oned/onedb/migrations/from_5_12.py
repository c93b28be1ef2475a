"""From the databases of release 5.12 to those of 6.0."""

from __future__ import annotations

from services.common import xmldoc
from services.oned.model.base import number
from services.oned.model.datastore import Datastore, DiskType
from services.oned.model.image import Image
from services.oned.model.vm import VM
from services.oned.store import Tx, pools, tables

_RAW = "raw"
_OWNER = ("UID", "GID", "UNAME", "GNAME")


def rewrite_images(tx: Tx) -> None:
    """FORMAT says what an image's file is, instead of DRIVER, FSTYPE and the template's FORMAT."""
    drivers = {
        oid: xmldoc.parse(body).findtext("TEMPLATE/DRIVER") or ""
        for oid, body in tables.documents(tx, Datastore.TABLE)
    }
    for oid, body in tables.documents(tx, Image.TABLE):
        old = xmldoc.parse(body, Image.KIND)
        image = Image.from_element(old)
        image.format = image.format or _format(old, drivers)
        image.template.remove("FORMAT")
        if image.disk_type is not DiskType.FILE:
            image.template.remove("DRIVER")
        image.prev_state = image.state
        pools.update(tx, Image.TABLE, oid, {"body": image.to_xml()})


def _format(old: xmldoc.etree._Element, drivers: dict[int, str]) -> str:
    """What an image of release 5.12 is, by the first of the places that say something."""
    if number(old, "DISK_TYPE"):
        return _RAW
    for place in ("TEMPLATE/DRIVER", "FSTYPE", "TEMPLATE/FORMAT"):
        text = (old.findtext(place) or "").strip()
        if text:
            return text
    return drivers.get(number(old, "DATASTORE_ID", -1)) or _RAW


def rewrite_owners(tx: Tx) -> None:
    """The copy of a VM in its newest history record names its present owner: changes of owner left it out."""
    for vm_id, body in tables.documents(tx, VM.TABLE):
        newest = tables.newest_record(tx, vm_id)
        if newest is None:
            continue
        seq, document = newest
        record = xmldoc.parse(document, keep_cdata=True)
        copy, vm = record.find("VM"), xmldoc.parse(body, VM.KIND)
        if copy is None:
            continue
        for name in _OWNER:
            element = copy.find(name)
            if element is not None:
                element.text = vm.findtext(name)
        tables.set_record(tx, vm_id, seq, xmldoc.etree.tostring(record, encoding="unicode"))
