"""Changing XML documents as an administrator asks: by XPath, or in an editor."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from argparse import Namespace
from pathlib import Path

from services.common import xmldoc
from services.oned.onedb.errors import OnedbError

Element = xmldoc.etree._Element

_EXPRESSION = re.compile(r"(?P<path>.+?)(?P<operator>=|!=|>=|<=|>|<)(?P<value>.*)\Z", re.DOTALL)
_LEADING_NUMBER = re.compile(r"\s*([+-]?\d+)")
_EDITOR = "/bin/vi"
_TEMPLATES = ("TEMPLATE", "USER_TEMPLATE", "AR_POOL", "ROLES")
_NUMBERS = {
    "<": lambda found, given: found < given,
    ">": lambda found, given: found > given,
    "<=": lambda found, given: found <= given,
    ">=": lambda found, given: found >= given,
}


def parse(body: str) -> Element:
    """The document of a row, to be changed and written back by text()."""
    try:
        return xmldoc.parse(body, keep_cdata=True)
    except xmldoc.XmlError as error:
        raise OnedbError(str(error)) from None


def text(root: Element) -> str:
    """A document as it is stored."""
    return xmldoc.etree.tostring(root, encoding="unicode")


def shown(root: Element) -> str:
    """A document for people to read."""
    plain = xmldoc.etree.fromstring(
        xmldoc.etree.tostring(root), xmldoc.etree.XMLParser(remove_blank_text=True, strip_cdata=False)
    )
    return xmldoc.etree.tostring(plain, encoding="unicode", pretty_print=True).rstrip()


# -- XPath -------------------------------------------------------------------------------------------------
def select(root: Element, path: str) -> list[Element]:
    """The elements at an XPath. Raises OnedbError for one that is none, or that selects no elements."""
    try:
        found = root.xpath(path)
    except xmldoc.etree.XPathError as error:
        raise OnedbError(f"wrong XPath {path!r}: {error}") from None
    if not isinstance(found, list) or not all(isinstance(one, Element) for one in found):
        raise OnedbError(f"XPath {path!r} selects no elements")
    return [one for one in found if isinstance(one, Element)]


def fits(root: Element, options: Namespace) -> bool:
    """Whether a document is among those that --xpath or --expr choose."""
    if options.xpath is not None:
        return bool(select(root, options.xpath))
    if options.expr is not None:
        return _compare(root, options.expr)
    return True


def _compare(root: Element, expression: str) -> bool:
    parsed = _EXPRESSION.match(expression)
    if parsed is None:
        raise OnedbError(f"Expression malformed: '{expression}'")
    elements = select(root, parsed["path"])
    if not elements:
        return False
    found, given = (elements[0].text or "").strip(), parsed["value"].strip()
    if parsed["operator"] in ("=", "!="):
        return (found == given) == (parsed["operator"] == "=")
    return bool(_NUMBERS[parsed["operator"]](_number(found), _number(given)))


def _number(value: str) -> int:
    """The number that a text begins with, 0 without one."""
    found = _LEADING_NUMBER.match(value)
    return int(found[1]) if found else 0


def change(root: Element, path: str, value: str | None, *, delete: bool = False, append: bool = False) -> int:
    """Set, delete or add the elements at an XPath; how many. Raises OnedbError.

    append: each element that the path's parent selects has the last part of the path afterwards.
    """
    if append:
        return _append(root, path, value or "")
    elements = select(root, path)
    for element in elements:
        if delete:
            parent = element.getparent()
            if parent is None:
                raise OnedbError(f"XPath {path!r} selects the whole document")
            parent.remove(element)
        else:
            _set(element, value or "")
    return len(elements)


def _append(root: Element, path: str, value: str) -> int:
    parent_path, slash, name = path.rpartition("/")
    if not slash or not parent_path.strip("/") or not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
        raise OnedbError(f"--append needs an XPath that ends with the name of an element, found {path!r}")
    parents = select(root, parent_path)
    for parent in parents:
        child = parent.find(name.upper())
        _set(xmldoc.etree.SubElement(parent, name.upper()) if child is None else child, value)
    return len(parents)


def _set(element: Element, value: str) -> None:
    for child in list(element):
        element.remove(child)
    clean = xmldoc.clean(value)
    # As documents have it: what templates hold is CDATA, other elements are plain.
    in_template = any(parent.tag in _TEMPLATES for parent in element.iterancestors())
    element.text = xmldoc.etree.CDATA(clean) if in_template and "]]>" not in clean else clean


# -- editor ------------------------------------------------------------------------------------------------
def with_editor(document: str) -> str:
    """What a person makes of a document with the program that EDITOR names, or vi. Raises OnedbError."""
    with tempfile.TemporaryDirectory(prefix="onedb-") as folder:
        file = Path(folder, "document.xml")
        file.write_text(document + "\n", encoding="utf-8")
        try:
            done = subprocess.run([*shlex.split(os.environ.get("EDITOR") or _EDITOR), str(file)], check=False)
        except (OSError, ValueError) as error:
            raise OnedbError(f"the editor could not be started (EDITOR names it): {error}") from None
        if done.returncode:
            raise OnedbError(f"the editor ended with {done.returncode}; nothing was changed")
        return file.read_text(encoding="utf-8")
