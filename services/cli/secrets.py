"""Passwords from a terminal, a pipe or a file; never echoed and never part of a message."""

from __future__ import annotations

import sys

from services.cli.errors import CliError


def ask(prompt: str, twice: bool = False) -> str:
    """A password typed on the terminal, or the first line of standard input when that is no terminal."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise CliError(f"{prompt} is missing: standard input is no terminal and empty.")
        return line
    import getpass

    first = getpass.getpass(f"{prompt}: ")
    if twice and getpass.getpass(f"{prompt} again: ") != first:
        raise CliError("The two passwords differ; nothing was changed.")
    return first


def from_file(path: str) -> str:
    """The first line of a file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().rstrip("\r\n")
    except OSError as error:
        raise CliError(f"Password file {path} cannot be read: {error.strerror}.") from None
