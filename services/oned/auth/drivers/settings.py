"""The drivers' configuration files below ``auth/``: YAML with keys such as ``:order``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from services.common import paths
from services.oned.auth.drivers.base import Refusal


def read(name: str, *, required: bool) -> dict[str, Any]:
    """The settings of a file; an empty one where it may be missing and is. Raises Refusal naming the file."""
    file = paths.etc() / "auth" / name
    if not required and not file.exists():
        return {}
    return load(file)


def load(file: Path) -> dict[str, Any]:
    """The settings of a file; an empty one has none. Raises Refusal naming the file."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where is not None else ""
        raise Refusal(f"{file}: is not YAML{line}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Refusal(f"{file}: must hold settings, found {type(found).__name__}")
    return found
