"""What oned.conf says about hypervisor drivers and VNC ports, for the life-cycle of this process.

Results of drivers are applied far from any call, so the settings are given once at the start: ``use``.
Source: VM_MAD and VNC_PORTS sections of the oned configuration reference of release 6.0.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.common import paths
from services.common.template import Template, is_yes
from services.oned.config import OnedConf

_FIRST_PORT = 5900
_LAST_PORT = 65535
_IMPORTED = (
    "hold, release, suspend, resume, delete, reboot, reboot-hard, resched, unresched, disk-attach, "
    "disk-detach, nic-attach, nic-detach"
)
_IMPORTED_PUBLIC = f"{_IMPORTED}, poweroff, poweroff-hard"
_PUBLIC = ("sl", "ec2", "az", "vcenter")


@dataclass(frozen=True, slots=True)
class Traits:
    """What a hypervisor driver can do, by its VM_MAD section.

    imported_actions: what may be asked for a VM that was imported from such a host.
    """

    keeps_snapshots: bool = False
    moves_datastore_live: bool = False
    attaches_nics_cold: bool = False
    resizes_live: bool = False
    shares_disks: bool = False
    imported_actions: frozenset[str] = frozenset()
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class VncPorts:
    """Which ports are handed out: from ``start`` on, but the reserved ones."""

    start: int = _FIRST_PORT
    reserved: frozenset[int] = frozenset()


class _Site:
    def __init__(self, settings: Template, zone_id: int = 0) -> None:
        self.zone_id = zone_id
        self.traits = {name: _traits(v, name) for v in settings.vectors("VM_MAD") if (name := v.get("NAME"))}
        self.vnc = _vnc(settings.get_vector("VNC_PORTS") or {})
        self.datastore_location = settings.get("DATASTORE_LOCATION") or ""


def use(conf: OnedConf) -> None:
    """Take the settings of an oned.conf for this process."""
    global _current
    _current = _Site(conf.settings, conf.zone_id)


def traits(vm_mad: str) -> Traits:
    """What a driver can do; nothing special for one without a section."""
    return _current.traits.get(vm_mad, Traits())


def zone_id() -> int:
    """The zone of this front-end, which log lines name."""
    return _current.zone_id


def vnc() -> VncPorts:
    """Which VNC ports are handed out."""
    return _current.vnc


def datastore_location() -> str:
    """The folder of the datastores, the same on every machine."""
    return _current.datastore_location or str(paths.var() / "datastores")


def _traits(section: dict[str, str], name: str) -> Traits:
    def says(attribute: str) -> bool:
        return is_yes(section.get(attribute, "NO"))

    default = _IMPORTED_PUBLIC if name in _PUBLIC else _IMPORTED if name in ("kvm", "xen") else ""
    allowed = section.get("IMPORTED_VMS_ACTIONS", default)
    return Traits(
        keeps_snapshots=says("KEEP_SNAPSHOTS"),
        moves_datastore_live=says("DS_LIVE_MIGRATION"),
        attaches_nics_cold=says("COLD_NIC_ATTACH"),
        resizes_live=says("LIVE_RESIZE"),
        shares_disks=says("SUPPORT_SHAREABLE"),
        imported_actions=frozenset(word.strip() for word in allowed.split(",") if word.strip()),
        is_known=True,
    )


def _vnc(section: dict[str, str]) -> VncPorts:
    reserved: set[int] = set()
    for part in section.get("RESERVED", "").split(","):
        first, _, last = part.strip().partition(":")
        if first.isdigit() and (last.isdigit() or not last):
            reserved.update(range(int(first), min(int(last or first), _LAST_PORT) + 1))
    start = section.get("START", "")
    return VncPorts(int(start) if start.isdigit() else _FIRST_PORT, frozenset(reserved))


_current = _Site(Template())
