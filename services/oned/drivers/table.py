"""What is known of every driver action: time limit, and what to do with it after a crash.

Where a driver's actions run and how many at once comes from its section of oned.conf; the table gives the
rest. Takeover ``rerun``: safe to run twice. ``active`` and ``gone``: ask the hypervisor first (poll); when
the machine is already active, or already gone, the action has done its work and is not run again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from services.common.config import ConfigError
from services.common.template import is_yes
from services.oned.config import OnedConf
from services.oned.drivers.arguments import Arguments, parse
from services.oned.store.jobs import Lane


class Takeover(Enum):
    """See the module text; the values are the STATE that poll reports when the action is done already."""

    RERUN = ""
    ACTIVE = "a"
    GONE = "d"


@dataclass(frozen=True, slots=True)
class Action:
    """One row. ``timeout_s`` holds for one run and yields to the driver's own -w option."""

    subsystem: str
    name: str
    timeout_s: int
    takeover: Takeover = Takeover.RERUN


_MINUTE, _HOUR = 60, 3600

_ROWS = [
    Action("vmm", "deploy", 15 * _MINUTE, Takeover.ACTIVE),
    Action("vmm", "shutdown", 15 * _MINUTE, Takeover.GONE),
    Action("vmm", "cancel", 5 * _MINUTE, Takeover.GONE),
    Action("vmm", "reboot", 5 * _MINUTE),
    Action("vmm", "reset", 5 * _MINUTE),
    Action("vmm", "save", 2 * _HOUR, Takeover.GONE),
    Action("vmm", "restore", 2 * _HOUR, Takeover.ACTIVE),
    Action("vmm", "poll", 1 * _MINUTE),
    Action("vnm", "pre", 2 * _MINUTE),
    Action("vnm", "post", 2 * _MINUTE),
    Action("vnm", "clean", 2 * _MINUTE),
    Action("tm", "clone", 12 * _HOUR),
    Action("tm", "ln", 12 * _HOUR),  # with the ssh driver a copy
    Action("tm", "mv", 12 * _HOUR),
    Action("tm", "mvds", 12 * _HOUR),
    Action("tm", "delete", 30 * _MINUTE),
    Action("tm", "context", 30 * _MINUTE),
    Action("tm", "mkimage", 2 * _HOUR),
    Action("im", "monitor", 90),
]
ACTIONS: dict[tuple[str, str], Action] = {(row.subsystem, row.name): row for row in _ROWS}

# Host drivers whose capacity the engine asks for itself; the others report through monitord.
POLLED_IM_DRIVERS = frozenset({"dummy"})
_IM_LIMIT = 15


class UnknownDriver(ValueError):
    """An object names a driver that oned.conf has no section for."""


@dataclass(frozen=True, slots=True)
class VmmDriver:
    """One VM_MAD section.

    folder: below vmm/ of the remotes. is_local: every action runs on the front-end; else those of
    ``options.local`` do. is_parallel: several actions at once on one host.
    deployment_type: TYPE, the format of the deployment file. simulates: subsystems (tm, vnm) whose dummy
    driver stands in on hosts of this driver, for there is no machine to reach.
    """

    name: str
    folder: str
    is_local: bool
    is_parallel: bool
    deployment_type: str
    options: Arguments = field(default_factory=Arguments)
    simulates: frozenset[str] = frozenset()


class Drivers:
    """The driver sections of an oned.conf, read when first used. Raises ConfigError for broken ones."""

    def __init__(self, conf: OnedConf) -> None:
        self.conf = conf
        self.vmm = lru_cache(maxsize=64)(self._vmm)
        tm = conf.settings.get_vector("TM_MAD") or {}
        self.tm_options = parse(tm.get("ARGUMENTS", ""), "TM_MAD")
        self.remote_folder = conf.settings.get("SCRIPTS_REMOTE_DIR") or "/var/tmp/one"

    def _vmm(self, name: str) -> VmmDriver:
        section = self.conf.driver("VM_MAD", name)
        if section is None:
            if name != "dummy":
                raise UnknownDriver(f"there is no VM_MAD section named {name!r} in oned.conf")
            section = {"EXECUTABLE": "one_vmm_dummy", "TYPE": "xml"}
        executable = section.get("EXECUTABLE", "one_vmm_exec").rpartition("/")[2]
        if executable not in ("one_vmm_exec", "one_vmm_sh", "one_vmm_dummy"):
            raise ConfigError(
                f"VM_MAD {name}: EXECUTABLE must be one_vmm_exec, one_vmm_sh or one_vmm_dummy, "
                f"found {executable!r}"
            )
        options = parse(section.get("ARGUMENTS") or f"-t 64 {name}", f"VM_MAD {name}")
        is_dummy = executable == "one_vmm_dummy" or options.folder == "dummy"
        is_simulated = is_yes(section.get("SIMULATE", "YES" if is_dummy else "NO"))
        return VmmDriver(
            name=name,
            folder=options.folder or name,
            is_local=is_dummy or executable != "one_vmm_exec",
            is_parallel=is_dummy or options.is_parallel,
            deployment_type=section.get("TYPE", "xml"),
            options=options,
            simulates=frozenset({"tm", "vnm"}) if is_simulated else frozenset(),
        )

    def timeout_s(self, subsystem: str, action: str, options: Arguments | None = None) -> int:
        """The time limit of one run of an action."""
        if options is not None and options.timeout_s is not None:
            return options.timeout_s
        return ACTIONS[subsystem, action].timeout_s

    def lane_limit(self, lane: Lane) -> int:
        """How many jobs of a driver may run at once: its -t option."""
        if lane.subsystem == "tm":
            return self.tm_options.threads
        if lane.subsystem != "vmm":
            return _IM_LIMIT
        try:
            return self.vmm(lane.driver).options.threads
        except (UnknownDriver, ConfigError):
            return _IM_LIMIT  # its jobs will fail at once, each with this reason

    def host_limit(self, lane: Lane) -> int:
        """How many of them on one host: never all, so that a hung host leaves room for the others."""
        limit = self.lane_limit(lane)
        shared = max(1, limit // 3)
        if lane.subsystem != "vmm":
            return shared
        try:
            return shared if self.vmm(lane.driver).is_parallel else 1
        except (UnknownDriver, ConfigError):
            return shared
