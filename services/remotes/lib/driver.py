"""What every driver action in Python does alike: run programs, report faults, read documents.

For the front-end's and the node's own python3 (3.9 or newer), without any other package.
"""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

# Nothing that OpenNebula sends is larger; a document that declares entities is not one of its.
_DOCUMENT_MAX_BYTES = 16 * 1024 * 1024


class DriverError(Exception):
    """An action cannot do its work; the message is for the user."""


def fail(message: str) -> NoReturn:
    """Say what went wrong, as the core expects it, and end with code 1."""
    text = message.strip() or "no message"
    sys.stderr.write(f"ERROR MESSAGE --8<------\n{text}\nERROR MESSAGE ------>8--\n")
    sys.stderr.flush()
    sys.exit(1)


def main(action: Callable[[Sequence[str]], object]) -> None:
    """Run an action with its arguments; a DriverError is its failure."""
    try:
        action(sys.argv[1:])
    except DriverError as error:
        fail(str(error))


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> str:
    """The standard output of a program that must succeed. Raises DriverError with what it said."""
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            capture_output=True,
            env=None if env is None else {**os.environ, **env},
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise DriverError(f"{argv[0]} is not installed here") from None
    except subprocess.TimeoutExpired:
        raise DriverError(f"{argv[0]} did not end within {timeout_s:g} s") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise DriverError(f"{argv[0]} failed: {said[-2000:] or f'exit code {done.returncode}'}")
    return done.stdout.decode("utf-8", "replace")


def document(data: bytes | str) -> ElementTree.Element:
    """The root element of an XML document. Raises DriverError for none, and for one with entities."""
    text = data if isinstance(data, bytes) else data.encode()
    if len(text) > _DOCUMENT_MAX_BYTES or b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise DriverError(
            "the document that the core sent cannot be used: too large, or it declares entities"
        )
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DriverError(f"the core's document is no XML: {error}") from None
