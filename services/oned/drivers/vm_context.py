"""What every builder of VM steps needs: the VM, its place, its drivers, its folders."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from services.common import paths
from services.common.template import Vector
from services.oned.drivers.step import PlanError
from services.oned.drivers.table import Drivers, VmmDriver
from services.oned.model.history import HistoryRecord
from services.oned.model.vm import VM


@dataclass(frozen=True)
class VmContext:
    """One VM during one operation.

    folder: the VM's folder in its system datastore, the same path on every machine. is_local: the disks lie
    on the front-end, as those of a stopped VM do.
    """

    vm: VM
    record: HistoryRecord
    drivers: Drivers
    vmm: VmmDriver
    folder: str
    frontend: str
    is_local: bool

    @classmethod
    def of(cls, vm: VM, drivers: Drivers, is_local: bool = False) -> VmContext:
        """The context of a VM's newest stay. Raises PlanError when it never had a host, UnknownDriver."""
        if vm.history is None:
            raise PlanError(f"vm {vm.oid} has no host")
        conf = drivers.conf
        return cls(
            vm=vm,
            record=vm.history,
            drivers=drivers,
            vmm=drivers.vmm(vm.history.vm_mad),
            folder=f"{conf.datastore_location}/{vm.history.ds_id}/{vm.oid}",
            frontend=conf.settings.get("HOSTNAME") or platform.node(),
            is_local=is_local,
        )

    @property
    def vm_id(self) -> str:
        return str(self.vm.oid)

    @property
    def host(self) -> str:
        """The node's name."""
        return self.record.hostname

    @property
    def place(self) -> str:
        """The machine that has the VM's folder now."""
        return self.frontend if self.is_local else self.record.hostname

    @property
    def deploy_id(self) -> str:
        """The hypervisor's name of the machine; before it is known, the one that drivers give by custom."""
        return self.vm.deploy_id or f"one-{self.vm.oid}"

    @property
    def front_end_folder(self) -> Path:
        """Where the front-end keeps the VM's deployment and context files."""
        return paths.var() / "vms" / self.vm_id

    def disks(self) -> list[Vector]:
        """The VM's disks."""
        return self.vm.template.vectors("DISK")

    def tm(self, disk: Vector | None = None) -> str:
        """The transfer driver of a disk (of the system datastore without one, or for a volatile disk)."""
        if "tm" in self.vmm.simulates:
            return "dummy"
        return (disk or {}).get("TM_MAD") or self.record.tm_mad

    def network_drivers(self) -> list[str]:
        """The network drivers of the VM's interfaces, each once."""
        template = self.vm.template
        cards = [card for kind in ("NIC", "NIC_ALIAS", "PCI") for card in template.vectors(kind)]
        names = [card["VN_MAD"] for card in cards if card.get("VN_MAD")]
        if names and "vnm" in self.vmm.simulates:
            return ["dummy"]
        return list(dict.fromkeys(names))
