"""Settings in files that belong to others: a value is changed where it stands, everything else stays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onebox_cli.node.item import Finding, read, write

_NOTE = "# Set for OpenNebula's drivers (onebox node)."


def edited(text: str, values: Mapping[str, str]) -> str:
    """The text of a libvirt configuration file with these values; comments and order survive."""
    lines = text.splitlines()
    added = []
    for name, value in values.items():
        line = f"{name} = {value}"
        places = [at for at, found in enumerate(lines) if re.match(rf"\s*{re.escape(name)}\s*=", found)]
        if not places:
            added.append(line)
            continue
        lines[places[-1]] = line
        for at in reversed(places[:-1]):
            del lines[at]
    if added:
        lines += ["", _NOTE, *added] if _NOTE not in lines else added
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Settings:
    """Values that a configuration file of libvirt must have."""

    name: str
    path: Path
    values: Mapping[str, str]

    def examine(self) -> Finding:
        """Which values are others."""
        text = read(self.path)
        other = [
            name
            for name, value in self.values.items()
            if not re.search(rf"^\s*{re.escape(name)}\s*=\s*{re.escape(value)}\s*$", text, re.MULTILINE)
        ]
        if other:
            return Finding(f"not set: {', '.join(other)}", f"set {', '.join(other)} in {self.path}")
        return Finding(f"{len(self.values)} settings in {self.path}")

    def apply(self) -> None:
        """Set them."""
        write(self.path, edited(read(self.path), self.values), 0o600)
