"""Samples of virtual machines: what an agent measured of each, as the documents that are kept.

A report lists ``VM = [ ID = "3", MONITOR = "…" ]``, where MONITOR is again a template, in base64; several
entries of one VM are one sample. What a report does not say is carried over from the sample before.
Source: VM monitoring messages of release 6.0.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Iterable
from typing import NamedTuple

from services.common import xmldoc
from services.common.template import Template, TemplateError, Value
from services.oned.lifecycle.numbers import whole

_log = logging.getLogger("MON")

# What reports look like, so that they need not be read token by token; anything else goes the long way.
_WORD = r'(?:"[^"\\\]<&\x00-\x1f]*+"|[^\s"#,\[\]=<&\x00-\x1f]++)'
_NAME = r"(?!XML)[A-Z][A-Z0-9_]*+"
_PARTS = rf"\[[ \n]*{_NAME}[ ]*=[ ]*{_WORD}(?:[ \n]*,[ \n]*{_NAME}[ ]*=[ ]*{_WORD})*[ \n]*\]"
_PLAIN = re.compile(rf"(?:\s*{_NAME}[ ]*=[ ]*(?:{_WORD}|{_PARTS})[ ]*(?:\n|\Z))*\s*\Z")
_ENTRY = re.compile(rf"({_NAME})[ ]*=[ ]*({_WORD}|{_PARTS})")
_PART = re.compile(rf"({_NAME})[ ]*=[ ]*({_WORD})")
_OWN = ("ID", "TIMESTAMP")


class Measured(NamedTuple):
    """One entry of a report. vm_id: None for a machine without a number of ours, which deploy_id names."""

    vm_id: int | None
    deploy_id: str
    values: list[tuple[str, Value]]


def entries(text: str) -> list[tuple[str, Value]]:
    """The attributes of a text, names in upper case. Raises TemplateError."""
    if not _PLAIN.match(text):
        return list(Template.parse(text))
    return [
        (name, _vector(value) if value[0] == "[" else value.strip('"'))
        for name, value in _ENTRY.findall(text)
    ]


def _vector(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for name, value in _PART.findall(text):
        parts.setdefault(name, value.strip('"'))  # of the same name the first one counts
    return parts


def measured(text: str) -> list[Measured]:
    """What a MONITOR_VM report says of each machine. Raises TemplateError for a text that is no template."""
    found = []
    for name, vector in entries(text):
        if name != "VM" or not isinstance(vector, dict):
            continue
        number = whole(vector.get("ID"))
        if number is None:
            continue
        try:
            values = entries(base64.b64decode(vector.get("MONITOR", "")).decode("utf-8", "replace"))
        except (TemplateError, binascii.Error) as error:
            _log.warning("monitoring of VM %d cannot be read: %s", number, str(error)[:200])
            continue
        if values:
            found.append(Measured(number if number >= 0 else None, vector.get("DEPLOY_ID", ""), values))
    return found


def merged(values: Iterable[tuple[str, Value]], before: str | None) -> list[tuple[str, Value]]:
    """The values with those of an earlier sample that they say nothing of."""
    new = list(values)
    if before is None:
        return new
    names = {name for name, _ in new}
    missing = [name for name in _names(before) if name not in names and name not in _OWN]
    if not missing:
        return new
    old = Template.from_element(xmldoc.parse(before, "sample"))
    return [*new, *((name, value) for name in missing for value in old.get_all(name))]


_TOP = re.compile(r"<([A-Z][A-Z0-9_.-]*)>(?:<!\[CDATA\[.*?\]\]></\1>|.*?</\1>)", re.DOTALL)


def _names(sample: str) -> list[str]:
    """The names at the top of a sample, each once."""
    inner = sample[sample.find(">") + 1 : sample.rfind("<")]
    return list(dict.fromkeys(_TOP.findall(inner)))


def sample(vm_id: int, time_s: int, values: Iterable[tuple[str, Value]]) -> str:
    """The MONITORING element; attributes by name, as OpenNebula's documents have them."""
    own: list[tuple[str, Value]] = [("ID", str(vm_id)), ("TIMESTAMP", str(time_s))]
    kept = [entry for entry in values if entry[0] not in _OWN]
    return f"<MONITORING>{''.join(map(_element, sorted(kept + own, key=_by_name)))}</MONITORING>"


def _by_name(entry: tuple[str, Value]) -> str:
    return entry[0]


def _element(entry: tuple[str, Value]) -> str:
    name, value = entry
    if isinstance(value, str):
        return f"<{name}>{xmldoc.cdata(value)}</{name}>"
    inner = "".join(f"<{part}>{xmldoc.cdata(value[part])}</{part}>" for part in sorted(value))
    return f"<{name}>{inner}</{name}>"
