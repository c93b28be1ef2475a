"""The document that the core sends with an action: the VM, its disks and interfaces, its system datastore."""

from __future__ import annotations

import base64
import binascii
import sys
from xml.etree.ElementTree import Element

from driver import DriverError, document

METADATA_URI = "http://opennebula.org/xmlns/libvirt/1.0"
_ROOT = "VMM_DRIVER_ACTION_DATA"


def read(path: str) -> Element:
    """The root of an XML file. Raises DriverError."""
    try:
        with open(path, "rb") as source:
            return document(source.read())
    except OSError as error:
        raise DriverError(f"cannot read {path}: {error.strerror}") from None


def of_stdin() -> Element:
    """The document on standard input. Raises DriverError."""
    return _checked(document(sys.stdin.buffer.read()))


def of_argument(text: str) -> Element:
    """The document in base64, as some actions get it. Raises DriverError."""
    try:
        return _checked(document(base64.b64decode(text, validate=True)))
    except (binascii.Error, ValueError):
        raise DriverError("the document of the action is not in base64") from None


def _checked(root: Element) -> Element:
    if root.tag != _ROOT:
        raise DriverError(f"the document of the action must be a {_ROOT}, found {root.tag!r}")
    return root


def disk(root: Element, name: str, value: str) -> dict[str, str]:
    """The disk whose attribute has that value (ATTACH YES, DISK_ID 1). Raises DriverError for none."""
    return _device(root, "DISK", name, value)


def nic(root: Element, name: str, value: str) -> dict[str, str]:
    """The same of the interfaces."""
    return _device(root, "NIC", name, value)


def _device(root: Element, kind: str, name: str, value: str) -> dict[str, str]:
    for element in root.iterfind(f"VM/TEMPLATE/{kind}"):
        if (element.findtext(name) or "").upper() == value.upper():
            return {part.tag: (part.text or "").strip() for part in element}
    raise DriverError(f"vm {text_of(root, 'VM/ID') or '?'} has no {kind} with {name} = {value}")


def text_of(root: Element, path: str) -> str:
    """The text at a path, without blanks around it; '' for none."""
    return (root.findtext(path) or "").strip()


def transfer_driver(root: Element) -> str:
    """The transfer driver of the VM's system datastore; '' when the document does not say."""
    return text_of(root, "DATASTORE/TM_MAD")
