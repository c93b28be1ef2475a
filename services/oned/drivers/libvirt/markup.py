"""Making XML elements; values are data, whatever stands in them."""

from __future__ import annotations

from lxml import etree

from services.common import xmldoc
from services.oned.drivers.step import PlanError

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
METADATA = "http://opennebula.org/xmlns/libvirt/1.0"

Element = etree._Element


def add(parent: Element, tag: str, text: object = None, /, **attributes: object) -> Element:
    """A new last child; attributes that are None or '' are left out."""
    child = etree.SubElement(parent, tag)
    for name, value in attributes.items():
        if value is not None and value != "":
            child.set(name, xmldoc.clean(str(value)))
    if text is not None:
        child.text = xmldoc.clean(str(text))
    return child


def fragment(text: str, what: str) -> list[Element]:
    """The elements of a piece of libvirt's XML. Raises PlanError for text that is none, naming ``what``."""
    try:
        root = xmldoc.parse(f"<domain xmlns:qemu='{QEMU}'>{text}</domain>", what)
    except xmldoc.XmlError as error:
        raise PlanError(str(error)) from None
    if (root.text or "").strip() or any((child.tail or "").strip() for child in root):
        raise PlanError(f"{what}: must be XML elements, found text between them")
    return list(root)


def merge(domain: Element, children: list[Element], shared: frozenset[str]) -> None:
    """Append elements to a domain; of ``shared`` ones the contents, where it has such an element already."""
    for child in children:
        child.tail = None
        present = domain.find(child.tag) if child.tag in shared else None
        if present is None:
            domain.append(child)
            continue
        for name, value in child.attrib.items():
            if name not in present.attrib:
                present.set(name, value)
        present.extend(list(child))
