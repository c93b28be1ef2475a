"""Checks of parameter values: each takes the text and returns it in its normal form, or raises ValueError.

The error says what was expected; it never repeats the value, which may be a secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import PurePosixPath

Check = Callable[[str], str]

_HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,64}\Z")


def text(value: str) -> str:
    """Any text on one line."""
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise ValueError("expected text on one line without control characters")
    return value


def boolean(value: str) -> str:
    """``yes`` or ``no``; true/false and 1/0 are understood in any case."""
    if value.lower() in ("yes", "true", "1"):
        return "yes"
    if value.lower() in ("no", "false", "0"):
        return "no"
    raise ValueError("expected yes or no")


def choice(*allowed: str) -> Check:
    """One of a few words."""

    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return value

    check.__doc__ = " \\| ".join(allowed)
    return check


def number(low: int, high: int) -> Check:
    """A whole number within bounds."""

    def check(value: str) -> str:
        if not (value.isascii() and value.isdigit()) or len(value) > 9 or not low <= int(value) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return str(int(value))

    check.__doc__ = f"whole number, {low} to {high}"
    return check


def host(value: str) -> str:
    """A host name or an IP address, without scheme or port."""
    try:
        return str(ipaddress.ip_address(value.strip("[]")))
    except ValueError:
        pass
    labels = value.rstrip(".").split(".")
    # All digits and dots is an address somebody mistyped.
    if len(value) > 253 or not all(map(_HOST_LABEL.match, labels)) or labels[-1].isdigit():
        raise ValueError("expected a host name or an IP address, without scheme, port or path")
    return value


def identifier(value: str) -> str:
    """A name of letters, digits and underscores, 64 at most."""
    if not _IDENTIFIER.match(value):
        raise ValueError("expected letters, digits and underscores, 64 at most")
    return value


def database_user(value: str) -> str:
    """A name of letters, digits and underscores, other than root."""
    if value.lower() == "root":
        raise ValueError("expected a user of its own, not the database's root")
    return identifier(value)


def password(value: str) -> str:
    """A password: printable ASCII without blanks, 128 characters at most."""
    if not 1 <= len(value) <= 128 or not all(33 <= ord(letter) <= 126 for letter in value):
        raise ValueError("expected 1 to 128 printable ASCII characters without blanks")
    return value


def absolute_path(value: str) -> str:
    """An absolute path inside the container."""
    if not PurePosixPath(text(value)).is_absolute():
        raise ValueError("expected an absolute path inside the container")
    return value
