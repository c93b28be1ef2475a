"""What a virtual machine counts for in the quotas of its owner and group.

Source: quota guide of release 6.0; the table of disks is the one of its storage guide:

    disk               counts as
    volatile           VM SYSTEM_DISK_SIZE
    target SYSTEM      VM SYSTEM_DISK_SIZE
    target SELF        DATASTORE SIZE of the image's datastore
    target NONE        nothing: the image itself is used

The target is CLONE_TARGET of a disk that is a copy, LN_TARGET of a persistent one. Snapshots count with their
disk. Every disk of an image counts as one RVMS, every interface with a network as one LEASE.

What a persistent disk, or one of target NONE, grows by while a VM has it (size, snapshots) is the image's own
from then on: it counts as DATASTORE SIZE for the image's owner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.common.template import Template, Vector
from services.oned.lifecycle.states import LcmState, VmState
from services.oned.model import quota
from services.oned.model.quota import Amounts, Usage
from services.oned.store import Tx, quotas

if TYPE_CHECKING:  # the VM's module imports this one
    from services.oned.model.vm import VM

_RUNNING_STATES = frozenset(
    {VmState.PENDING, VmState.HOLD, VmState.ACTIVE, VmState.CLONING, VmState.CLONING_FAILURE}
)
# Work on a machine that is powered off, suspended, stopped or undeployed: it does not run meanwhile.
_NOT_RUNNING_LCM = frozenset(
    state
    for state in LcmState
    if state.name.startswith(("DISK_SNAPSHOT_", "DISK_RESIZE_", "HOTPLUG_", "PROLOG_MIGRATE_"))
    and any(word in state.name for word in ("POWEROFF", "SUSPEND", "UNDEPLOYED", "STOPPED"))
)
_SIZED_WITH = frozenset({"CPU", "MEMORY"})


@dataclass(frozen=True, slots=True)
class Counted:
    """What the quotas have counted for a VM.

    ``image_disks``: MB of each disk whose growth counts for the image's owner, by (disk, image, datastore).
    """

    usage: Usage = field(default_factory=Usage)
    image_disks: dict[tuple[str, int, int], float] = field(default_factory=dict)


def counted(vm: VM) -> Counted:
    """What the VM counts for, as account() compares it."""
    return Counted(of(vm), _image_disks(vm))


def of(vm: VM) -> Usage:
    """What the VM counts for in its present state, with its present template; nothing once it is DONE."""
    if vm.state == VmState.DONE:
        return Usage()
    template = vm.template
    cpu, memory_mb = round(_amount(template.get("CPU")), 2), _amount(template.get("MEMORY"))
    runs = vm.state in _RUNNING_STATES and vm.lcm_state not in _NOT_RUNNING_LCM
    counted: Amounts = {
        "VMS": 1,
        "CPU": cpu,
        "MEMORY": memory_mb,
        "SYSTEM_DISK_SIZE": 0,
        "RUNNING_VMS": 1 if runs else 0,
        "RUNNING_CPU": cpu if runs else 0,
        "RUNNING_MEMORY": memory_mb if runs else 0,
    }
    datastores: dict[int, Amounts] = {}
    images: dict[int, Amounts] = {}
    for disk in template.vectors("DISK"):
        size_mb, target = disk_size_mb(disk), disk_target(disk)
        if is_volatile(disk) or target == "SYSTEM":
            counted["SYSTEM_DISK_SIZE"] += size_mb
        elif target == "SELF" and disk.get("DATASTORE_ID", "").isdigit():
            sums = datastores.setdefault(int(disk["DATASTORE_ID"]), {"SIZE": 0, "IMAGES": 0})
            sums["SIZE"] += size_mb
        if disk.get("IMAGE_ID", "").isdigit():
            images.setdefault(int(disk["IMAGE_ID"]), {"RVMS": 0})["RVMS"] += 1
    return Usage(counted, datastores, _leases(template), images)


def account(tx: Tx, vm: VM, *, check: bool = True) -> None:
    """Count what changed in a VM since it was loaded, or counted last, for its owner and group.

    For changes outside fire(), which counts what an event changes. Raises AuthorizationError when ``check``
    and a limit of something that changed would be passed.
    """
    now = counted(vm)
    _count_for_image_owners(tx, vm.counted, now, check)
    delta = now.usage - vm.counted.usage
    if delta:
        resized = any(delta.vm.get(name) for name in _SIZED_WITH)
        kept = {name: num for name, num in delta.vm.items() if num or (resized and name in _SIZED_WITH)}
        asked = Usage(kept, delta.datastore, delta.network, delta.image)
        quota.change(tx, vm.uid, vm.gid, asked, check=check, refuse_less=_SIZED_WITH)
    vm.counted = now


def account_all(tx: Tx, vm: VM) -> None:
    """Count what changed, and require that every limit of VMs is kept, for what does not change too.

    That is what creating and resuming ask for: a user above a limit may do neither.
    Raises AuthorizationError.
    """
    now = counted(vm)
    quota.change(tx, vm.uid, vm.gid, now.usage - vm.counted.usage)
    vm.counted = now


def _count_for_image_owners(tx: Tx, before: Counted, now: Counted, check: bool) -> None:
    for key, size_mb in now.image_disks.items():
        # A disk that comes or goes changes nothing for the image; one that stays may have grown.
        grown_mb = size_mb - before.image_disks.get(key, size_mb)
        _, image_id, datastore_id = key
        owner = quotas.image_owner(tx, image_id) if grown_mb else None
        if owner is not None:
            grown = Usage(datastore={datastore_id: {"SIZE": grown_mb, "IMAGES": 0}})
            quota.change(tx, *owner, grown, check=check)


def is_volatile(disk: Vector) -> bool:
    """Whether a disk is made for the VM alone, without an image."""
    return disk.get("TYPE", "").upper() in ("SWAP", "FS")


def disk_target(disk: Vector) -> str:
    """Where the disk's storage is made: SYSTEM, SELF, NONE, or empty when the disk does not say."""
    clone = disk.get("CLONE", "")
    if not clone:
        return ""
    return disk.get("CLONE_TARGET" if clone.upper() == "YES" else "LN_TARGET", "").upper()


def disk_size_mb(disk: Vector) -> float:
    """What a disk takes with its snapshots; 0 when it has no size."""
    if not disk.get("SIZE"):
        return 0
    return _amount(disk["SIZE"]) + _amount(disk.get("DISK_SNAPSHOT_TOTAL_SIZE"))


def _image_disks(vm: VM) -> dict[tuple[str, int, int], float]:
    if vm.state == VmState.DONE:
        return {}
    found = {}
    for disk in vm.template.vectors("DISK"):
        image, datastore = disk.get("IMAGE_ID", ""), disk.get("DATASTORE_ID", "")
        of_image = disk.get("PERSISTENT", "").upper() == "YES" or disk_target(disk) == "NONE"
        if of_image and image.isdigit() and datastore.isdigit() and disk.get("SIZE"):
            found[disk.get("DISK_ID", ""), int(image), int(datastore)] = disk_size_mb(disk)
    return found


def _leases(template: Template) -> dict[int, Amounts]:
    leases: dict[int, Amounts] = {}
    devices = [pci for pci in template.vectors("PCI") if pci.get("TYPE") == "NIC"]
    for nic in (*template.vectors("NIC"), *devices, *template.vectors("NIC_ALIAS")):
        if nic.get("NETWORK_ID", "").isdigit():
            leases.setdefault(int(nic["NETWORK_ID"]), {"LEASES": 0})["LEASES"] += 1
    return leases


def _amount(text: str | None) -> float:
    try:
        return float(text) if text else 0
    except ValueError:
        return 0
