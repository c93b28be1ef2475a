"""Steps on single disks of a VM: one transfer action each, with OpenNebula's argument order.

A disk of an image belongs to its datastore's transfer driver, a volatile one to that of the system datastore.
Where the two differ, TM_MAD_SYSTEM names the more special script (``clone.ssh``).
Source: transfer scripts of release 6.0.0.3.
"""

from __future__ import annotations

from dataclasses import replace

from services.common.template import Vector, is_yes
from services.oned.drivers.step import Argument, File, PlanError, Probe, Step
from services.oned.drivers.table import Takeover
from services.oned.drivers.vm_context import Place, VmContext

_VOLATILE = ("FS", "SWAP")
# Actions on a VM's folder that are ours, and how a dummy stands in for them.
_OWN = "transit"


def tm(
    context: VmContext, action: str, driver: str, *args: str, variant: str = "", files: tuple[File, ...] = ()
) -> Step:
    """A transfer action, run on the front-end."""
    timeout_s = context.drivers.timeout_s("tm", action, context.drivers.tm_options)
    return Step("tm", driver, action, args, timeout_s, variant=variant, files=files)


def own(context: VmContext, action: str, place: Place, *args: Argument) -> Step:
    """An action of our own on a place, run there by the python3 of the machine."""
    timeout_s = context.drivers.timeout_s("tm", action, context.drivers.tm_options)
    if context.simulates_disks:
        return Step("tm", "dummy", action, (place.host, *args), timeout_s, is_encoded=False)
    host = "" if place.is_front_end else place.host
    return Step("tm", _OWN, action, args, timeout_s, host=host, is_piped=True, is_encoded=False)


def command_text(steps: list[Step]) -> str:
    """Transfer steps as the core's message to hypervisor drivers lists them."""
    lines = []
    for step in steps:
        _, _, system = step.variant.partition(".")
        action = f"{step.action.upper()}.{system}" if system else step.action.upper()
        lines.append(" ".join([action, step.driver, *(str(arg) for arg in step.args)]))
    return "".join(f"{line}\n" for line in lines)


# -- what a disk is ----------------------------------------------------------------------------------------
def is_volatile(disk: Vector) -> bool:
    """Whether the disk is of no image."""
    return disk.get("TYPE", "").upper() in _VOLATILE


def is_saved(disk: Vector) -> bool:
    """Whether what was written to the disk goes back to its image."""
    return is_yes(disk.get("SAVE", "NO"))


def is_copied(disk: Vector) -> bool:
    """Whether the disk is a copy in the VM's folder, not its image used where it lies."""
    clones = disk.get("CLONE", "").upper() == "YES"
    return disk.get("CLONE_TARGET" if clones else "LN_TARGET", "").upper() == "SYSTEM"


def _owner(context: VmContext, place: Place, disk: Vector) -> tuple[str, str]:
    """The transfer driver of a disk and its datastore's id; both empty when the disk does not say."""
    if is_volatile(disk):
        return context.system_tm(place), str(place.ds_id)
    driver, ds_id = disk.get("TM_MAD", ""), disk.get("DATASTORE_ID", "")
    if not driver or not ds_id:
        return "", ""
    return ("dummy" if context.simulates_disks else driver), ds_id


def on_disk(context: VmContext, place: Place, action: str, disk: Vector, *args: str) -> list[Step]:
    """An action on one disk: its arguments, then VM_ID DS_ID; none for a disk without a driver."""
    driver, ds_id = _owner(context, place, disk)
    if not driver:
        return []
    system = disk.get("TM_MAD_SYSTEM", "")
    variant = f"{action}.{system}" if system else ""
    return [tm(context, action, driver, *args, context.vm_id, ds_id, variant=variant)]


def on_folder(context: VmContext, place: Place, action: str, *places: Place) -> Step:
    """An action on the whole folder of the VM, by the driver of that place's system datastore."""
    where = [each.at for each in places]
    return tm(context, action, context.system_tm(place), *where, context.vm_id, str(place.ds_id))


def at(place: Place, disk: Vector) -> str:
    """A disk as arguments name it: HOST:PATH."""
    return f"{place.host}:{place.disk(disk)}"


# -- before the machine runs -------------------------------------------------------------------------------
def make(context: VmContext, disk: Vector) -> list[Step]:
    """Clone, link or make a disk; none for a volatile one of unknown size. Raises PlanError.

    Run again after a crash, what the first try has left goes first: not every driver copies over it.
    """
    place = context.here
    made = _make(context, place, disk)
    if not made or made[0].action == "ln":
        return made
    cleared = tuple(delete(context, place, disk))
    return [replace(step, redo=cleared) for step in made]


def _make(context: VmContext, place: Place, disk: Vector) -> list[Step]:
    kind, size = disk.get("TYPE", "").upper(), disk.get("SIZE", "")
    if kind == "SWAP":
        return on_disk(context, place, "mkswap", disk, size, at(place, disk)) if size else []
    if kind == "FS":
        form = disk.get("FORMAT", "")
        return on_disk(context, place, "mkimage", disk, size, form, at(place, disk)) if size and form else []
    lacking = [name for name in ("SOURCE", "TM_MAD", "CLONE", "DATASTORE_ID") if not disk.get(name)]
    if lacking:
        raise PlanError(
            f"disk {disk.get('DISK_ID', '?')} of vm {context.vm_id} lacks {', '.join(lacking)}, it cannot be "
            "transferred"
        )
    action = "clone" if disk["CLONE"].upper() == "YES" else "ln"
    return on_disk(context, place, action, disk, source(context, disk["SOURCE"]), at(place, disk))


def source(context: VmContext, path: str) -> str:
    """The source of an image: a file is on the front-end, other words are the driver's own."""
    return path if ":" in path else f"{context.frontend}:{path}"


# -- after it ----------------------------------------------------------------------------------------------
def end(context: VmContext, place: Place, disk: Vector) -> list[Step]:
    """What a saved disk has becomes its image; another is deleted. None for a disk without a driver.

    Raises PlanError for a saved disk whose image is not known: deleting it would lose it.
    """
    if not is_saved(disk):
        return delete(context, place, disk)
    if not disk.get("SOURCE") or not disk.get("TM_MAD") or not disk.get("DATASTORE_ID"):
        raise PlanError(
            f"disk {disk.get('DISK_ID', '?')} of vm {context.vm_id} is to be saved, but lacks SOURCE, TM_MAD "
            "or DATASTORE_ID"
        )
    return on_disk(context, place, "mvds", disk, at(place, disk), disk["SOURCE"])


def delete(context: VmContext, place: Place, disk: Vector) -> list[Step]:
    """A disk goes."""
    return on_disk(context, place, "delete", disk, at(place, disk))


# -- meanwhile ---------------------------------------------------------------------------------------------
def save_as(context: VmContext, place: Place, disk: Vector) -> list[Step]:
    """A copy of the disk under way (of a snapshot of it, or as it is: -1) becomes an image."""
    target = disk.get("HOTPLUG_SAVE_AS_SOURCE", "")
    if not target:
        raise PlanError(f"vm {context.vm_id}: there is no place yet for the image of a disk")
    snap_id = disk.get("HOTPLUG_SAVE_AS_SNAPSHOT_ID", "") or "-1"
    return on_disk(context, place, "cpds", disk, at(place, disk), target, snap_id)


def resize(context: VmContext, place: Place, disk: Vector) -> list[Step]:
    """The disk under way gets its new size."""
    return on_disk(context, place, "resize", disk, at(place, disk), disk.get("SIZE", "0"))


def snapshot(context: VmContext, action: str, disk: Vector) -> list[Step]:
    """A snapshot of the disk under way; done twice, it would be another, so its traces are looked for."""
    place, snap_id = context.here, disk.get("DISK_SNAPSHOT_ID", "")
    steps = on_disk(context, place, action, disk, at(place, disk), snap_id)
    look = {"snap_create": "snapped", "snap_create_live": "snapped", "snap_delete": "unsnapped"}.get(action)
    if look is None or not has_nodes(context):
        return steps
    probe = Probe(own(context, look, place, place.disk(disk), snap_id), Takeover.DONE)
    return [replace(step, probe=probe) for step in steps]


def has_nodes(context: VmContext) -> bool:
    """Whether there are machines to look at, or they are simulated."""
    return context.simulates_disks or not context.vmm.is_local
