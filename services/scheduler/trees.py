"""The elements that documents are read into.

They are lxml's in the scheduler itself, and the standard library's where a command plans without site
packages (services/common/xmldoc.py). Use what both have: find, findall, findtext, iterfind, iter, tag, text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.common.xmldoc import XmlError as XmlError
from services.common.xmldoc import parse as parse

if TYPE_CHECKING:
    from lxml.etree import _Element as Element
else:
    Element = Any
