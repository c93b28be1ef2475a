"""OpenNebula's XML schemas, made usable, to check documents against.

The published schemas let optional elements precede "anything", which no XML Schema 1.0 processor accepts:
it is ambiguous. Where a type ends in "anything", its whole inside is therefore left unchecked here.
"""

from __future__ import annotations

from pathlib import Path

from lxml import etree

NAMESPACE = "http://opennebula.org/XMLSchema"
_XS = "{http://www.w3.org/2001/XMLSchema}"


class Schemas:
    """The schemas of a folder, one for each root element; ``unusable`` says which cannot be read, and why."""

    def __init__(self, folder: Path) -> None:
        self._by_root: dict[str, etree.XMLSchema] = {}
        self.unusable: dict[str, str] = {}
        for file in sorted(folder.glob("*.xsd")):
            if file.name == "index.xsd":
                continue
            try:
                tree = _merged(file)
                schema = etree.XMLSchema(tree)
            except etree.LxmlError as error:
                self.unusable[file.name] = str(error)
                continue
            for element in etree.parse(str(file)).getroot().findall(f"{_XS}element"):
                self._by_root[str(element.get("name"))] = schema

    def problem(self, document: str) -> str | None:
        """What is wrong with a document, or None; also None for a root without a usable schema."""
        root = etree.fromstring(document.encode()).tag
        schema = self._by_root.get(str(root))
        if schema is None:
            return None
        # OpenNebula's answers carry no namespace, its schemas demand one.
        named = document.replace(f"<{root}", f'<{root} xmlns="{NAMESPACE}"', 1)
        if schema.validate(etree.fromstring(named.encode())):
            return None
        return str(schema.error_log.last_error)

    def knows(self, root: str) -> bool:
        """Whether documents with that root element can be checked."""
        return root in self._by_root


def _merged(file: Path) -> etree._ElementTree:
    """A schema with what it includes, ambiguous types opened."""
    tree = etree.parse(str(file))
    root = tree.getroot()
    root.set("elementFormDefault", "qualified")  # a few files forget what all the others say
    for include in root.findall(f"{_XS}include"):
        included = _merged(file.parent / str(include.get("schemaLocation")))
        root.remove(include)
        root.extend(list(included.getroot()))
    for wildcard in root.findall(f".//{_XS}any"):
        kind = next(wildcard.iterancestors(f"{_XS}complexType"), None)
        if kind is not None:
            _open(kind)
    return tree


def _open(kind: etree._Element) -> None:
    kind.clear()
    anything = etree.SubElement(etree.SubElement(kind, f"{_XS}sequence"), f"{_XS}any")
    anything.set("minOccurs", "0")
    anything.set("maxOccurs", "unbounded")
    anything.set("processContents", "skip")
