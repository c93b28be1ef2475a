"""The Quadlet unit of compose/podman/, as the options of ``podman run`` that Quadlet makes of it.

Quadlet itself needs systemd. This lets a test see that Podman takes every option, and that the image works
with them.
"""

from __future__ import annotations

from pathlib import Path

# Key of the section [Container]: the option, with the value or without one.
_OPTIONS = {
    "AddCapability": "--cap-add",
    "DropCapability": "--cap-drop",
    "Environment": "--env",
    "HealthCmd": "--health-cmd",
    "HealthInterval": "--health-interval",
    "HealthRetries": "--health-retries",
    "HealthStartPeriod": "--health-start-period",
    "HealthTimeout": "--health-timeout",
    "PublishPort": "--publish",
    "Tmpfs": "--tmpfs",
    "Volume": "--volume",
}
_SWITCHES = {"ReadOnly": "--read-only", "NoNewPrivileges": "--security-opt=no-new-privileges"}


def entries(unit: Path, section: str) -> list[tuple[str, str]]:
    """Keys and values of a section, in order. Raises ValueError for a line that is neither."""
    found: list[tuple[str, str]] = []
    current = ""
    for line in unit.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("[") and text.endswith("]"):
            current = text[1:-1]
            continue
        key, sign, value = text.partition("=")
        if not sign:
            raise ValueError(f"{unit.name}: expected KEY=VALUE, found {text!r}")
        if current == section:
            found.append((key, value))
    return found


def run_options(unit: Path, *, left_out: tuple[str, ...] = ()) -> list[str]:
    """The options of ``podman run``, without the name and the image. Raises KeyError: an unknown key."""
    options: list[str] = []
    for key, value in entries(unit, "Container"):
        if key in ("ContainerName", "Image", *left_out):
            continue
        if key == "PodmanArgs":
            options += value.split()
        elif key in _SWITCHES:
            assert value == "true", key
            options.append(_SWITCHES[key])
        elif key.endswith("Capability"):
            options += [f"{_OPTIONS[key]}={name}" for name in value.split()]
        else:
            options.append(f"{_OPTIONS[key]}={value.replace('%H', 'localhost')}")
    return options
