"""Templates as text: reading them from files, standard input or an editor, writing them from documents.

The text is sent as it is: the front-end is the only reader of the grammar.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from services.cli.documents import walk
from services.cli.errors import CliError


def quote(text: str) -> str:
    """A value between quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def vector(name: str, parts: list[tuple[str, str]]) -> str:
    """``NAME=[`` and one part a line."""
    inner = ",\n".join(f"  {part}={quote(value)}" for part, value in parts)
    return f"{name}=[\n{inner} ]"


def from_element(element: Element, without: tuple[str, ...] = ()) -> str:
    """The attributes below an element, one a line, in the document's order."""
    lines = []
    for name, value in walk(element):
        if name not in without:
            lines.append(f"{name}={quote(value)}" if isinstance(value, str) else vector(name, value))
    return "\n".join(lines)


def read(path: str | None) -> str:
    """The text of a file; of standard input for ``-`` or when no file is given. Raises CliError."""
    if path is None or path == "-":
        if sys.stdin.isatty() and path is None:
            raise CliError("A template is missing: name a file, or give it on standard input.")
        text = sys.stdin.read()
        if not text.strip():
            raise CliError("The template on standard input is empty.")
        return text
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise CliError(f"File {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CliError(f"File {path} is not UTF-8 text.") from None


def obtain(inv: Any, present: Callable[[], str], path: str | None, is_addition: bool) -> str | None:
    """A new template: from a file, from standard input, or from an editor that starts with the present one.

    None when the editor changed nothing.
    """
    if path is not None or not sys.stdin.isatty():
        return read(path)
    before = "" if is_addition else present() + "\n"
    after = edit(before)
    return None if after == before or (is_addition and not after.strip()) else after


def edit(text: str) -> str:
    """The text as the user leaves it in VISUAL, EDITOR or vi. Raises CliError when the editor fails."""
    import shlex
    import subprocess
    import tempfile

    program = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8", prefix="one-", suffix=".txt") as file:
        file.write(text)
        file.flush()
        try:
            code = subprocess.run([*shlex.split(program), file.name], check=False).returncode
        except OSError as error:
            raise CliError(
                f"Editor {program} cannot be started: {error.strerror} (EDITOR names another)."
            ) from None
        if code != 0:
            raise CliError(f"Editor {program} ended with exit code {code}; nothing was changed.")
        with open(file.name, encoding="utf-8") as changed:
            return changed.read()
