"""What sunstone-server.conf says about the proxy.

Source: VNC settings of sunstone-server.conf of release 6.0.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from services.common import paths
from services.common.config import ConfigError
from services.consoles import tokens

# Debian's package novnc, when it is there: then a browser needs nothing else.
_PAGES = Path("/usr/share/novnc")
# Debian's package python3-websockify, of which the image has the module alone.
_MODULE = Path("/usr/lib/python3/dist-packages/websockify")
_DEFAULT_PORT = 29876


@dataclass(frozen=True, slots=True)
class Settings:
    """tls: no, yes (with and without), only. address: '' for all of this machine."""

    port: int = _DEFAULT_PORT
    address: str = ""
    tls: str = "no"
    cert: str = ""
    key: str = ""
    is_ipv6: bool = False
    pages: Path | None = None

    @classmethod
    def load(cls, path: Path | None = None) -> Settings:
        """Those of the file. Raises ConfigError naming file and setting, what was found and expected."""
        file = path or paths.etc() / "sunstone-server.conf"
        try:
            found = yaml.safe_load(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError):
            raise ConfigError(f"{file}: is no YAML document") from None
        if not isinstance(found, dict):
            raise ConfigError(f"{file}: must be a list of settings")
        given = {str(name).removeprefix(":"): value for name, value in found.items()}
        try:
            return cls._of(given)
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None

    @classmethod
    def _of(cls, given: dict[str, object]) -> Settings:
        address, _, port = str(given.get("vnc_proxy_port", _DEFAULT_PORT)).rpartition(":")
        if not port.isdigit() or not 1 <= int(port) <= 65535:
            raise ConfigError(f"vnc_proxy_port must be a port or address:port, found {port[:40]!r}")
        wanted = given.get("vnc_proxy_support_wss", "no")
        tls = {True: "yes", False: "no", None: "no"}.get(wanted, wanted)  # type: ignore[call-overload]
        if tls not in ("no", "yes", "only"):
            raise ConfigError(f"vnc_proxy_support_wss must be no, yes or only, found {str(wanted)[:40]!r}")
        cert = str(given.get("vnc_proxy_cert") or "")
        if tls != "no" and not cert:
            raise ConfigError("vnc_proxy_cert must name a certificate for vnc_proxy_support_wss, found none")
        return cls(
            port=int(port),
            address=address,
            tls=str(tls),
            cert=cert,
            key=str(given.get("vnc_proxy_key") or ""),
            is_ipv6=given.get("vnc_proxy_ipv6") is True,
            pages=_PAGES if _PAGES.is_dir() else None,
        )

    @property
    def proxy(self) -> tokens.Proxy:
        """What commands are told."""
        host = os.environ.get("OPENNEBULA_HOST", "")
        return tokens.Proxy(self.port, self.tls != "no", self.pages is not None, host)

    def command(self) -> list[str]:
        """The proxy's command. Raises ConfigError when websockify is not installed."""
        command = [*_program(), "--token-plugin", "TokenFile", "--token-source", str(tokens.folder())]
        if self.tls != "no":
            command += ["--cert", self.cert]
            command += ["--key", self.key] if self.key else []
            command += ["--ssl-only"] if self.tls == "only" else []
        if self.is_ipv6:
            command.append("-6")
        if self.pages:
            command += ["--web", str(self.pages)]
        return [*command, f"{self.address}:{self.port}" if self.address else str(self.port)]


def _program() -> list[str]:
    found = shutil.which("websockify")
    if found:
        return [found]
    if _MODULE.is_dir():
        return ["/usr/bin/python3", "-m", "websockify"]
    raise ConfigError("websockify is not installed (Debian's package websockify)")
