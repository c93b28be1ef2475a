"""The image parameters: read from the environment, checked all at once. Their records are in ``declared.py``.

A value comes from ``NAME``, its older alias, or the file that ``NAME_FILE`` names; else the default holds. An
empty value counts as not given, since compose files pass variables on that are not set.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bootstrap.declared import PARAMS, SERVICES, Param

__all__ = ["BY_NAME", "PARAMS", "PREFIXES", "SERVICES", "Param", "ParameterFaults", "Settings", "read"]

# An unknown variable that begins like this is a fault.
_OURS = ("OPENNEBULA_", "MYSQL_", "ONEADMIN_", "ONEBOX_", "MAINTENANCE_")
# Other programs have variables that begin like these: unknown ones are faults when they look misspelt only.
_SHARED = (
    "DIND_", "ETCD_", "FIREEDGE_", "GUACD_", "MEMCACHED_", "MONITORD_", "ONED_", "ONEFLOW_", "ONEGATE_",
    "ONEPROVISION_", "SUNSTONE_", "TLS_",
)  # fmt: skip
PREFIXES = _OURS + _SHARED
_MISSPELT = 0.85
# Read by MySQL's own client library and programs; they say nothing about this container.
_FOREIGN = {
    "MYSQL_DEBUG", "MYSQL_GROUP_SUFFIX", "MYSQL_HISTFILE", "MYSQL_HISTIGNORE", "MYSQL_HOME", "MYSQL_PS1",
    "MYSQL_PWD", "MYSQL_TCP_PORT", "MYSQL_UNIX_PORT",
}  # fmt: skip
_FILE_LIMIT_BYTES = 64 * 1024

BY_NAME = {param.name: param for param in PARAMS}
_BY_ALIAS = {param.alias: param for param in PARAMS if param.alias}
# Compose files know the port that clients use, and not always the host.
_NAMES_OTHERS = {"ONEBOX_ENDPOINT"}


class ParameterFaults(Exception):
    """What is wrong with the parameters; ``faults`` has one message each, never the value of a secret."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Settings:
    """The checked values, by parameter name; ``given`` are those that were not left to their default.

    warnings: what the operator should know, though it is no fault.
    """

    values: Mapping[str, str]
    given: frozenset[str]
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def __repr__(self) -> str:
        # Values may be secrets, and a repr ends up in tracebacks.
        return f"Settings(given={sorted(self.given)})"

    def public(self) -> dict[str, str]:
        """The values that are no secrets."""
        return {name: value for name, value in self.values.items() if not BY_NAME[name].secret}

    @property
    def is_maintenance(self) -> bool:
        return self.values["MAINTENANCE_MODE"] == "yes"

    @property
    def port_offset(self) -> int:
        return int(self.values["ONEBOX_PORT_OFFSET"])


# What looks further than at single values: (settings, names that have a fault already) -> faults.
Further = Callable[[Settings, frozenset[str]], list[str]]


def read(environ: Mapping[str, str], *, native: bool = False, further: Further | None = None) -> Settings:
    """The settings that an environment describes. Raises ParameterFaults with every fault there is.

    native: OPENNEBULA_HOST need not be given, the front-end is on this machine. further: checks of what the
    values stand for; their faults are reported together with those of the values.
    """
    faults = list(_unknown(environ))
    found: dict[str, str] = {}
    faulty = set()
    for param in PARAMS:
        try:
            raw = _raw(param, environ)
            if raw:
                found[param.name] = _checked(param, raw)
        except ValueError as error:
            faults.append(str(error))
            faulty.add(param.name)
    given = frozenset(found)
    if native:
        found.setdefault("OPENNEBULA_HOST", "localhost")
    values = {param.name: found.get(param.name, param.default) for param in PARAMS}
    # Our defaults name others, and an endpoint may: in a password "${" means itself.
    values = {
        name: v if name in found and name not in _NAMES_OTHERS else _expanded(v, values)
        for name, v in values.items()
    }
    # What is required depends on the service: with a faulty one it would be guessing.
    if "OPENNEBULA_SERVICE" not in faulty:
        service = values["OPENNEBULA_SERVICE"]
        missing = [
            param
            for param in PARAMS
            if _is_required(param, values) and param.name not in found and param.name not in faulty
        ]
        faulty |= {param.name for param in missing}
        faults += [
            f"{param.name}: required with OPENNEBULA_SERVICE={service} ({param.meaning}), found nothing"
            for param in missing
        ]
    settings = Settings(values, given, tuple(_warnings(environ, values, given, native)))
    if further is not None:
        faults += further(settings, frozenset(faulty))
    if faults:
        raise ParameterFaults(faults)
    return settings


def _expanded(value: str, values: Mapping[str, str]) -> str:
    def named(match: re.Match[str]) -> str:
        found = values.get(match[1], match[0])
        # An IPv6 address within a URL.
        return f"[{found}]" if ":" in found and "://" in value else found

    return re.sub(r"\$\{(\w+)\}", named, value)


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {*BY_NAME, *_BY_ALIAS}
    accepted = known | {f"{name}_FILE" for name in known} | _FOREIGN
    faults = []
    for name in sorted(environ):
        if not name.startswith(PREFIXES) or name in accepted or not environ[name]:
            continue
        cutoff = 0.5 if name.startswith(_OURS) else _MISSPELT
        near = difflib.get_close_matches(name, accepted - _FOREIGN, n=1, cutoff=cutoff)
        if near or name.startswith(_OURS):
            hint = f"; did you mean {near[0]}?" if near else ""
            faults.append(f"{name}: unknown parameter{hint}")
    return faults


def _warnings(
    environ: Mapping[str, str], values: Mapping[str, str], given: frozenset[str], native: bool
) -> list[str]:
    found = [
        f"{name}: older name of {param.name}, which is the one to use"
        for alias, param in sorted(_BY_ALIAS.items())
        for name in (alias, f"{alias}_FILE")
        if environ.get(name)
    ]
    changed = [param for param in PARAMS if param.name in given and values[param.name] != param.default]
    if native:
        names = [param.name for param in changed if param.container_only]
        if names:
            found.append(f"{', '.join(names)}: without a container no effect")
    # Compose files give all parameters to all containers: once is enough.
    if values["OPENNEBULA_SERVICE"] in ("all", "oned"):
        for service in sorted({param.missing for param in changed if param.missing}):
            names = [param.name for param in changed if param.missing == service]
            found.append(f"{', '.join(names)}: no effect, service {service} is not part of this version")
    return found


def _raw(param: Param, environ: Mapping[str, str]) -> str:
    """The value as given, or empty. Raises ValueError: given twice, or its file cannot be read."""
    sources = {name: environ[name] for name in (param.name, param.alias) if name and environ.get(name)}
    for name in (f"{param.name}_FILE", f"{param.alias}_FILE" if param.alias else ""):
        # OPENNEBULA_BATCH_FILE is a parameter itself, not the file variant of another one.
        if name and name not in BY_NAME and environ.get(name):
            sources[name] = _content(name, Path(environ[name]))
    if len(set(sources.values())) > 1:
        raise ValueError(f"{' and '.join(sources)}: given both, with different values; keep one")
    return next(iter(sources.values()), "")


def _content(name: str, file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{name}: cannot read {file}: {error.strerror}") from None
    if len(content) > _FILE_LIMIT_BYTES:
        raise ValueError(f"{name}: {file} is larger than {_FILE_LIMIT_BYTES // 1024} KiB")
    try:
        value = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{name}: {file} is not UTF-8 text") from None
    if not value:
        raise ValueError(f"{name}: {file} is empty")
    return value


def _checked(param: Param, raw: str) -> str:
    try:
        return param.check(raw)
    except ValueError as error:
        found = "" if param.secret else f", found {raw[:60]!r}"
        raise ValueError(f"{param.name}: {error}{found}") from None


def _is_required(param: Param, values: Mapping[str, str]) -> bool:
    if param.name.startswith("MYSQL_") and values["ONEBOX_DB"] == "sqlite":
        return False
    if param.name == "MYSQL_PASSWORD" and values["OPENNEBULA_SERVICE"] == "all":
        # Random for the inner database; an outer one has its own.
        return values["MYSQL_HOST"] != "localhost"
    return values["OPENNEBULA_SERVICE"] in param.required_for
