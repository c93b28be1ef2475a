"""Texts of elements of a document, for drivers written in shell: the xpath.rb that they call.

It knows the paths that such drivers use: /ROOT/A/B, //B, ROOT/A, A[NAME=1], A[NAME='x'], A[2]; no functions,
no axes and no attributes. The root may stand at the beginning of a path with or without a slash.
Source: options and output of xpath.rb of release 6.0.
"""

from __future__ import annotations

import base64
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from driver import DriverError, document

_BARE = re.compile(r"\[\s*([\w.-]+)\s*=\s*([\w.-]+)\s*\]")
_MANY = "%m%"


def main(argv: Sequence[str]) -> None:
    """xpath.rb [-b DOCUMENT64 | -s] [-t] XPATH...: prints each text, a NUL behind it."""
    paths: list[str] = []
    encoded, is_subtree = None, False
    words = iter(argv)
    for word in words:
        if word in ("-b", "--base64"):
            encoded = next(words, "")
        elif word.startswith("--base64="):
            encoded = word.partition("=")[2]
        elif word in ("-t", "--subtree"):
            is_subtree = True
        elif word not in ("-s", "--stdin"):
            paths.append(word)
    data = base64.b64decode(encoded) if encoded is not None else sys.stdin.buffer.read()
    root = document(data)
    out = "".join(find(root, path, is_subtree=is_subtree) + "\0" for path in paths)
    sys.stdout.buffer.write(out.encode() + b"\n")


def find(root: ElementTree.Element, path: str, *, is_subtree: bool = False) -> str:
    """The text of the first element that a path leads to, '' for none; of all behind %m%, by blanks."""
    is_many = path.startswith(_MANY)
    try:
        found = _elements(root, path[len(_MANY) :] if is_many else path)
    except (SyntaxError, KeyError, TypeError) as error:
        raise DriverError(f"the path {path[:200]!r} is not understood: {error}") from None
    if is_many:
        return " ".join(element.text or "" for element in found)
    if not found:
        return ""
    return ElementTree.tostring(found[0], encoding="unicode") if is_subtree else found[0].text or ""


def _elements(root: ElementTree.Element, path: str) -> list[ElementTree.Element]:
    path = _BARE.sub(r"[\1='\2']", path.strip())
    if path.startswith("//"):
        inner = root.findall("." + path)
        return [root, *inner] if path[2:] == root.tag else inner
    first, _, rest = path.lstrip("/").partition("/")
    if first not in (root.tag, "*"):
        # A path that does not begin at the root is looked for below it.
        return [] if path.startswith("/") else root.findall(path)
    return root.findall(rest) if rest else [root]
