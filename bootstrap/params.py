"""The image parameters: declared once, read from the environment, checked all at once.

A value comes from ``NAME``, its older alias, or the file that ``NAME_FILE`` names; else the default holds. An
empty value counts as not given, since compose files pass variables on that are not set.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bootstrap import checks
from bootstrap.checks import Check

SERVICES = ("all", "oned", "scheduler", "mysqld", "none")
PREFIXES = ("OPENNEBULA_", "MYSQL_", "ONEADMIN_", "ONEBOX_", "MAINTENANCE_")
# Read by MySQL's own client library and programs; they say nothing about this container.
_FOREIGN = {
    "MYSQL_DEBUG", "MYSQL_GROUP_SUFFIX", "MYSQL_HISTFILE", "MYSQL_HISTIGNORE", "MYSQL_HOME", "MYSQL_PS1",
    "MYSQL_PWD", "MYSQL_TCP_PORT", "MYSQL_UNIX_PORT",
}  # fmt: skip
_FILE_LIMIT_BYTES = 64 * 1024


class ParameterFaults(Exception):
    """What is wrong with the parameters; ``faults`` has one message each, never the value of a secret."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Param:
    """One parameter. ``default`` may name another as ``${NAME}``; ``required_for``: who needs a value."""

    name: str
    meaning: str
    check: Check = checks.text
    default: str = ""
    services: tuple[str, ...] = ("all",)
    required_for: tuple[str, ...] = ()
    alias: str = ""
    secret: bool = False
    no_effect_yet: bool = False


PARAMS: tuple[Param, ...] = (
    Param(
        "OPENNEBULA_SERVICE",
        "which services run in this container",
        checks.choice(*SERVICES),
        "all",
        SERVICES,
        alias="OPENNEBULA_FRONTEND_SERVICE",
    ),
    Param(
        "OPENNEBULA_HOST",
        "host name or address under which clients reach the front-end",
        checks.host,
        services=("all", "oned"),
        required_for=("all", "oned"),
        alias="OPENNEBULA_FRONTEND_HOST",
    ),
    Param(
        "ONED_HOST",
        "where oned runs, when not in this container",
        checks.host,
        "localhost",
        ("scheduler",),
        required_for=("scheduler",),
    ),
    Param(
        "MAINTENANCE_MODE", "configure the services but start none of them", checks.boolean, "no", SERVICES
    ),
    Param(
        "ONEADMIN_PASSWORD",
        "initial password of oneadmin; random when empty; later changes are made with `oneuser passwd`",
        checks.password,
        services=("all", "oned"),
        secret=True,
    ),
    Param(
        "MYSQL_HOST",
        "where the database runs; another host than localhost leaves the inner one out",
        checks.host,
        "localhost",
        ("all", "oned"),
        required_for=("oned",),
    ),
    Param("MYSQL_PORT", "port of the database", checks.number(1, 65535), "3306", ("all", "oned", "mysqld")),
    Param(
        "MYSQL_DATABASE",
        "name of the database, created if absent",
        checks.identifier,
        "opennebula",
        ("all", "oned", "mysqld"),
    ),
    Param(
        "MYSQL_USER",
        "user of the database, created if absent",
        checks.database_user,
        "oneadmin",
        ("all", "oned", "mysqld"),
    ),
    Param(
        "MYSQL_PASSWORD",
        "password of that user; random in the all-in-one container when empty",
        checks.password,
        services=("all", "oned", "mysqld"),
        required_for=("oned", "mysqld"),
        secret=True,
    ),
    Param(
        "MYSQL_ROOT_PASSWORD",
        "password of the database's root; random once when empty",
        checks.password,
        services=("all", "mysqld"),
        secret=True,
    ),
    Param(
        "ONEBOX_DB",
        "database of the all-in-one container: the MariaDB inside, or SQLite",
        checks.choice("mysql", "sqlite"),
        "mysql",
        ("all", "oned"),
    ),
    Param(
        "ONEBOX_PORT_OFFSET",
        "native mode: added to every port, so that several instances run side by side",
        checks.number(0, 50000),
        "0",
        SERVICES,
    ),
    Param(
        "OPENNEBULA_SSH_HOST",
        "host name or address under which nodes reach the front-end over ssh",
        checks.host,
        "${OPENNEBULA_HOST}",
        ("all", "oned"),
        alias="OPENNEBULA_FRONTEND_SSH_HOST",
        no_effect_yet=True,
    ),
    Param(
        "OPENNEBULA_ONEGATE_HOST",
        "advertised OneGate endpoint host",
        checks.host,
        "${OPENNEBULA_HOST}",
        ("all", "oned"),
        no_effect_yet=True,
    ),
    Param("OPENNEBULA_CUSTOMER_TOKEN", "customer support token", no_effect_yet=True, secret=True),
    Param(
        "OPENNEBULA_ONECFG_PATCH",
        "onecfg patch file",
        checks.absolute_path,
        services=SERVICES,
        alias="OPENNEBULA_FRONTEND_ONECFG_PATCH",
        no_effect_yet=True,
    ),
    Param(
        "OPENNEBULA_PREBOOTSTRAP_HOOK",
        "executable run before bootstrap",
        checks.absolute_path,
        services=SERVICES,
        alias="OPENNEBULA_FRONTEND_PREHOOK",
        no_effect_yet=True,
    ),
    Param(
        "OPENNEBULA_POSTBOOTSTRAP_HOOK",
        "executable run after bootstrap",
        checks.absolute_path,
        services=SERVICES,
        alias="OPENNEBULA_FRONTEND_POSTHOOK",
        no_effect_yet=True,
    ),
    Param(
        "OPENNEBULA_BATCH_FILE",
        "executable run once oned answers",
        checks.absolute_path,
        services=("all", "oned"),
        no_effect_yet=True,
    ),
    Param(
        "ONEADMIN_SSH_PRIVKEY_BASE64",
        "private SSH key of oneadmin, base64",
        services=("all", "oned"),
        secret=True,
        no_effect_yet=True,
    ),
    Param(
        "ONEADMIN_SSH_PUBKEY_BASE64",
        "public SSH key of oneadmin, base64",
        services=("all", "oned"),
        no_effect_yet=True,
    ),
    Param(
        "ONEADMIN_SSH_PRIVKEY",
        "private SSH key, path in the container",
        checks.absolute_path,
        "/ssh/id_rsa",
        ("all", "oned"),
        no_effect_yet=True,
    ),
    Param(
        "ONEADMIN_SSH_PUBKEY",
        "public SSH key, path in the container",
        checks.absolute_path,
        "/ssh/id_rsa.pub",
        ("all", "oned"),
        no_effect_yet=True,
    ),
)

BY_NAME = {param.name: param for param in PARAMS}
_BY_ALIAS = {param.alias: param for param in PARAMS if param.alias}


@dataclass(frozen=True)
class Settings:
    """The checked values, by parameter name; ``given`` are those that were not left to their default."""

    values: Mapping[str, str]
    given: frozenset[str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def __repr__(self) -> str:
        # Values may be secrets, and a repr ends up in tracebacks.
        return f"Settings(given={sorted(self.given)})"

    @property
    def is_maintenance(self) -> bool:
        return self.values["MAINTENANCE_MODE"] == "yes"

    @property
    def port_offset(self) -> int:
        return int(self.values["ONEBOX_PORT_OFFSET"])


def read(environ: Mapping[str, str], *, native: bool = False) -> Settings:
    """The settings that an environment describes. Raises ParameterFaults with every fault there is.

    native: OPENNEBULA_HOST need not be given, the front-end is on this machine.
    """
    faults = list(_unknown(environ))
    found: dict[str, str] = {}
    for param in PARAMS:
        try:
            raw = _raw(param, environ)
            if raw:
                found[param.name] = _checked(param, raw)
        except ValueError as error:
            faults.append(str(error))
    given = frozenset(found)
    if native:
        found.setdefault("OPENNEBULA_HOST", "localhost")
    values = {param.name: found.get(param.name, param.default) for param in PARAMS}
    values = {name: re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], value) for name, value in values.items()}
    # What is required depends on the service: with a faulty one it would be guessing.
    if not any(fault.startswith("OPENNEBULA_SERVICE:") for fault in faults):
        service = values["OPENNEBULA_SERVICE"]
        faults.extend(
            f"{param.name}: required with OPENNEBULA_SERVICE={service} ({param.meaning}), found nothing"
            for param in PARAMS
            if _is_required(param, values) and param.name not in found and not _has_fault(param, faults)
        )
    if faults:
        raise ParameterFaults(faults)
    return Settings(values, given)


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {*BY_NAME, *_BY_ALIAS}
    accepted = known | {f"{name}_FILE" for name in known} | _FOREIGN
    faults = []
    for name in sorted(environ):
        if name.startswith(PREFIXES) and name not in accepted and environ[name]:
            near = difflib.get_close_matches(name, accepted - _FOREIGN, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            faults.append(f"{name}: unknown parameter{hint}")
    return faults


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


def _has_fault(param: Param, faults: list[str]) -> bool:
    suffixes = (":", "_FILE:", " and", "_FILE and")
    names = tuple(f"{name}{suffix}" for name in (param.name, param.alias) if name for suffix in suffixes)
    return any(fault.startswith(names) for fault in faults)
