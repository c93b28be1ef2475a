"""Setting files of datastore drivers (etc/datastore/*.conf): shell assignments, read but never run."""

from __future__ import annotations

import os
import re
import shlex

from driver import DriverError

_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
# <remotes>/lib/ds_settings.py and <remotes>/etc/…
_ETC = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "etc")


def read(name: str, folder: str = _ETC) -> dict[str, str]:
    """The assignments of a file below etc of the remotes, such as datastore/datastore.conf; {} without it.

    Values are taken literally: variables and commands in them are not expanded. Raises DriverError for
    lines that are no assignment.
    """
    path = os.path.join(folder, name)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DriverError(f"{path} cannot be read: {error.strerror}") from None
    values: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise DriverError(f"{path}, line {number}: {error}") from None
        for word in words:
            found = _ASSIGNMENT.fullmatch(word)
            if found:
                values[found[1]] = found[2]
            elif word != "export":
                raise DriverError(f"{path}, line {number}: expected NAME=value, found {word[:40]!r}")
    return values


def rate_bytes_s(text: str) -> float:
    """Bytes per second of LIMIT_TRANSFER_BW (a number with k, m or g), 0: no limit. Raises DriverError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)b?", text.strip().lower())
    if not text.strip():
        return 0.0
    if not found:
        raise DriverError(f"LIMIT_TRANSFER_BW must be bytes per second, with k, m or g, found {text[:40]!r}")
    return float(found[1]) * float(1024 ** " kmg".index(found[2] or " "))
