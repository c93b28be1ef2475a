"""Writing values as YAML that reads back as the same values, in Psych as in other readers."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from onecfg.errors import ChangeError

_PLAIN = re.compile(r"[A-Za-z_/.+$][A-Za-z0-9_/.+$@%()=-]*(?:[ :][A-Za-z0-9_/.+$@%()=-]+)*")
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_SYMBOL = re.compile(r":[A-Za-z_][A-Za-z0-9_]*[?!]?")
# Words that some reader of YAML 1.1 takes for something else than text.
_SPECIAL = re.compile(
    r"(?i)y|n|yes|no|on|off|true|false|null|~|\.nan|[-+]?\.inf|[-+.]?[0-9_.,:]+(e[-+]?[0-9]+)?"
)
_resolve = yaml.SafeLoader("").resolve


def scalar(value: Any) -> str:
    """One line for text, number, true, false or nothing. Raises ChangeError for control characters."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if _CONTROL.search(text):
        raise ChangeError("text must not hold control characters")
    if any(0xD800 <= ord(character) < 0xE000 for character in text):
        raise ChangeError("text must not hold half of a surrogate pair")
    if _SYMBOL.fullmatch(text) or _ADDRESS.fullmatch(text) or (_PLAIN.fullmatch(text) and _is_text(text)):
        return text
    if "\n" in text or "\t" in text:
        return json.dumps(text, ensure_ascii=False)
    if "'" in text:
        return json.dumps(text, ensure_ascii=False)
    return f"'{text}'"


def key(text: str) -> str:
    """A key as it is written."""
    if not text:
        raise ChangeError("a key must not be empty")
    written = scalar(text)
    return f"{written}" if "\n" not in written else json.dumps(text)


def flow(value: Any) -> str:
    """A value on one line, for a place within brackets."""
    if isinstance(value, dict):
        inner = ", ".join(f"{_flow_word(key(str(name)))}: {flow(item)}" for name, item in value.items())
        return f"{{{inner}}}" if not inner else f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(flow(item) for item in value)}]"
    return _flow_word(scalar(value)) or "null"


def block(value: Any, indent: int) -> list[str]:
    """The lines of a map or list that is not empty, at a column."""
    blanks = " " * indent
    lines = []
    if isinstance(value, dict):
        for name, item in value.items():
            lines += entry(str(name), item, indent)
        return lines
    for item in value:
        if isinstance(item, dict | list) and item:
            inner = block(item, indent + 2)
            lines.append(f"{blanks}- {inner[0].lstrip()}")
            lines += inner[1:]
        else:
            lines.append(f"{blanks}- {flow(item)}".rstrip() if item is not None else f"{blanks}-")
    return lines


def entry(name: str, item: Any, indent: int) -> list[str]:
    """The lines of one key with its value, at a column."""
    head = f"{' ' * indent}{key(name)}:"
    if isinstance(item, dict | list) and item:
        return [head, *block(item, indent + 2)]
    written = flow(item) if isinstance(item, dict | list) else scalar(item)
    return [f"{head} {written}".rstrip()]


def _flow_word(written: str) -> str:
    """Within brackets some plain words mean something else."""
    if re.search(r"[,\[\]{}]|: ", written) and not written.startswith(("'", '"')):
        return f"'{written}'"
    return written


def _is_text(text: str) -> bool:
    if _SPECIAL.fullmatch(text):
        return False
    return bool(_resolve(yaml.ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str")
