"""The ARGUMENTS line of a driver section of oned.conf, with the meaning that OpenNebula's drivers give it.

Source: options of one_vmm_exec, one_vmm_sh, one_tm, one_datastore, one_market of release 6.0.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from services.common.config import ConfigError

_WITH_VALUE = {
    "-r": "retries",
    "--retries": "retries",
    "-t": "threads",
    "--threads": "threads",
    "-l": "local",
    "--local": "local",
    "-d": "list",
    "--delegate": "list",
    "--tm-types": "list",
    "--ds-types": "list",
    "-m": "list",
    "--market-types": "list",
    "--proxy": "proxy",
    "-s": "shell",
    "--shell": "shell",
    "--system-ds-types": "shell",
    "-w": "timeout",
    "--timeout": "timeout",
}
_FLAGS = {"-p": "parallel", "--parallel": "parallel"}


@dataclass(frozen=True, slots=True)
class Arguments:
    """The options that matter here. ``local`` maps actions to the script that runs on the front-end.

    types: the drivers that may be used (-d, -m); system_types: those for system datastores (-s of
    one_datastore). Empty means any.
    """

    threads: int = 15
    timeout_s: int | None = None
    is_parallel: bool = False
    local: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    types: tuple[str, ...] = ()
    system_types: tuple[str, ...] = ()


def parse(text: str, where: str) -> Arguments:
    """The options of an ARGUMENTS text. Raises ConfigError naming ``where``, what was found and expected."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"{where}/ARGUMENTS: {error}") from None
    values: dict[str, str] = {}
    at = 0
    while at < len(words):
        word, _, attached = words[at].partition("=") if words[at].startswith("--") else (words[at], "", "")
        if word in _FLAGS:
            values[_FLAGS[word]] = "yes"
        elif word in _WITH_VALUE:
            if not attached:
                at += 1
                if at >= len(words):
                    raise ConfigError(f"{where}/ARGUMENTS: option {word} needs a value")
                attached = words[at]
            values[_WITH_VALUE[word]] = attached
        elif word.startswith("-"):
            raise ConfigError(f"{where}/ARGUMENTS: unknown option {word[:40]!r}")
        else:
            values["folder"] = word
        at += 1
    return Arguments(
        threads=_number(values, "threads", where) or 15,
        timeout_s=_number(values, "timeout", where),
        is_parallel="parallel" in values,
        local=_scripts(values.get("local", "")),
        folder=values.get("folder", ""),
        types=_names(values.get("list", "")),
        system_types=_names(values.get("shell", "")),
    )


def _number(values: dict[str, str], name: str, where: str) -> int | None:
    text = values.get(name)
    if text is None:
        return None
    if not text.isdigit() or not 1 <= int(text) <= 10**6:
        raise ConfigError(f"{where}/ARGUMENTS: {name} must be a positive whole number, found {text[:40]!r}")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _scripts(text: str) -> dict[str, str]:
    """``migrate,poll=poll_local`` as a mapping from action to script."""
    pairs = (entry.partition("=") for entry in text.split(",") if entry)
    return {action.strip().lower(): (script or action).strip() for action, _, script in pairs}
