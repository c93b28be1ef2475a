"""Virtual machines: the document, its short form for lists, and its search text.

Source: VM XSD of release 6.0 and the bodies of real databases.
"""

from __future__ import annotations

import time
from typing import Any

from services.common import xmldoc
from services.common.template import Template, Vector
from services.oned.lifecycle.states import LcmState, VmState, state_name
from services.oned.model import sched_action, vm_usage
from services.oned.model.base import Permissions, PoolObject, number
from services.oned.model.history import HistoryRecord
from services.oned.model.quota import Usage
from services.oned.model.sched_action import Planned
from services.oned.model.snapshots import Snapshots
from services.oned.store import Tx, due

_SHORT_DISK = (
    "DISK_ID",
    "DATASTORE",
    "DATASTORE_ID",
    "IMAGE",
    "IMAGE_ID",
    "SIZE",
    "TYPE",
    "CLONE",
    "CLONE_TARGET",
    "LN_TARGET",
    "DISK_SNAPSHOT_TOTAL_SIZE",
)
# Of an interface: shown where it has a value, and shown always.
_SHORT_NIC_SOME = (
    "IP",
    "EXTERNAL_IP",
    "IP6",
    "IP6_ULA",
    "IP6_LINK",
    "IP6_GLOBAL",
    "NETWORK_MODE",
    "SCHED_REQUIREMENTS",
    "SCHED_RANK",
)
_SHORT_NIC = ("MAC", "NETWORK", "NETWORK_ID", "NIC_ID", "SECURITY_GROUPS")
_SHORT_USER = (
    "LABELS",
    "SCHED_RANK",
    "SCHED_DS_RANK",
    "SCHED_REQUIREMENTS",
    "SCHED_DS_REQUIREMENTS",
    "USER_PRIORITY",
)
_SHORT_USER_VECTORS = ("PUBLIC_CLOUD", "SCHED_ACTION")
_TOKEN_ESCAPES = str.maketrans("-.:", "___")


class VM(PoolObject):
    """A virtual machine; ``history`` is the newest record, or None before the first deployment."""

    KIND = "VM"
    LABEL = "virtual machine"
    TABLE = "vm_pool"
    ROOT = "VM"

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.state = VmState.INIT
        self.lcm_state = LcmState.LCM_INIT
        self.prev_state = 0
        self.prev_lcm_state = 0
        self.last_poll = 0
        self.resched = 0
        self.stime = int(time.time())
        self.etime = 0
        self.deploy_id = ""
        self.user_template = Template()
        self.history: HistoryRecord | None = None
        # What the quotas have counted for this VM; vm_usage keeps it.
        self.counted = vm_usage.Counted()
        # Of each disk that has any, by the disk's id.
        self.snapshots: dict[int, Snapshots] = {}
        self._monitoring = "<MONITORING></MONITORING>"
        # What the queue of scheduled actions holds for this VM.
        self._queued: list[Planned] = []

    # -- capacity ------------------------------------------------------------------------------------
    @property
    def cpu(self) -> float:
        """Share of physical CPUs that the VM asks for; 1.0 is a whole one."""
        return self.template.get_float("CPU", 0.0) or 0.0

    @property
    def memory_mb(self) -> int:
        """Memory that the VM asks for."""
        return self.template.get_int("MEMORY", 0) or 0

    @property
    def condition(self) -> str:
        """The one word for state and LCM state."""
        return state_name(self.state, self.lcm_state)

    def quota_usage(self) -> Usage:
        return vm_usage.of(self)

    # -- devices -------------------------------------------------------------------------------------
    def disks(self) -> list[Vector]:
        """Its disks in the order of their ids; the vectors themselves."""
        return sorted(self.template.vectors("DISK"), key=lambda disk: _id(disk, "DISK_ID"))

    def nics(self) -> list[Vector]:
        """Its interfaces in the order of their ids, aliases and PCI ones too; the vectors themselves."""
        devices = [pci for pci in self.template.vectors("PCI") if pci.get("TYPE") == "NIC"]
        cards = [*self.template.vectors("NIC"), *devices, *self.template.vectors("NIC_ALIAS")]
        return sorted(cards, key=lambda card: _id(card, "NIC_ID"))

    def find_disk(self, disk_id: int) -> Vector | None:
        """The disk of that id, or None."""
        return next((disk for disk in self.disks() if _id(disk, "DISK_ID") == disk_id), None)

    def find_nic(self, nic_id: int) -> Vector | None:
        """The interface of that id, or None."""
        return next((card for card in self.nics() if _id(card, "NIC_ID") == nic_id), None)

    # -- scheduled actions ---------------------------------------------------------------------------
    def planned(self) -> list[Planned]:
        """Its scheduled actions that are still to be run; none once it has ended."""
        if self.state == VmState.DONE:
            return []
        return sched_action.planned(self.user_template, self.stime)

    def queue_actions(self, tx: Tx) -> None:
        """Let the queue of scheduled actions hold what the document says, if that has changed."""
        planned = self.planned()
        if planned != self._queued:
            due.replace(tx, self.oid, planned)
            self._queued = planned

    def save(self, tx: Tx) -> None:
        super().save(tx)
        self.queue_actions(tx)

    # -- document ------------------------------------------------------------------------------------
    def to_xml(self, *, history: bool = True) -> str:
        record = self.history.to_xml() if self.history is not None and history else ""
        records = f"<HISTORY_RECORDS>{record}</HISTORY_RECORDS>" if record else "<HISTORY_RECORDS/>"
        snapshots = "".join(self.snapshots[disk_id].to_xml() for disk_id in sorted(self.snapshots))
        return (
            f"<VM>{self._owner_xml()}{self.permissions.to_xml()}<LAST_POLL>{self.last_poll}</LAST_POLL>"
            f"<STATE>{int(self.state)}</STATE><LCM_STATE>{int(self.lcm_state)}</LCM_STATE>"
            f"<PREV_STATE>{int(self.prev_state)}</PREV_STATE>"
            f"<PREV_LCM_STATE>{int(self.prev_lcm_state)}</PREV_LCM_STATE><RESCHED>{self.resched}</RESCHED>"
            f"<STIME>{self.stime}</STIME><ETIME>{self.etime}</ETIME>"
            f"<DEPLOY_ID>{xmldoc.escape(self.deploy_id)}</DEPLOY_ID>{self._lock_xml()}{self._monitoring}"
            f"{self.template.to_xml()}{self.user_template.to_xml('USER_TEMPLATE')}{records}{snapshots}</VM>"
        )

    def to_xml_short(self) -> str:
        """The form that ``one.vmpool.info`` gives."""
        template = self.template
        disks = "".join(_short("DISK", disk, _SHORT_DISK) for disk in self.disks())
        nics = "".join(_short("NIC", nic, _SHORT_NIC, _SHORT_NIC_SOME) for nic in self.nics())
        graphics = template.get_vector("GRAPHICS")
        screen = Template([("GRAPHICS", graphics)]).to_xml("X")[3:-4] if graphics else ""
        user = "".join(
            f"<{name}>{xmldoc.escape(text)}</{name}>"
            for name in _SHORT_USER
            if (text := self.user_template.get(name)) is not None
        )
        vectors = [(name, v) for name in _SHORT_USER_VECTORS for v in self.user_template.vectors(name)]
        user += Template([*vectors]).to_xml("X")[3:-4]
        lock = f"<LOCK><LOCKED>{self.lock.level}</LOCKED></LOCK>" if self.lock else ""
        records = (
            f"<HISTORY_RECORDS>{self.history.to_xml_short()}</HISTORY_RECORDS>"
            if self.history
            else "<HISTORY_RECORDS/>"
        )
        return (
            f"<VM>{self._owner_xml()}<LAST_POLL>{self.last_poll}</LAST_POLL>"
            f"<STATE>{int(self.state)}</STATE><LCM_STATE>{int(self.lcm_state)}</LCM_STATE>"
            f"<RESCHED>{self.resched}</RESCHED><STIME>{self.stime}</STIME><ETIME>{self.etime}</ETIME>"
            f"<DEPLOY_ID>{xmldoc.escape(self.deploy_id)}</DEPLOY_ID>{lock}"
            f"<TEMPLATE><CPU>{xmldoc.escape(template.get('CPU') or '')}</CPU>"
            f"<MEMORY>{xmldoc.escape(template.get('MEMORY') or '')}</MEMORY>{disks}{nics}{screen}</TEMPLATE>"
            f"<MONITORING/><USER_TEMPLATE>{user}</USER_TEMPLATE>{records}</VM>"
        )

    def search_text(self) -> str:
        """What full-text search looks in: ``NAME=value`` lines, with - . : as _ as OpenNebula writes them."""
        lines = [f"UNAME={self.uname}", f"GNAME={self.gname}", f"NAME={self.name}"]
        if self.resched:
            lines.append("RESCHED=1")  # the scheduler looks for these
        for template in (self.template, self.user_template):
            for name, value in template:
                parts = value.items() if isinstance(value, dict) else ((name, value),)
                lines.extend(f"{part}={text}" for part, text in parts if text)
        if self.history is not None:
            place = self.history
            lines += [
                f"HOSTNAME={place.hostname}",
                f"HID={place.hid}",
                f"CID={place.cid}",
                f"DS_ID={place.ds_id}",
            ]
        return "\n".join(lines).translate(_TOKEN_ESCAPES)

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> VM:
        vm = cls(number(element, "ID"), element.findtext("NAME") or "")
        vm._read_owner(element)
        vm.permissions = Permissions.from_element(element.find("PERMISSIONS"))
        vm.state = VmState(number(element, "STATE"))
        vm.lcm_state = LcmState(number(element, "LCM_STATE"))
        vm.prev_state = number(element, "PREV_STATE")
        vm.prev_lcm_state = number(element, "PREV_LCM_STATE")
        vm.last_poll = number(element, "LAST_POLL")
        vm.resched = number(element, "RESCHED")
        vm.stime = number(element, "STIME")
        vm.etime = number(element, "ETIME")
        vm.deploy_id = element.findtext("DEPLOY_ID") or ""
        vm.template = Template.from_element(element.find("TEMPLATE"))
        vm.user_template = Template.from_element(element.find("USER_TEMPLATE"))
        records = element.findall("HISTORY_RECORDS/HISTORY")
        vm.history = HistoryRecord.from_element(records[-1]) if records else None
        vm._monitoring = _kept(element, "MONITORING") or "<MONITORING></MONITORING>"
        for part in element.findall("SNAPSHOTS"):
            found = Snapshots.from_element(part)
            vm.snapshots[found.disk_id] = found
        vm.counted = vm_usage.counted(vm)
        vm._queued = vm.planned()
        return vm

    def columns(self) -> dict[str, Any]:
        # As OpenNebula: the state before is the present one in every stored document, an older one only in
        # the copies that history records hold.
        self.prev_state, self.prev_lcm_state = int(self.state), int(self.lcm_state)
        return {
            **super().columns(),
            "state": int(self.state),
            "lcm_state": int(self.lcm_state),
            "short_body": self.to_xml_short(),
            "search_token": self.search_text(),
        }


def _short(root: str, vector: Vector, names: tuple[str, ...], some: tuple[str, ...] = ()) -> str:
    shown = (*(name for name in some if vector.get(name)), *names)
    inner = "".join(f"<{name}>{xmldoc.cdata(vector.get(name, ''))}</{name}>" for name in shown)
    return f"<{root}>{inner}</{root}>"


def _id(vector: Vector, name: str) -> int:
    text = vector.get(name, "")
    return int(text) if text.isdigit() else -1


def _kept(element: xmldoc.etree._Element, name: str) -> str:
    """Elements that this class does not interpret, as they were."""
    found = element.findall(name)
    return "".join(xmldoc.etree.tostring(part, encoding="unicode", with_tail=False) for part in found)
