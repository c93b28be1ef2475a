"""Safe XML reading and the two ways of writing text that OpenNebula's documents use.

Documents never need a document type, so any ``<!DOCTYPE`` is refused before an entity can be
declared: neither expansion bombs nor external files are possible.

Trees are lxml's. Client commands run under an interpreter without site packages; there the standard library's
trees take their place, which answer to find, findall, findtext, iterfind and iter all the same.
"""

from __future__ import annotations

import re
from typing import Any

try:
    from lxml import etree as etree
except ImportError:
    etree = None  # type: ignore[assignment]

# Characters that XML 1.0 cannot carry even when escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_DOCTYPE = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:(?:<\?.*?\?>|<!--.*?-->)\s*)*<!DOCTYPE", re.DOTALL)
_MARKUP = re.compile('[&<>"]')
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


class XmlError(ValueError):
    """The text is not acceptable XML; the message names line and column where known."""


def clean(text: str) -> str:
    """The text without the characters that XML 1.0 forbids."""
    return _FORBIDDEN.sub("", text)


def escape(text: str) -> str:
    """Text for element content or an attribute value."""
    return _MARKUP.sub(lambda found: _ENTITIES[found.group()], clean(text))


def cdata(text: str) -> str:
    """Text as a CDATA section, the form that OpenNebula's documents keep values in."""
    return f"<![CDATA[{clean(text).replace(']]>', ']]]]><![CDATA[>')}]]>"


def parse(text: str | bytes, what: str = "document", *, keep_cdata: bool = False) -> etree._Element:
    """The root element of an XML text.

    Comments and processing instructions are dropped. Raises XmlError, naming ``what``, for text that is
    not well-formed or that declares a document type.

    keep_cdata: what was a CDATA section is written back as one (with lxml only).
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    # Looked for before parsing, and only where it would be one: a value may well contain the word.
    if _DOCTYPE.match(data):
        raise XmlError(f"{what}: document types and entities are not accepted")
    if etree is None:
        return _parse_plainly(data, what)
    # A parser keeps state, so each call has its own: calls come from several threads. The encoding is set, so
    # that a declaration cannot hide a document type behind another one.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        strip_cdata=not keep_cdata,
        huge_tree=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position if error.position else (0, 0)
        raise XmlError(f"{what}: not well-formed at line {line}, column {column}: {error.msg}") from None
    if root is None:
        raise XmlError(f"{what}: empty")
    if getattr(root.getroottree().docinfo, "doctype", ""):
        raise XmlError(f"{what}: document types and entities are not accepted")
    return root


def _parse_plainly(data: bytes, what: str) -> Any:
    from xml.etree import ElementTree

    try:
        return ElementTree.fromstring(data, ElementTree.XMLParser(encoding="utf-8"))
    except ElementTree.ParseError as error:
        line, column = error.position
        raise XmlError(f"{what}: not well-formed at line {line}, column {column}: {error.msg}") from None
