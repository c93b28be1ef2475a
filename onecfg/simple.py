"""Files without a structure: one change replaces the whole text, described as a unified diff."""

from __future__ import annotations

import difflib
import re
from typing import Any

from onecfg.change import Change, Outcome
from onecfg.document import Document
from onecfg.errors import ChangeError, PathNotFound

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@.*")


class SimpleDocument(Document):
    """Any text."""

    def get(self, path: tuple[str, ...]) -> Any:
        """The whole text, for the empty path only."""
        if path:
            raise PathNotFound(path)
        return self.text

    def apply(self, change: Change) -> Outcome:
        if change.state != "set" or change.full_path or not isinstance(change.value, str):
            raise ChangeError("this file is only changed as a whole: set / with a unified diff")
        self.text = _patched(self.text, change.value)
        return Outcome(True)

    def diff(self, newer: Document) -> list[Change]:
        if self.text == newer.text:
            return []
        lines = difflib.unified_diff(
            self.text.splitlines(keepends=True), newer.text.splitlines(keepends=True), "old", "new"
        )
        text = "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        )
        return [Change("set", (), None, text)]


def _patched(text: str, diff: str) -> str:
    """The text after a unified diff. Raises ChangeError where the diff does not fit."""
    old = text.splitlines(keepends=True)
    new: list[str] = []
    at = 0
    lines = re.split(r"(?<=\n)", diff)
    position = 0
    hunks = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        match = _HUNK.match(line)
        if match is None:
            if line.startswith(("--- ", "+++ ")) or not line.strip():
                continue
            raise ChangeError("the unified diff is not understood")
        hunks += 1
        start = int(match[1]) - (0 if match[2] == "0" else 1)
        if not at <= start <= len(old):
            raise ChangeError("the unified diff does not fit the file")
        new += old[at:start]
        at = start
        while position < len(lines) and lines[position][:1] in (" ", "-", "+", "\\"):
            mark, content = lines[position][:1], lines[position][1:]
            if position + 1 < len(lines) and lines[position + 1].startswith("\\"):
                content = content.removesuffix("\n")
            position += 1
            if mark in (" ", "-"):
                if at >= len(old) or old[at] != content:
                    raise ChangeError("the unified diff does not fit the file")
                at += 1
            if mark in (" ", "+"):
                new.append(content)
    if not hunks:
        raise ChangeError("the unified diff changes nothing")
    return "".join(new + old[at:])
