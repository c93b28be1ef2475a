"""The settings of monitord.conf, checked once and read as plain values.

Source: monitor configuration reference of release 6.0; the defaults are the stock file's.
"""

from __future__ import annotations

import ipaddress
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from services.common import paths, xmldoc
from services.common.config import ConfigError, integer, read
from services.common.template import Template

_PERIODS = {
    "BEACON_HOST": 30,
    "MONITOR_HOST": 120,
    "MONITOR_VM": 30,
    "STATE_VM": 5,
    "SYNC_STATE_VM": 180,
    "SYSTEM_HOST": 600,
}
_LONGEST_S = 10**8
_PUBLIC_KEY_MAX = 16_384
_EXECUTABLES = ("one_im_ssh", "one_im_sh")


@dataclass(frozen=True, slots=True)
class ImDriver:
    """One IM_MAD section. is_local: the agent runs on the front-end; ``threads`` starts at once."""

    name: str
    is_local: bool = False
    threads: int = 15
    timeout_s: int = 90


@dataclass(frozen=True, slots=True)
class MonitorConf:
    """monitord.conf. Times in seconds; an expiration of 0 stores no samples.

    pubkey: the PEM text of the key that agents encrypt with. prikey: the file of the other half.
    """

    timer_s: int = 15
    silence_s: int = 180
    host_expiration_s: int = 43_200
    vm_expiration_s: int = 43_200
    debug_level: int = 3
    address: str = "0.0.0.0"
    monitor_address: str = "auto"
    port: int = 4124
    pubkey: str = field(default="", repr=False)
    prikey: Path | None = None
    periods: dict[str, int] = field(default_factory=lambda: dict(_PERIODS))
    drivers: dict[str, ImDriver] = field(default_factory=dict)

    def for_agents(self, host_id: int, datastore_location: str) -> str:
        """MONITOR_CONFIGURATION: what the agent of a host is given when it is started."""
        network = {
            "ADDRESS": self.address,
            "MONITOR_ADDRESS": self.monitor_address,
            "PORT": str(self.port),
            "PUBKEY": self.pubkey,
        }
        periods = {name: str(seconds) for name, seconds in self.periods.items()}
        return (
            f"<MONITOR_CONFIGURATION>{_elements({'DATASTORE_LOCATION': datastore_location})}"
            f"{_elements({'HOST_ID': str(host_id)})}<NETWORK>{_elements(network)}</NETWORK>"
            f"<PROBES_PERIOD>{_elements(periods)}</PROBES_PERIOD></MONITOR_CONFIGURATION>"
        )


def _elements(values: dict[str, str]) -> str:
    return "".join(f"<{name}>{xmldoc.escape(value)}</{name}>" for name, value in values.items())


def load(path: Path | None = None) -> MonitorConf:
    """The settings of monitord.conf (or ``path``); the defaults where there is no such file.

    Raises ConfigError naming file, setting, found and expected.
    """
    file = path or paths.etc() / "monitord.conf"
    if not file.exists():
        return from_settings(Template())
    settings = read(file)
    try:
        return from_settings(settings)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None


def from_settings(settings: Template) -> MonitorConf:
    """The checked settings. Raises ConfigError."""
    network = _section(settings, "NETWORK")
    log = _section(settings, "LOG")
    private = network.get("PRIKEY") or ""
    return MonitorConf(
        timer_s=integer(settings, "MANAGER_TIMER", 15, 1, 3600),
        silence_s=integer(settings, "MONITORING_INTERVAL_HOST", 180, 1, _LONGEST_S),
        host_expiration_s=integer(settings, "HOST_MONITORING_EXPIRATION_TIME", 43_200, 0, _LONGEST_S),
        vm_expiration_s=integer(settings, "VM_MONITORING_EXPIRATION_TIME", 43_200, 0, _LONGEST_S),
        debug_level=_number(log, "LOG", "DEBUG_LEVEL", 3, 0, 5),
        address=_address(network.get("ADDRESS") or "0.0.0.0"),
        monitor_address=network.get("MONITOR_ADDRESS") or "auto",
        port=_number(network, "NETWORK", "PORT", 4124, 1, 65_535),
        pubkey=_public_key(network.get("PUBKEY") or ""),
        prikey=Path(private) if private else None,
        periods=_periods(settings),
        drivers=_drivers(settings),
    )


def _section(settings: Template, name: str) -> Template:
    return Template(list((settings.get_vector(name) or {}).items()))


def _number(section: Template, where: str, name: str, default: int, low: int, high: int) -> int:
    try:
        return integer(section, name, default, low, high)
    except ConfigError as error:
        raise ConfigError(f"{where}/{error}") from None


def _address(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ConfigError(f"NETWORK/ADDRESS must be an IP address, found {text[:40]!r}") from None
    return text


def _public_key(path: str) -> str:
    """The text of the key's file. Raises ConfigError."""
    if not path:
        return ""
    try:
        text = Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"NETWORK/PUBKEY: {path} cannot be read as a PEM file") from None
    if "PUBLIC KEY" not in text or "PRIVATE" in text or len(text) > _PUBLIC_KEY_MAX:
        raise ConfigError(f"NETWORK/PUBKEY: {path} must hold one public RSA key (PEM)")
    return text


def _periods(settings: Template) -> dict[str, int]:
    section = _section(settings, "PROBES_PERIOD")
    return {
        name: _number(section, "PROBES_PERIOD", name, default, 1, _LONGEST_S)
        for name, default in _PERIODS.items()
    }


def _drivers(settings: Template) -> dict[str, ImDriver]:
    found: dict[str, ImDriver] = {}
    for section in settings.vectors("IM_MAD"):
        driver = _driver(section)
        found[driver.name] = driver
    # Without any section (no file, or one that only sets periods) the stock hypervisors are known.
    return found or {name: ImDriver(name) for name in ("kvm", "qemu")}


def _driver(section: dict[str, str]) -> ImDriver:
    name = section.get("NAME", "")
    if not name:
        raise ConfigError("IM_MAD: NAME is missing")
    executable = section.get("EXECUTABLE", "one_im_ssh").rpartition("/")[2]
    if executable not in _EXECUTABLES:
        raise ConfigError(
            f"IM_MAD {name}: EXECUTABLE must be one of {', '.join(_EXECUTABLES)}, found {executable[:40]!r}"
        )
    options = _options(section.get("ARGUMENTS", ""), name)
    return ImDriver(
        name,
        is_local=executable == "one_im_sh" or "-l" in options,
        threads=options.get("-t", 15) or 15,
        timeout_s=options.get("-w", 90) or 90,
    )


_LONG = {"--retries": "-r", "--threads": "-t", "--timeout": "-w", "--local": "-l", "--force-copy": "-c"}


def _options(text: str, name: str) -> dict[str, int]:
    """The options of an ARGUMENTS text by letter; flags are 1. Raises ConfigError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"IM_MAD {name}/ARGUMENTS: {error}") from None
    found: dict[str, int] = {}
    while words:
        word, _, value = words.pop(0).partition("=")
        option = _LONG.get(word, word)
        if option in ("-l", "-c"):
            found[option] = 1
        elif option in ("-r", "-t", "-w"):
            value = value or (words.pop(0) if words else "")
            if not value.isdigit() or int(value) > 10**6:
                raise ConfigError(
                    f"IM_MAD {name}/ARGUMENTS: {option} must be a whole number, found {value[:40]!r}"
                )
            found[option] = int(value)
        elif option.startswith("-"):
            raise ConfigError(f"IM_MAD {name}/ARGUMENTS: unknown option {option[:40]!r}")
    return found
