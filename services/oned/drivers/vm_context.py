"""What every builder of VM steps needs: the VM, its places, its drivers, the documents it points to."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from services.common import paths
from services.common.template import Template, Vector
from services.oned.auth import encrypted
from services.oned.drivers.step import PlanError
from services.oned.drivers.table import Drivers, VmmDriver
from services.oned.model import history
from services.oned.model.history import HistoryRecord
from services.oned.model.vm import VM
from services.oned.store import Tx, pools
from services.oned.store.jobs import Job

_DRIVER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z", re.ASCII)
_NO_DATASTORE = -1  # of a record in a public cloud


@dataclass(frozen=True, slots=True)
class Place:
    """Where a VM's disks are, or are going: a machine and a folder. A folder has the same path everywhere.

    is_front_end: the disks of a stopped VM lie on the front-end.
    """

    host: str
    folder: str
    ds_id: int
    tm_mad: str
    vm_mad: str
    is_front_end: bool = False

    @property
    def at(self) -> str:
        """As the arguments of transfer drivers name it."""
        return f"{self.host}:{self.folder}"

    def disk(self, disk: Vector) -> str:
        """The path of a disk."""
        return f"{self.folder}/disk.{disk.get('DISK_ID', '0')}"

    @property
    def checkpoint(self) -> str:
        """The file that a saved machine's memory is in."""
        return f"{self.folder}/checkpoint"


@dataclass(frozen=True)
class Reader:
    """What a plan looks up besides the VM: documents by table and id, and older history records by number."""

    body: Callable[[str, int], str | None] = lambda table, oid: None
    record: Callable[[int], HistoryRecord | None] = lambda seq: None

    @classmethod
    def of(cls, tx: Tx, vm_id: int) -> Reader:
        """From the database, without locks, each document once: a plan changes nothing."""
        return cls(
            cache(lambda table, oid: pools.body(tx, table, oid)),
            cache(lambda seq: history.load(tx, vm_id, seq)),
        )


@dataclass(frozen=True)
class VmContext:
    """One VM during one operation.

    here: where it is, or is going; ``left``: where it was before, for operations that need that. is_local:
    its disks lie on the front-end. takes_previous, takes_both: clean up the place before this one, instead of
    this one or too. takes_front_end: clean up what may be on the front-end, too.
    """

    vm: VM
    record: HistoryRecord
    drivers: Drivers
    vmm: VmmDriver
    reader: Reader = field(default_factory=Reader)
    is_local: bool = False
    takes_previous: bool = False
    takes_both: bool = False
    takes_front_end: bool = False

    @classmethod
    def of(cls, vm: VM, drivers: Drivers, job: Job, reader: Reader) -> VmContext:
        """The context of a VM's newest stay. Raises PlanError when it never had a host, UnknownDriver."""
        if vm.history is None:
            raise PlanError(f"vm {vm.oid} has no host")
        return cls(
            vm,
            vm.history,
            drivers,
            drivers.vmm(vm.history.vm_mad),
            reader,
            is_local=bool(job.spec.get("local")),
            takes_previous=bool(job.spec.get("previous")),
            takes_both=bool(job.spec.get("both")),
            takes_front_end=bool(job.spec.get("front_end")),
        )

    # -- places --------------------------------------------------------------------------------------
    @cached_property
    def here(self) -> Place:
        """The place of the newest record."""
        return self._place(self.record)

    @cached_property
    def previous(self) -> HistoryRecord:
        """The record before the newest. Raises PlanError when there is none."""
        found = self.reader.record(self.record.seq - 1) if self.record.seq > 0 else None
        if found is None:
            raise PlanError(f"vm {self.vm.oid} has no history record before {self.record.seq}")
        return found

    @property
    def left(self) -> Place:
        """The place of the record before. Raises PlanError."""
        return self._place(self.previous)

    def _place(self, record: HistoryRecord) -> Place:
        folder = self.folder_in(record.ds_id)
        return Place(record.hostname, folder, record.ds_id, record.tm_mad, record.vm_mad)

    def folder_in(self, ds_id: int) -> str:
        """The VM's folder in a system datastore."""
        return f"{self.drivers.conf.datastore_location}/{ds_id}/{self.vm.oid}"

    def on_front_end(self, place: Place) -> Place:
        """The same folder, on the front-end."""
        return Place(self.frontend, place.folder, place.ds_id, place.tm_mad, place.vm_mad, is_front_end=True)

    @property
    def disks_at(self) -> Place:
        """Where the disks lie now."""
        return self.on_front_end(self.here) if self.is_local else self.here

    @property
    def works_at(self) -> Place:
        """The node that a machine is stopped or cleaned up on."""
        return self.left if self.takes_previous else self.here

    @property
    def frontend(self) -> str:
        """The front-end's name."""
        return self.drivers.conf.settings.get("HOSTNAME") or platform.node()

    @property
    def front_end_folder(self) -> Path:
        """Where the front-end keeps the VM's deployment and context files."""
        return paths.var() / "vms" / self.vm_id

    @property
    def is_in_cloud(self) -> bool:
        """Whether the VM is in a public cloud, which has no disks of ours."""
        return self.record.ds_id == _NO_DATASTORE or not self.record.tm_mad

    # -- the VM --------------------------------------------------------------------------------------
    @property
    def vm_id(self) -> str:
        return str(self.vm.oid)

    @property
    def deploy_id(self) -> str:
        """The hypervisor's name of the machine; before it is known, the one that drivers give by custom."""
        return self.vm.deploy_id or f"one-{self.vm.oid}"

    @cached_property
    def vm_xml(self) -> str:
        """The VM's document, secrets encrypted."""
        return self.vm.to_xml()

    @cached_property
    def clear_xml(self) -> str:
        """The VM's document, secrets in clear, for drivers that make a guest's configuration of it."""
        return encrypted.decrypted_body(self.drivers.conf, VM.KIND, self.vm_xml)

    def disks(self) -> list[Vector]:
        """The VM's disks."""
        return self.vm.disks()

    def marked_disk(self, mark: str) -> Vector:
        """The disk under way. Raises PlanError when no disk carries the mark."""
        return self._marked(self.vm.disks(), mark, "disk")

    def marked_nic(self) -> Vector:
        """The interface under way. Raises PlanError when there is none."""
        return self._marked(self.vm.nics(), "ATTACH", "interface")

    def marked_snapshot(self) -> Vector:
        """The snapshot of the machine under way. Raises PlanError when there is none."""
        return self._marked(self.vm.template.vectors("SNAPSHOT"), "ACTIVE", "snapshot")

    def _marked(self, vectors: list[Vector], mark: str, what: str) -> Vector:
        found = next((vector for vector in vectors if vector.get(mark, "").upper() == "YES"), None)
        if found is None:
            raise PlanError(f"vm {self.vm.oid} has no {what} with {mark}=YES")
        return found

    def variables(self) -> Vector:
        """The VM's CONTEXT for its guest, secrets in clear; empty without one."""
        contexts = Template([("CONTEXT", dict(self.vm.template.get_vector("CONTEXT") or {}))])
        encrypted.decrypt(self.drivers.conf, VM.KIND, contexts)
        return contexts.vectors("CONTEXT")[0]

    # -- drivers -------------------------------------------------------------------------------------
    @property
    def simulates_disks(self) -> bool:
        """Whether transfers are simulated, for there is no machine to reach."""
        return "tm" in self.vmm.simulates

    def system_tm(self, place: Place) -> str:
        """The transfer driver of a place's system datastore."""
        return "dummy" if self.simulates_disks else place.tm_mad

    def network_drivers(self) -> list[str]:
        """The network drivers of the VM's interfaces, each once. Raises PlanError for what is no name."""
        template = self.vm.template
        cards = [card for kind in ("NIC", "NIC_ALIAS") for card in template.vectors(kind)]
        names = [card["VN_MAD"] for card in cards if card.get("VN_MAD")]
        for name in names:
            # An interface without a network has it of its user; it is a part of a path.
            if not _DRIVER.match(name):
                label = f"VN_MAD of an interface of vm {self.vm_id}"
                raise PlanError(f"{label} is {name[:40]!r}, expected a driver's name")
        if names and "vnm" in self.vmm.simulates:
            return ["dummy"]
        return list(dict.fromkeys(names))
