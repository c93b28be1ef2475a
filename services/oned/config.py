"""The settings of oned.conf that the core uses, checked once and read as plain values."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from services.common import paths
from services.common.config import ConfigError, integer, read
from services.common.template import Template

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class DbConf:
    """Where the database is. ``backend`` is sqlite or mysql; ``port`` 0 means the standard one."""

    backend: str
    path: Path
    server: str = "localhost"
    port: int = 0
    user: str = "oneadmin"
    password: str = field(default="", repr=False)
    name: str = "opennebula"
    socket: str = ""
    timeout_ms: int = 2500


@dataclass(frozen=True)
class OnedConf:
    """oned.conf; ``settings`` holds everything, the other fields what is needed often."""

    settings: Template
    db: DbConf
    port: int = 2633
    listen_address: str = "0.0.0.0"
    message_size_bytes: int = 8 * _MEGABYTE
    api_workers: int = 2
    api_threads: int = 8
    debug_level: int = 3
    default_umask: int = 0o177
    session_expiration_s: int = 900
    zone_id: int = 0
    datastore_location: str = "/var/lib/one/datastores"
    monitoring_interval_host_s: int = 180
    monitoring_interval_datastore_s: int = 300
    monitoring_interval_market_s: int = 600
    event_retention_h: int = 24
    default_auth: str = ""
    enable_other_permissions: bool = True
    key_file: Path = Path("/var/lib/one/.one/one_key")

    def driver(self, section: str, name: str) -> dict[str, str] | None:
        """The vector of a driver section (VM_MAD, TM_MAD_CONF, DS_MAD_CONF) with that NAME, or None."""
        return next((v for v in self.settings.vectors(section) if v.get("NAME") == name), None)


def load(path: Path | None = None) -> OnedConf:
    """The settings of oned.conf (or ``path``). Raises ConfigError naming file, setting, found, expected."""
    file = path or paths.etc() / "oned.conf"
    settings = read(file)
    try:
        return from_settings(settings)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None


def from_settings(settings: Template) -> OnedConf:
    """The checked settings. Raises ConfigError."""
    umask_text = settings.get("DEFAULT_UMASK") or "177"
    if not umask_text.isdigit() or any(digit not in "01234567" for digit in umask_text):
        raise ConfigError(f"DEFAULT_UMASK must be three octal digits, found {umask_text[:10]!r}")
    log = settings.get_vector("LOG") or {}
    datastores = settings.get("DATASTORE_LOCATION") or str(paths.var() / "datastores")
    return OnedConf(
        settings=settings,
        db=_db(settings),
        port=integer(settings, "PORT", 2633, 1, 65535),
        listen_address=settings.get("LISTEN_ADDRESS") or "0.0.0.0",
        message_size_bytes=integer(settings, "MESSAGE_SIZE", 8 * _MEGABYTE, 1024, 2**31 - 1),
        api_workers=integer(settings, "API_WORKERS", max(1, min(4, os.cpu_count() or 1)), 1, 64),
        api_threads=integer(settings, "API_THREADS", 8, 2, 256),
        debug_level=integer(Template(list(log.items())), "DEBUG_LEVEL", 3, 0, 5),
        default_umask=int(umask_text, 8),
        session_expiration_s=integer(settings, "SESSION_EXPIRATION_TIME", 900, 0, 10**9),
        datastore_location=datastores,
        monitoring_interval_host_s=integer(settings, "MONITORING_INTERVAL_HOST", 180, 1, 10**6),
        monitoring_interval_datastore_s=integer(settings, "MONITORING_INTERVAL_DATASTORE", 300, 1, 10**6),
        monitoring_interval_market_s=integer(settings, "MONITORING_INTERVAL_MARKET", 600, 1, 10**6),
        event_retention_h=integer(settings, "EVENT_RETENTION_HOURS", 24, 1, 10**5),
        default_auth=settings.get("DEFAULT_AUTH") or "",
        enable_other_permissions=settings.get_bool("ENABLE_OTHER_PERMISSIONS", True),
        key_file=paths.auth_dir() / "one_key",
    )


def _db(settings: Template) -> DbConf:
    section = settings.get_vector("DB") or {"BACKEND": "sqlite"}
    backend = section.get("BACKEND", "sqlite")
    if backend not in ("sqlite", "mysql"):
        raise ConfigError(f"DB/BACKEND must be sqlite or mysql, found {backend[:40]!r}")
    values = Template(list(section.items()))
    return DbConf(
        backend=backend,
        path=paths.var() / "one.db",
        server=section.get("SERVER", "localhost"),
        port=integer(values, "PORT", 0, 0, 65535),
        user=section.get("USER", "oneadmin"),
        password=section.get("PASSWD", ""),
        name=section.get("DB_NAME", "opennebula"),
        socket=section.get("SOCKET", ""),
        timeout_ms=integer(values, "TIMEOUT", 2500, 1, 600_000),
    )
