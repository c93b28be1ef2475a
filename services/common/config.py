"""Reading service configuration files in OpenNebula's grammar (oned.conf, sched.conf)."""

from __future__ import annotations

from pathlib import Path

from services.common.template import Template, TemplateError


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names file, setting, found and expected."""


def read(path: Path) -> Template:
    """The settings of a file. Raises ConfigError naming the file, and the line where the grammar breaks."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return Template.parse(text)
    except TemplateError as error:
        raise ConfigError(f"{path}: {error}") from None


def integer(settings: Template, name: str, default: int, low: int, high: int) -> int:
    """One whole-number setting within its bounds. Raises ConfigError."""
    text = settings.get(name)
    if text is None or text == "":
        return default
    try:
        number = int(text)
    except ValueError:
        raise ConfigError(f"{name} must be a whole number, found {text[:40]!r}") from None
    if not low <= number <= high:
        raise ConfigError(f"{name} must lie between {low} and {high}, found {number}")
    return number
