"""What probes print (OpenNebula's template text), and the small YAML and shell files that set them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Union

from driver import DriverError

Setting = Union[str, "list[str]"]  # python 3.9 of the nodes: no `str | list` outside annotations

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_BARE = re.compile(r"-?\d+(\.\d+)?\Z")
# A backslash before a quote, or at the end of the value, would let the quote that ends the value not end it.
_ESCAPE = re.compile(r'\\+(?="|\Z)')


def quote(value: object) -> str:
    """A value between quotes, whatever it holds: names on a node are chosen by others."""
    text = _ESCAPE.sub(lambda found: "/" * len(found[0]), _CONTROL.sub(" ", str(value)))
    return '"' + text.replace('"', '\\"') + '"'


def line(name: str, value: object) -> str:
    """``NAME=value``, whole numbers bare and all else in quotes; with its newline."""
    text = str(value)
    return f"{name}={text if _BARE.match(text) else quote(text)}\n"


def vector(name: str, parts: Mapping[str, object]) -> str:
    """``NAME=[A="1",B="2"]`` with its newline."""
    inside = ",".join(f"{part}={quote(value)}" for part, value in parts.items())
    return f"{name}=[{inside}]\n"


def yaml_settings(text: str, where: str) -> dict[str, Setting]:
    """The settings of a probe's configuration file: ``:name: value`` with a text or a list of texts.

    Of YAML only what these files use is read (comments, quoted texts, ``- item`` and ``[a, b]`` lists); all
    else is a DriverError that names the file (``where``) and the line.
    """
    found: dict[str, Setting] = {}
    current = ""
    for number, raw in enumerate(text.splitlines(), 1):
        row = raw.strip()
        if not row or row.startswith("#") or row == "---":
            continue
        try:
            if row.startswith("- "):
                items = found[current]
                if not isinstance(items, list):
                    if items:
                        raise ValueError
                    items = found[current] = []
                items.append(_scalar(row[2:]))
                continue
            matched = re.match(r":?(\w+):(?:\s+(.*))?\Z", row)
            if matched is None:
                raise ValueError
            current, value = matched[1], (matched[2] or "").strip()
            if value.startswith("["):
                ended = re.match(r"\[(.*)\]\s*(#.*)?\Z", value)
                if ended is None:
                    raise ValueError
                found[current] = [_scalar(item) for item in ended[1].split(",") if item.strip()]
            else:
                found[current] = _scalar(value)
        except (ValueError, KeyError):
            raise DriverError(
                f"{where}, line {number}: expected ':name: value' or a list item, found {row[:60]!r}"
            ) from None
    return found


def _scalar(text: str) -> str:
    text = text.strip()
    if text[:1] in ("'", '"'):
        matched = re.match(r"(['\"])(.*?)\1\s*(#.*)?\Z", text)
        if matched is None:
            raise ValueError(text)
        return matched[2]
    return re.sub(r"(\A|\s)#.*", "", text).strip()


def shell_setting(text: str, name: str) -> str:
    """The last value that a shell file of settings gives a name; empty when it gives none."""
    value = ""
    for row in text.splitlines():
        matched = re.match(rf"\s*(?:export\s+)?{re.escape(name)}=(.*)", row)
        if matched is not None:
            try:
                words = shlex.split(matched[1], comments=True)
            except ValueError:
                continue
            value = words[0] if words else ""
    return value
