"""Documents as XML, JSON and YAML, for -x, -j and -y.

JSON and YAML have stable types: a text is always a text, and what can occur several times is always a list.
(OpenNebula's commands print one disk as an object and two as a list, and an empty text as an object.)
"""
# ruff: noqa: SIM905 - lists of words are easier to read as text

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element
from xml.parsers import expat

from services.cli.errors import CliError

# Elements that can occur several times below their parent, whatever the number in one document.
_LISTS = frozenset(
    "DISK NIC NIC_ALIAS PCI HISTORY SNAPSHOT SNAPSHOTS SCHED_ACTION SECURITY_GROUP_RULE RULE LEASE AR "
    "LOGIN_TOKEN SERVER NODE CORE HUGEPAGE".split()
)
_ID_LISTS = frozenset(
    "HOSTS DATASTORES VNETS CLUSTERS GROUPS USERS ADMINS IMAGES VMS CLONES APP_CLONES VROUTERS "
    "MARKETPLACEAPPS".split()
)
_OBJECTS = frozenset(
    "TEMPLATE USER_TEMPLATE MONITORING HISTORY_RECORDS PERMISSIONS HOST_SHARE PCI_DEVICES NUMA_NODES "
    "DATASTORE_QUOTA NETWORK_QUOTA VM_QUOTA IMAGE_QUOTA DEFAULT_USER_QUOTAS DEFAULT_GROUP_QUOTAS".split()
)


def xml(text: str) -> str:
    """The document indented by two spaces; CDATA sections stay what they are."""
    pieces: list[str] = []
    printer = XmlPrinter(pieces.append)
    printer.feed(text)
    printer.finish()
    return "".join(pieces)


def json(root: Element) -> str:
    """The document as JSON, indented by two spaces."""
    from json import dumps

    return dumps({root.tag: plain(root)}, indent=2, ensure_ascii=False) + "\n"


def yaml(root: Element) -> str:
    """The document as YAML."""
    return "---\n" + "\n".join(_yaml_lines({root.tag: plain(root)}, "")) + "\n"


class PoolWriter:
    """A pool as JSON or YAML, member by member: what json() and yaml() would make of the whole."""

    def __init__(self, write: Callable[[str], object], pool_tag: str, as_yaml: bool) -> None:
        self._write = write
        self._tag = pool_tag
        self._as_yaml = as_yaml
        self._count = 0

    def add(self, member: Element) -> None:
        """The next member."""
        if not self._count:
            tag = member.tag
            self._write(f"---\n{self._tag}:\n  {tag}:\n" if self._as_yaml else self._head(tag) + "[\n")
        if self._as_yaml:
            self._write("\n".join(_yaml_lines([plain(member)], "  ")) + "\n")
        else:
            from json import dumps

            text = dumps(plain(member), indent=2, ensure_ascii=False).replace("\n", "\n      ")
            self._write((",\n" if self._count else "") + f"      {text}")
        self._count += 1

    def finish(self) -> None:
        """Tell that there are no more."""
        tag = self._tag.removesuffix("_POOL")
        if not self._count:
            empty = f"---\n{self._tag}:\n  {tag}: []\n"
            self._write(empty if self._as_yaml else self._head(tag) + "[]\n  }\n}\n")
        elif not self._as_yaml:
            self._write("\n    ]\n  }\n}\n")

    def _head(self, tag: str) -> str:
        return f'{{\n  "{self._tag}": {{\n    "{tag}": '


def plain(element: Element) -> Any:
    """The content of an element as dict, list and str."""
    if not len(element):
        if element.tag in _ID_LISTS and not element.text:  # VMS is also a quota
            return {"ID": []}
        if element.tag.endswith("_POOL"):
            return {element.tag.removesuffix("_POOL"): []}
        return {} if element.tag in _OBJECTS else element.text or ""
    is_pool = element.tag.endswith("_POOL")
    content: dict[str, Any] = {}
    for child in element:
        value = plain(child)
        known = child.tag in content
        is_list = (
            child.tag in _LISTS
            or (child.tag == "ID" and element.tag in _ID_LISTS)
            or (is_pool and not child.tag.startswith("DEFAULT_"))
            or element.tag in ("DATASTORE_QUOTA", "NETWORK_QUOTA", "IMAGE_QUOTA")
        )
        if known and not (is_list or isinstance(content[child.tag], list)):
            content[child.tag] = [content[child.tag]]
        if is_list or known:
            content.setdefault(child.tag, []).append(value)
        else:
            content[child.tag] = value
    return content


class XmlPrinter:
    """Indents a document that comes in pieces; ``write`` gets the result piece by piece."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.out: list[str] = []
        self._write = write
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data
        self._parser.StartCdataSectionHandler = self._start_cdata
        self._parser.EndCdataSectionHandler = self._end_cdata
        self._depth = 0
        self._has_children = [False]
        self._text: list[str] = []
        self._is_cdata = False
        self._is_open = False  # the last tag written still lacks its ">"

    def feed(self, text: str) -> None:
        """Take the next piece. Raises CliError when the document is not well-formed."""
        self._parse(text, False)

    def finish(self) -> None:
        """Tell that the document is complete. Raises CliError when it was cut off."""
        self._parse("", True)

    def _parse(self, text: str, is_last: bool) -> None:
        try:
            self._parser.Parse(text, is_last)
        except expat.ExpatError as error:
            raise CliError(f"The front-end's answer is not well-formed XML: {error}") from None
        self._write("".join(self.out))
        self.out.clear()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._is_open:
            self.out.append(">\n")
        self._has_children[-1] = True
        self._has_children.append(False)
        shown = "".join(f' {name}="{_escape(value)}"' for name, value in attributes.items())
        self.out.append(f"{'  ' * self._depth}<{tag}{shown}")
        self._is_open = True
        self._depth += 1
        self._text.clear()

    def _data(self, text: str) -> None:
        self._text.append(text if self._is_cdata else _escape(text))

    def _start_cdata(self) -> None:
        self._is_cdata = True
        self._text.append("<![CDATA[")

    def _end_cdata(self) -> None:
        self._is_cdata = False
        self._text.append("]]>")

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._has_children.pop():
            self.out.append(f"{'  ' * self._depth}</{tag}>\n")
        else:
            text = "".join(self._text)
            self.out.append(f">{text}</{tag}>\n" if text else "/>\n")
        self._is_open = False
        self._text.clear()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _yaml_lines(value: Any, indent: str) -> list[str]:
    lines: list[str] = []
    if isinstance(value, dict):
        for key, part in value.items():
            if isinstance(part, dict) and part:
                lines += [f"{indent}{key}:", *_yaml_lines(part, indent + "  ")]
            elif isinstance(part, list) and part:
                lines += [f"{indent}{key}:", *_yaml_lines(part, indent)]
            else:
                lines.append(f"{indent}{key}: {_yaml_scalar(part)}")
    elif isinstance(value, list):
        for part in value:
            inner = _yaml_lines(part, indent + "  ") if isinstance(part, (dict, list)) and part else []
            lines.append(f"{indent}- {inner[0].lstrip()}" if inner else f"{indent}- {_yaml_scalar(part)}")
            lines += inner[1:]
    return lines


def _yaml_scalar(value: Any) -> str:
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list):
        return "[]"
    # Double quotes with JSON's escapes are valid YAML for every text, so no text is taken for another type.
    if value and value.isascii() and value.replace("_", "").replace("-", "").isalnum() and value[0].isalpha():
        if value.lower() not in ("yes", "no", "y", "n", "on", "off", "true", "false", "null", "none"):
            return str(value)
    from json import dumps

    return dumps(value, ensure_ascii=False)
