"""What is known of every driver action: time limit, and what to do with it after a crash.

Where a driver's actions run and how many at once comes from its section of oned.conf; the table gives the
rest. Takeover ``rerun``: safe to run twice, or made so by what its plan runs before it. ``active`` and
``gone``: ask the hypervisor first (poll); when the machine is already active, or already gone, the action has
done its work and is not run again. ``done``: look for the traces that the action leaves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, lru_cache

from services.common import paths
from services.common.config import ConfigError
from services.common.template import is_yes
from services.oned.config import OnedConf
from services.oned.drivers.arguments import Arguments, parse
from services.oned.monitor import conf as monitor_conf
from services.oned.store.job_limits import Lane


class Takeover(Enum):
    """See the module text; the values are the STATE that poll reports when the action is done already."""

    RERUN = ""
    ACTIVE = "a"
    GONE = "d"
    DONE = "done"


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
    Action("vmm", "migrate", 12 * _HOUR, Takeover.ACTIVE),  # the disks too, where they are not shared
    Action("vmm", "poll", 1 * _MINUTE),
    Action("vmm", "attach_disk", 15 * _MINUTE),
    Action("vmm", "detach_disk", 15 * _MINUTE),
    Action("vmm", "resize_disk", 15 * _MINUTE),
    Action("vmm", "attach_nic", 5 * _MINUTE),
    Action("vmm", "detach_nic", 5 * _MINUTE),
    Action("vmm", "snapshot_create", 2 * _HOUR),
    Action("vmm", "snapshot_revert", 2 * _HOUR),
    Action("vmm", "snapshot_delete", 2 * _HOUR),
    Action("vmm", "prereconfigure", 5 * _MINUTE),
    Action("vmm", "reconfigure", 5 * _MINUTE),
    Action("vmm", "resize", 5 * _MINUTE),
    Action("vnm", "pre", 2 * _MINUTE),
    Action("vnm", "post", 2 * _MINUTE),
    Action("vnm", "clean", 2 * _MINUTE),
    Action("vnm", "update_sg", 2 * _MINUTE),
    Action("tm", "clone", 12 * _HOUR),
    Action("tm", "ln", 12 * _HOUR),  # with the ssh driver a copy
    Action("tm", "mv", 12 * _HOUR),
    Action("tm", "mvds", 12 * _HOUR),
    Action("tm", "cpds", 12 * _HOUR),
    Action("tm", "delete", 30 * _MINUTE),
    Action("tm", "context", 30 * _MINUTE),
    Action("tm", "mkimage", 2 * _HOUR),
    Action("tm", "mkswap", 2 * _HOUR),
    Action("tm", "resize", 2 * _HOUR),
    Action("tm", "snap_create", 12 * _HOUR, Takeover.DONE),
    Action("tm", "snap_create_live", 12 * _HOUR, Takeover.DONE),
    Action("tm", "snap_delete", 2 * _HOUR, Takeover.DONE),
    Action("tm", "snap_revert", 12 * _HOUR),
    Action("tm", "premigrate", 12 * _HOUR, Takeover.ACTIVE),
    Action("tm", "postmigrate", 12 * _HOUR),
    Action("tm", "failmigrate", 2 * _HOUR),
    Action("tm", "hold", 10 * _MINUTE),  # these look at a folder, and never read what is in its files
    Action("tm", "secure", 10 * _MINUTE),
    Action("tm", "check", 10 * _MINUTE),
    Action("tm", "verify", 10 * _MINUTE),
    Action("tm", "stay", 10 * _MINUTE),
    Action("tm", "putback", 10 * _MINUTE),
    Action("tm", "release", 10 * _MINUTE),
    Action("tm", "finish", 10 * _MINUTE),
    Action("tm", "snapped", 2 * _MINUTE),
    Action("tm", "unsnapped", 2 * _MINUTE),
    Action("tm", "monitor", 3 * _MINUTE),
    Action("im", "monitor", 90),
    Action("datastore", "stat", 1 * _MINUTE),  # a caller waits for it
    Action("datastore", "cp", 12 * _HOUR),
    Action("datastore", "mkfs", 2 * _HOUR),
    Action("datastore", "clone", 12 * _HOUR),
    Action("datastore", "rm", 30 * _MINUTE),
    Action("datastore", "monitor", 3 * _MINUTE),
    Action("datastore", "snap_delete", 2 * _HOUR),
    Action("datastore", "snap_revert", 2 * _HOUR),
    Action("datastore", "snap_flatten", 12 * _HOUR),
    Action("datastore", "export", 12 * _HOUR),
    Action("market", "import", 12 * _HOUR),
    Action("market", "delete", 30 * _MINUTE),
    Action("market", "monitor", 10 * _MINUTE),  # public ones list thousands of appliances
]
ACTIONS: dict[tuple[str, str], Action] = {(row.subsystem, row.name): row for row in _ROWS}

# Host drivers whose capacity the engine asks for itself; the others report through monitord.
POLLED_IM_DRIVERS = frozenset({"dummy"})
_IM_LIMIT = 15
_DELEGATED = ("migrate",)
# As vmm_execrc comes with OpenNebula.
_LIVE_SNAPSHOTS = "kvm-qcow2 kvm-ceph kvm-ssh"
_LOCAL_NETWORK = "elastic-post elastic-clean"
_SETTING = re.compile(r"""^\s*(?:export\s+)?([A-Z_]+)=(?:"([^"]*)"|'([^']*)'|([^#\s]*))""", re.MULTILINE)


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

    def delegates(self, action: str) -> bool:
        """Whether the node acts in our name on other nodes for it (-d, by default migrate)."""
        return action in (self.options.types or _DELEGATED)


def _exec_settings() -> dict[str, str]:
    """The variables of vmm_execrc; none when there is no such file."""
    try:
        text = (paths.etc() / "vmm_exec/vmm_execrc").read_text()
    except OSError:
        return {}
    return {name: "".join(values) for name, *values in _SETTING.findall(text)}


class Drivers:
    """The driver sections of an oned.conf, read when first used. Raises ConfigError for broken ones."""

    def __init__(self, conf: OnedConf) -> None:
        self.conf = conf
        self.vmm = lru_cache(maxsize=64)(self._vmm)
        tm = conf.settings.get_vector("TM_MAD") or {}
        self.tm_options = parse(tm.get("ARGUMENTS", ""), "TM_MAD")
        ds = conf.settings.get_vector("DATASTORE_MAD") or {}
        self.ds_options = parse(ds.get("ARGUMENTS", ""), "DATASTORE_MAD")
        market = conf.settings.get_vector("MARKET_MAD") or {}
        self.market_options = parse(market.get("ARGUMENTS", ""), "MARKET_MAD")
        self.remote_folder = conf.settings.get("SCRIPTS_REMOTE_DIR") or "/var/tmp/one"
        settings = _exec_settings()
        # Hypervisor and transfer driver of disks that can be snapshotted while a machine runs (kvm-qcow2).
        self.live_disk_snapshots = frozenset(settings.get("LIVE_DISK_SNAPSHOTS", _LIVE_SNAPSHOTS).split())
        # Actions of network drivers that run on the front-end (elastic-post).
        self.local_network_actions = frozenset(settings.get("VNMAD_LOCAL_ACTIONS", _LOCAL_NETWORK).split())

    @cached_property
    def im_threads(self) -> dict[str, int]:
        """How many agents may be started at once, by monitoring driver; none for a monitord.conf in error."""
        try:
            return {driver.name: driver.threads for driver in monitor_conf.load().drivers.values()}
        except ConfigError:
            return {}  # starts will fail, each with this reason

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
        shared = {"tm": self.tm_options, "ds": self.ds_options, "market": self.market_options}
        if lane.subsystem in shared:
            return shared[lane.subsystem].threads
        if lane.subsystem == "im":
            return self.im_threads.get(lane.driver, _IM_LIMIT)
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
