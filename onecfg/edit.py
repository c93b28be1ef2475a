"""Single settings of a configuration file, for programs: read, set, insert, remove.

Paths are those of change descriptors: ``PORT``, ``DB/BACKEND``, ``VM_MAD/"kvm"/ARGUMENTS``, ``:host``. In
files like oned.conf and in shell files a value is written as it stands (``'"text"'`` with its quotes, or what
``quoted`` makes); in YAML files it is a plain value. The format comes from the file's name, or is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onecfg import catalog, files
from onecfg.change import parse_path
from onecfg.document import Document
from onecfg.documents import parse
from onecfg.errors import OnecfgError, ParseError
from onecfg.oned_text import quoted

__all__ = ["get_value", "insert_value", "open_text", "quoted", "remove_value", "set_value"]


def open_text(text: str, format_name: str) -> Document:
    """The document of a text, for several edits before it is written; see onecfg.documents.FORMATS."""
    return parse(text, format_name)


def get_value(path: Path | str, name: str, *, format_name: str | None = None) -> Any:
    """The value of a setting. Raises OnecfgError (PathNotFound when it is not there)."""
    return _open(Path(path), format_name).get(parse_path(name))


def set_value(path: Path | str, name: str, value: Any, *, format_name: str | None = None) -> bool:
    """Give a setting a value, adding it when it is missing; whether the file changed. Raises OnecfgError."""
    return _edit(Path(path), format_name, "set", name, value)


def insert_value(path: Path | str, name: str, value: Any, *, format_name: str | None = None) -> bool:
    """Add a setting, a value of a repeated setting or an item of a list; whether the file changed."""
    return _edit(Path(path), format_name, "insert", name, value)


def remove_value(path: Path | str, name: str, value: Any = None, *, format_name: str | None = None) -> bool:
    """Take a setting, or with ``value`` one of its values, out; whether the file changed."""
    return _edit(Path(path), format_name, "remove", name, value)


def _edit(path: Path, format_name: str | None, action: str, name: str, value: Any) -> bool:
    document = _open(path, format_name)
    before = document.text
    if action == "set":
        document.set(name, value)
    elif action == "insert":
        document.insert(name, value)
    elif value is None:
        document.remove(name)
    else:
        document.remove_value(name, value)
    if document.text == before:
        return False
    files.write(path, document.text)
    return True


def _open(path: Path, format_name: str | None) -> Document:
    if format_name is None:
        entry = catalog.guess(str(path))
        if entry is None:
            raise OnecfgError(f"{path}: no known configuration file; its format must be given")
        format_name = entry.format
    try:
        return parse(files.read(path), format_name)
    except ParseError as error:
        raise ParseError(f"{path}: {error}" if not str(error).startswith(str(path)) else str(error)) from None
