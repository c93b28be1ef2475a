"""What can go wrong; every message is one line and holds no value of a setting, which may be a secret."""

from __future__ import annotations


class OnecfgError(Exception):
    """Something that ends the work; nothing has been changed. The message names file, line or path."""


class ParseError(OnecfgError):
    """A file or patch that does not follow its format; the message names the line."""


class ChangeError(OnecfgError):
    """One change that cannot be made at its place; others may still be made."""


class PathNotFound(ChangeError):
    """A change or question about something that is not there."""

    def __init__(self, path: list[str] | tuple[str, ...]) -> None:
        super().__init__(f"Patch path '{'/'.join(path) or '(top level)'}' not found")
