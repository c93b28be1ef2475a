"""Checks of parameter values: each takes the text and returns it in its normal form, or raises ValueError.

The error says what was expected; it never repeats the value, which may be a secret.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from urllib.parse import urlsplit

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


def base64_text(value: str) -> str:
    """Text in base64; line ends and blanks in it do not count."""
    packed = "".join(value.split())
    try:
        is_empty = not base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected text in base64") from None
    if is_empty:
        raise ValueError("expected text in base64, found nothing in it")
    return packed


def domains(value: str) -> str:
    """Host names or IP addresses separated by blanks; ``*`` may stand for the first label, or alone."""
    names = value.split()
    if not names:
        raise ValueError("expected host names or IP addresses separated by blanks")
    for name in names:
        if name != "*":
            try:
                host(name.removeprefix("*."))
            except ValueError:
                raise ValueError(
                    "expected host names or IP addresses separated by blanks, * as first label only"
                ) from None
    return " ".join(names)


def url(value: str) -> str:
    """An http or https URL with a host."""
    try:
        parts = urlsplit(text(value))
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    rest = value.replace("${OPENNEBULA_HOST}", "")
    if not is_good or parts.username is not None or set(rest) & set(' "\\<>${}'):
        raise ValueError("expected an http:// or https:// URL with a host and without a user")
    return value
