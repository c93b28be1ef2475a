"""Column configuration: <etc>/cli/<command>.yaml and ~/.one/cli/<command>.yaml over the built-in columns.

Only the part of YAML that such files use is read (nested maps and lists of plain words), by a reader of our
own: a YAML library costs more time than the whole command. A file that cannot be read leaves the built-in
columns and one line on standard error, since a list must not fail for its looks.
"""

from __future__ import annotations

import os
from typing import Any

from services.cli.errors import CliError, hint
from services.cli.table import Column


class ConfigError(Exception):
    """A line of the file is not understood; the text says which."""


def system_dir() -> str:
    """<etc>/cli as services.common.paths has it; a test holds the two together (pathlib costs 8 ms here)."""
    prefix = os.environ.get("ONE_LOCATION")
    return os.path.join(prefix, "etc", "cli") if prefix else "/etc/one/cli"


def read(command: str) -> tuple[dict[str, Any], list[str]]:
    """The configuration of a command, user's file over system's, and warnings."""
    merged: dict[str, Any] = {}
    warnings = []
    for directory in (system_dir(), os.path.join(os.environ.get("HOME", ""), ".one", "cli")):
        path = os.path.join(directory, f"{command}.yaml")
        try:
            with open(path, encoding="utf-8") as file:
                parsed = parse(file.read())
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            warnings.append(f"{path}: not read: {error}")
            continue
        except ConfigError as error:
            warnings.append(f"{path}: {error}; not used")
            continue
        for key, value in parsed.items():
            if isinstance(value, dict) and isinstance(merged.get(key), dict):
                merged[key].update(value)
            else:
                merged[key] = value
    return merged, warnings


def parse(text: str) -> dict[str, Any]:
    """The map that a file holds; symbols (:name:) lose their colons. Raises ConfigError."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        content = _without_comment(line).rstrip()
        if content.strip() and content.strip() != "---":
            if "\t" in content[: len(content) - len(content.lstrip())]:
                raise ConfigError(f"line {number}: tabs cannot indent")
            rows.append((number, len(content) - len(content.lstrip()), content.strip()))
    value, at = _block(rows, 0, 0)
    if at < len(rows):
        raise ConfigError(f"line {rows[at][0]}: unexpected indentation")
    if not isinstance(value, dict):
        raise ConfigError("line 1: expected a map")
    return value


def _without_comment(line: str) -> str:
    start = line.find(" #")
    return "" if line.lstrip().startswith("#") else line[:start] if start >= 0 else line


def _block(rows: list[tuple[int, int, str]], at: int, indent: int) -> tuple[Any, int]:
    """The map or list that starts at a row, and the row after it."""
    if at < len(rows) and rows[at][2].startswith("- "):
        items: list[Any] = []
        while at < len(rows) and rows[at][1] == indent and rows[at][2].startswith("- "):
            items.append(_scalar(rows[at][2][2:]))
            at += 1
        return items, at
    found: dict[str, Any] = {}
    while at < len(rows) and rows[at][1] == indent and not rows[at][2].startswith("- "):
        number, _, content = rows[at]
        key, colon, value = content.removeprefix(":").partition(":")
        if not colon or (value and not value.startswith(" ")):
            raise ConfigError(f"line {number}: expected NAME: VALUE, found {content[:40]!r}")
        at += 1
        if value.strip():
            found[key.strip()] = _scalar(value)
        elif at < len(rows) and (
            rows[at][1] > indent or (rows[at][1] == indent and rows[at][2].startswith("- "))
        ):
            found[key.strip()], at = _block(rows, at, rows[at][1])
        else:
            found[key.strip()] = None
    return found, at


def _scalar(text: str) -> Any:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    if text.lstrip("-").isdigit():
        return int(text)
    return text.removeprefix(":")


def apply(columns: list[Column], default: list[str], conf: dict[str, Any], layout: str | None) -> list[str]:
    """Change the columns as configured; the names of the columns to show.

    layout: the name of another default list (--listconf, ONE_LISTCONF). Raises CliError for an unknown one.
    """
    for column in columns:
        settings = conf.get(column.name)
        if not isinstance(settings, dict):
            continue
        if isinstance(settings.get("size"), int):
            column.size = settings["size"]
        column.left = bool(settings.get("left", column.left))
        column.adjust = bool(settings.get("adjust", column.adjust)) or column.size is None
        if "expand" in settings:
            column.expand = -1 if settings["expand"] is True else float(settings["expand"] or 0)
        column.desc = str(settings.get("desc") or column.desc)
    named = conf.get("default") if isinstance(conf.get("default"), list) else default
    if layout:
        layouts = conf.get("default_conf") if isinstance(conf.get("default_conf"), dict) else {}
        chosen = layouts.get(layout) if layouts else None
        chosen = chosen if chosen is not None else conf.get(layout)
        if not isinstance(chosen, list):
            raise CliError(f"List layout {layout!r} is not configured.{hint(layout, layouts or {})}")
        named = chosen
    available = {column.name for column in columns}
    return [name for name in named or default if name in available]
