"""The settings of sched.conf as one checked record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.common import config
from services.common.config import ConfigError
from services.common.template import Template, is_yes
from services.scheduler import expression

#: What each policy number ranks by; None stands for the RANK given beside it.
HOST_POLICIES: tuple[str | None, ...] = ("RUNNING_VMS", "- RUNNING_VMS", "FREE_CPU", None, "PRIORITY")
DATASTORE_POLICIES: tuple[str | None, ...] = ("- FREE_MB", "FREE_MB", None, "PRIORITY")
NETWORK_POLICIES: tuple[str | None, ...] = ("- USED_LEASES", "USED_LEASES", None, "PRIORITY")

_MANY = 10**9
_KNOWN = frozenset(
    [
        "MESSAGE_SIZE", "TIMEOUT", "ONE_XMLRPC", "SCHED_INTERVAL", "MAX_VM", "MAX_DISPATCH", "MAX_HOST",
        "LIVE_RESCHEDS", "COLD_MIGRATE_MODE", "MEMORY_SYSTEM_DS_SCALE", "DIFFERENT_VNETS", "DEFAULT_SCHED",
        "DEFAULT_DS_SCHED", "DEFAULT_NIC_SCHED", "LOG", "DISPATCH_THREADS",
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SchedConf:
    """Settings of one file; the defaults hold where the file says nothing.

    max_vm, max_dispatch, max_host: per round, 0 for no limit. host_rank, datastore_rank, network_rank:
    expressions for VMs that bring none. different_vnets: each automatic interface of a VM gets a network of
    its own. cold_migrate_mode: 0 save, 1 power off, 2 power off hard. dispatch_threads: deployments asked for
    at the same time (not OpenNebula's: our own).
    log_to_file: besides the standard error, which every LOG/SYSTEM gets. unknown: settings of the file that
    nothing here reads.
    """

    endpoint: str = "http://localhost:2633/RPC2"
    timeout_s: int = 60
    interval_s: int = 30
    max_vm: int = 300
    max_dispatch: int = 30
    max_host: int = 1
    memory_system_ds_scale: int = 0
    host_rank: str = "- RUNNING_VMS"
    datastore_rank: str = "FREE_MB"
    network_rank: str = "USED_LEASES"
    different_vnets: bool = True
    live_rescheds: bool = False
    cold_migrate_mode: int = 0
    dispatch_threads: int = 8
    debug_level: int = 3
    log_to_file: bool = True
    unknown: tuple[str, ...] = ()


def load(path: Path) -> SchedConf:
    """The settings of a file. Raises ConfigError, naming the file and every setting that cannot be used."""
    settings = config.read(path)
    faults: list[str] = []

    def whole(name: str, default: int, low: int, high: int = _MANY) -> int:
        try:
            return config.integer(settings, name, default, low, high)
        except ConfigError as error:
            faults.append(str(error))
            return default

    def policy(name: str, ranks: tuple[str | None, ...]) -> str:
        try:
            return _policy(settings, name, ranks)
        except ConfigError as error:
            faults.append(str(error))
            return ""

    default = SchedConf()
    conf = SchedConf(
        endpoint=settings.get("ONE_XMLRPC") or default.endpoint,
        timeout_s=whole("TIMEOUT", default.timeout_s, 1, 3600),
        interval_s=whole("SCHED_INTERVAL", default.interval_s, 1, 86400),
        max_vm=whole("MAX_VM", default.max_vm, 0),
        max_dispatch=whole("MAX_DISPATCH", default.max_dispatch, 0),
        max_host=whole("MAX_HOST", default.max_host, 0),
        memory_system_ds_scale=whole("MEMORY_SYSTEM_DS_SCALE", 0, -1, 1000),
        host_rank=policy("DEFAULT_SCHED", HOST_POLICIES),
        datastore_rank=policy("DEFAULT_DS_SCHED", DATASTORE_POLICIES),
        network_rank=policy("DEFAULT_NIC_SCHED", NETWORK_POLICIES),
        different_vnets=_is_different(settings, faults),
        live_rescheds=whole("LIVE_RESCHEDS", 0, 0, 1) == 1,
        cold_migrate_mode=whole("COLD_MIGRATE_MODE", 0, 0, 2),
        dispatch_threads=whole("DISPATCH_THREADS", default.dispatch_threads, 1, 64),
        debug_level=_debug_level(settings, faults),
        log_to_file=_log_system(settings, faults) == "file",
        unknown=tuple(sorted(settings.names() - _KNOWN)),
    )
    whole("MESSAGE_SIZE", 1 << 30, 1, 1 << 40)  # answers are read whole; a wrong value is found all the same
    if faults:
        raise ConfigError(f"{path}: " + "; ".join(faults))
    return conf


def _policy(settings: Template, name: str, ranks: tuple[str | None, ...]) -> str:
    vector = settings.get_vector(name)
    if vector is None:
        if name in settings:
            raise ConfigError(f"{name} must be a vector such as [ POLICY = 1 ], found a text")
        return ranks[1] or ""
    text = vector.get("POLICY", "1")
    if not text.isdigit() or int(text) >= len(ranks):
        raise ConfigError(f"{name}/POLICY must lie between 0 and {len(ranks) - 1}, found {text[:40]!r}")
    rank = ranks[int(text)]
    if rank is not None:
        return rank
    if not vector.get("RANK"):
        raise ConfigError(f"{name}/POLICY = {text} needs a RANK beside it, found none")
    try:
        expression.rank(vector["RANK"])
    except expression.ExpressionError as error:
        raise ConfigError(f"{name}/RANK: {error}") from None
    return vector["RANK"]


def _is_different(settings: Template, faults: list[str]) -> bool:
    text = settings.get("DIFFERENT_VNETS") or "YES"
    if not is_yes(text) and text.upper() not in ("NO", "FALSE", "0"):
        faults.append(f"DIFFERENT_VNETS must be YES or NO, found {text[:40]!r}")
    return is_yes(text)


def _debug_level(settings: Template, faults: list[str]) -> int:
    text = (settings.get_vector("LOG") or {}).get("DEBUG_LEVEL", "3")
    if not text.isdigit() or int(text) > 5:
        faults.append(f"LOG/DEBUG_LEVEL must lie between 0 and 5, found {text[:40]!r}")
        return 3
    return int(text)


def _log_system(settings: Template, faults: list[str]) -> str:
    system = (settings.get_vector("LOG") or {}).get("SYSTEM", "file").lower()
    if system not in ("file", "std", "syslog"):
        faults.append(f"LOG/SYSTEM must be file, std or syslog, found {system[:40]!r}")
    return system
