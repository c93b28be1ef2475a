"""Steps of the operations that move disks: before a VM runs, after it, and when it is stopped.

Source: transfer scripts and argument order of release 6.0. Disk N lies in the VM's folder as disk.N; a
folder of a system datastore has the same path on the front-end and on every node.
"""

from __future__ import annotations

from services.common.template import Vector, is_yes
from services.oned.drivers.step import File, Step
from services.oned.drivers.vm_context import VmContext
from services.oned.drivers.vmm_data import context_sh

_VOLATILE = {"FS", "SWAP"}


def _tm(
    context: VmContext, action: str, driver: str, *args: str, variant: str = "", files: tuple[File, ...] = ()
) -> Step:
    return Step(
        "tm",
        driver,
        action,
        args,
        context.drivers.timeout_s("tm", action, context.drivers.tm_options),
        variant=variant,
        files=files,
    )


def _is_volatile(disk: Vector) -> bool:
    return not disk.get("SOURCE") and disk.get("TYPE", "").upper() in _VOLATILE


def _is_persistent(disk: Vector) -> bool:
    return is_yes(disk.get("PERSISTENT", "NO")) or disk.get("CLONE", "YES").upper() == "NO"


def _source(context: VmContext, disk: Vector) -> str:
    return f"{context.frontend}:{disk.get('SOURCE', '')}"


def _disk_step(context: VmContext, action: str, disk: Vector, *args: str) -> Step:
    """A step on one disk: the arguments, then VM_ID DS_ID."""
    system = disk.get("TM_MAD_SYSTEM", "")
    variant = f"{action}.{system}" if system else ""
    ds_id = str(context.record.ds_id)
    if not _is_volatile(disk):
        ds_id = disk.get("DATASTORE_ID", ds_id)
    return _tm(context, action, context.tm(disk), *args, context.vm_id, ds_id, variant=variant)


def _disk_at(context: VmContext, place: str, disk: Vector) -> str:
    return f"{place}:{context.folder}/disk.{disk.get('DISK_ID', '0')}"


def _folder_step(context: VmContext, action: str, *places: str) -> Step:
    """A step on the whole folder of the VM."""
    where = [f"{place}:{context.folder}" for place in places]
    return _tm(context, action, context.tm(), *where, context.vm_id, str(context.record.ds_id))


def prolog(context: VmContext) -> list[Step]:
    """PROLOG: every disk is cloned, linked or made on the node, then the context disk; none, no steps."""
    steps = [_prolog_disk(context, disk) for disk in context.disks()]
    variables = context.vm.template.get_vector("CONTEXT")
    if variables:
        file = File(context.front_end_folder / "context.sh", context_sh(variables))
        number = variables.get("DISK_ID") or str(len(context.disks()))
        target = f"{context.host}:{context.folder}/disk.{number}"
        steps.append(
            _tm(
                context,
                "context",
                context.tm(),
                str(file.path),
                target,
                context.vm_id,
                str(context.record.ds_id),
                files=(file,),
            )
        )
    return steps


def _prolog_disk(context: VmContext, disk: Vector) -> Step:
    target = _disk_at(context, context.host, disk)
    if _is_volatile(disk):
        is_swap = disk.get("TYPE", "").upper() == "SWAP"
        disk_format = "swap" if is_swap else disk.get("FORMAT") or "raw"
        return _disk_step(context, "mkimage", disk, disk.get("SIZE", "0"), disk_format, target)
    action = "ln" if _is_persistent(disk) else "clone"
    return _disk_step(context, action, disk, _source(context, disk), target)


def epilog(context: VmContext) -> list[Step]:
    """EPILOG: persistent disks go back to their datastore, the others and the folder are deleted."""
    return _end(context, keep=True)


def epilog_delete(context: VmContext) -> list[Step]:
    """EPILOG_DELETE: everything of the VM is deleted, persistent images keep what they were."""
    return _end(context, keep=False)


def _end(context: VmContext, *, keep: bool) -> list[Step]:
    steps = []
    for disk in context.disks():
        at = _disk_at(context, context.place, disk)
        if _is_volatile(disk):
            continue  # part of the folder
        if keep and _is_persistent(disk):
            steps.append(_disk_step(context, "mvds", disk, at, _source(context, disk)))
        else:
            steps.append(_disk_step(context, "delete", disk, at))
    return [*steps, _folder_step(context, "delete", context.place)]


def epilog_stop(context: VmContext) -> list[Step]:
    """EPILOG_STOP: disks and folder come to the front-end."""
    return _move(context, context.host, context.frontend)


def prolog_resume(context: VmContext) -> list[Step]:
    """PROLOG_RESUME: disks and folder go to the node."""
    return _move(context, context.frontend, context.host)


def _move(context: VmContext, origin: str, target: str) -> list[Step]:
    disks = [
        _disk_step(context, "mv", disk, _disk_at(context, origin, disk), _disk_at(context, target, disk))
        for disk in context.disks()
    ]
    return [*disks, _folder_step(context, "mv", origin, target)]
