"""Hosts: hypervisor machines, their state, share and VMs.

Source: host XSD of release 6.0; host states of the operations guide; documents of real databases.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from services.common import xmldoc
from services.common.template import Template, TemplateValueError
from services.oned.model.base import PoolObject, id_list, id_list_xml, number
from services.oned.model.cluster import reserved_of
from services.oned.model.host_share import HostShare
from services.oned.store import Tx, events

# What offline hosts must not go on showing.
_MEASURED = ("TOTALCPU", "TOTALMEMORY", "FREECPU", "FREEMEMORY", "USEDCPU", "USEDMEMORY")


class HostState(IntEnum):
    """STATE of a host; wire format. 1, 5, 6 and 7 are kept for old databases and never set."""

    INIT = 0
    MONITORING_MONITORED = 1
    MONITORED = 2
    ERROR = 3
    DISABLED = 4
    MONITORING_ERROR = 5
    MONITORING_INIT = 6
    MONITORING_DISABLED = 7
    OFFLINE = 8


class Host(PoolObject):
    """A host. Saving it records an event when its state has changed."""

    KIND = "HOST"
    LABEL = "host"
    TABLE = "host_pool"
    ROOT = "HOST"

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.state = HostState.INIT
        self.im_mad = ""
        self.vm_mad = ""
        self.cluster_id = 0
        self.cluster = ""
        self.share = HostShare()
        self.vms: list[int] = []
        self._stored_state: HostState | None = None

    @classmethod
    def new(cls, name: str, im_mad: str, vm_mad: str) -> Host:
        """A host that is not stored yet."""
        host = cls(-1, name)
        host.im_mad, host.vm_mad = im_mad, vm_mad
        host.template = Template(
            [("IM_MAD", im_mad), ("RESERVED_CPU", ""), ("RESERVED_MEM", ""), ("VM_MAD", vm_mad)]
        )
        return host

    # -- document --------------------------------------------------------------------------------------
    def to_xml(self) -> str:
        # PREV_STATE equals STATE in every stored document: OpenNebula moves it on at each write.
        return (
            f"<HOST><ID>{self.oid}</ID><NAME>{xmldoc.escape(self.name)}</NAME><STATE>{int(self.state)}</STATE>"
            f"<PREV_STATE>{int(self.state)}</PREV_STATE><IM_MAD>{xmldoc.cdata(self.im_mad)}</IM_MAD>"
            f"<VM_MAD>{xmldoc.cdata(self.vm_mad)}</VM_MAD><CLUSTER_ID>{self.cluster_id}</CLUSTER_ID>"
            f"<CLUSTER>{xmldoc.escape(self.cluster)}</CLUSTER>{self.share.to_xml()}"
            f"{id_list_xml('VMS', self.vms)}{self.template.to_xml()}<MONITORING/></HOST>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> Host:
        host = cls(number(element, "ID"), element.findtext("NAME") or "")
        host.state = host._stored_state = HostState(number(element, "STATE"))
        host.im_mad = element.findtext("IM_MAD") or ""
        host.vm_mad = element.findtext("VM_MAD") or ""
        host.cluster_id = number(element, "CLUSTER_ID")
        host.cluster = element.findtext("CLUSTER") or ""
        host.share = HostShare.from_element(element.find("HOST_SHARE"))
        host.vms = id_list(element.find("VMS"))
        host.template = Template.from_element(element.find("TEMPLATE"))
        return host

    def columns(self) -> dict[str, Any]:
        return {**super().columns(), "state": int(self.state), "cid": self.cluster_id}

    def insert(self, tx: Tx) -> int:
        oid = super().insert(tx)
        self._record_state(tx)
        return oid

    def save(self, tx: Tx) -> None:
        super().save(tx)
        if self.state != self._stored_state:
            self._record_state(tx)

    def _record_state(self, tx: Tx) -> None:
        events.add(tx, "STATE", "HOST", self.oid, {"state": int(self.state), "name": self.name})
        self._stored_state = self.state

    # -- VMs -------------------------------------------------------------------------------------------
    @property
    def cpu_usage(self) -> int:
        """Percent of a core that the host's VMs ask for."""
        return self.share.cpu_usage

    @property
    def mem_usage(self) -> int:
        """Memory that the host's VMs ask for, in kB."""
        return self.share.mem_usage

    @property
    def running_vms(self) -> int:
        """How many VMs are counted here."""
        return self.share.running_vms

    def add_vm(self, vm_id: int, cpu_percent: int, mem_kb: int, disk_mb: int = 0) -> bool:
        """Count a VM; False, and nothing changed, when it is counted already."""
        if vm_id in self.vms:
            return False
        self.vms = sorted([*self.vms, vm_id])
        self.share.count(cpu_percent, mem_kb, disk_mb, 1)
        return True

    def remove_vm(self, vm_id: int, cpu_percent: int, mem_kb: int, disk_mb: int = 0) -> bool:
        """Take a VM off with what add_vm() counted; False, and nothing changed, when it is not counted."""
        if vm_id not in self.vms:
            return False
        self.vms = [oid for oid in self.vms if oid != vm_id]
        self.share.count(-cpu_percent, -mem_kb, -disk_mb, -1)
        return True

    def fits(self, cpu_percent: int, mem_kb: int) -> str | None:
        """Why a VM of that size does not fit, or None."""
        return self.share.why_too_small(cpu_percent, mem_kb)

    # -- state and capacity ----------------------------------------------------------------------------
    def enable(self) -> None:
        """Use the host; it is MONITORED after its next report."""
        self.state = HostState.INIT

    def disable(self) -> None:
        """Keep monitoring the host, but give it no new VMs."""
        self.state = HostState.DISABLED

    def offline(self) -> None:
        """Neither monitor nor use the host; its capacity counts as nothing."""
        self.state = HostState.OFFLINE
        self.share.forget_capacity()
        for name in _MEASURED:
            self.template.remove(name)

    def reserve(self, tx: Tx, cluster_reserved: tuple[str, str] | None = None) -> None:
        """Set MAX_* from the host's reservations, or where it has none from its cluster's.

        cluster_reserved: what the cluster reserves, when the caller has just changed it.
        """
        cpu = self.template.get("RESERVED_CPU") or ""
        mem = self.template.get("RESERVED_MEM") or ""
        if not cpu or not mem:
            of_cluster = cluster_reserved or reserved_of(tx, self.cluster_id)
            cpu, mem = cpu or of_cluster[0], mem or of_cluster[1]
        self.share.reserve(cpu, mem)

    def take_template(self, tx: Tx) -> None:
        """Bring the rest of the document in line with a template that has just been changed."""
        self.im_mad = self.template.get("IM_MAD") or self.im_mad
        self.vm_mad = self.template.get("VM_MAD") or self.vm_mad
        self.template.set("IM_MAD", self.im_mad)
        self.template.set("VM_MAD", self.vm_mad)
        try:
            threads = self.template.get_int("VMS_THREAD")
        except TemplateValueError:
            threads = None
        if threads is not None:
            self.share.vms_thread = max(1, threads)
            self.template.set("VMS_THREAD", str(self.share.vms_thread))
            self.share.numa.set_vms_thread(self.share.vms_thread)
        isolated = self.template.get("ISOLCPUS")
        if isolated is not None:
            self.share.numa.reserve(isolated)
        self.reserve(tx)
