"""Steps of the operations that move disks: before a VM runs, after it, and when it changes its place.

Source: transfer scripts of release 6.0.0.3. Disk N lies in the VM's folder as disk.N; a folder of a system
datastore has the same path on the front-end and on every node. VMs in a public cloud have no disks of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from services.common.template import Vector
from services.oned.drivers import tm_disk, tm_move
from services.oned.drivers.step import Step
from services.oned.drivers.vm_context import Place, VmContext

Builder = Callable[[VmContext], list[Step]]
_FILES = ("KERNEL", "INITRD")


def prolog(context: VmContext) -> list[Step]:
    """PROLOG: every disk is cloned, linked or made on the node, then kernel and RAM disk.

    Raises PlanError.
    """
    steps = [step for disk in context.disks() for step in tm_disk.make(context, disk)]
    machine = context.vm.template.get_vector("OS") or {}
    for name in _FILES:
        steps += _file(context, machine, name)
    return steps


def _file(context: VmContext, machine: Vector, name: str) -> list[Step]:
    """The file of an image that the machine starts from."""
    wanted = [machine.get(f"{name}_DS{part}", "") for part in ("", "_SOURCE", "_DSID", "_TM")]
    if not all(wanted):
        return []
    _, source, ds_id, driver = wanted
    driver = "dummy" if context.simulates_disks else driver
    ends = (f"{context.frontend}:{source}", f"{context.here.at}/{name.lower()}")
    return [tm_disk.tm(context, "clone", driver, *ends, context.vm_id, ds_id)]


def prolog_migrate(context: VmContext) -> list[Step]:
    """PROLOG_MIGRATE: disks and folder go from the old place to the new one. Raises PlanError."""
    return tm_move.move(context, context.left, context.here, f"{context.record.seq}.move")


def prolog_resume(context: VmContext) -> list[Step]:
    """PROLOG_RESUME: disks and folder go from the front-end to the node. Raises PlanError."""
    origin = context.on_front_end(context.left)
    return tm_move.move(context, origin, context.here, f"{context.record.seq}.resume")


def prolog_attach(context: VmContext) -> list[Step]:
    """PROLOG_ATTACH: the disk that is attached is cloned, linked or made. Raises PlanError."""
    return tm_disk.make(context, context.marked_disk("ATTACH"))


def epilog(context: VmContext) -> list[Step]:
    """EPILOG: saved disks become their images, the others and the folder are deleted. Raises PlanError."""
    place = context.disks_at
    folder = [tm_disk.on_folder(context, place, "delete", place)]
    return tm_move.save(context, place, context.disks(), f"{context.record.seq}.end", folder)


def epilog_stop(context: VmContext) -> list[Step]:
    """EPILOG_STOP: disks and folder come to the front-end, which may not see a shared datastore."""
    target = context.on_front_end(context.here)
    return tm_move.move(context, context.here, target, f"{context.record.seq}.stop", may_stay=True)


def epilog_delete(context: VmContext) -> list[Step]:
    """EPILOG_DELETE: everything of the VM goes, images keep what they were. Whatever fails, the rest goes."""
    places = [context.disks_at]
    if context.takes_both:
        places.append(context.left)
    if context.takes_front_end:
        stays = [context.here, context.left] if context.record.seq else [context.here]
        places += {place.folder: context.on_front_end(place) for place in stays}.values()
    return [step for place in places for step in delete_all(context, place)]


def delete_all(context: VmContext, place: Place) -> list[Step]:
    """Every disk and the folder of a place; a step that fails does not keep the others from it."""
    steps = [step for disk in context.disks() for step in tm_disk.delete(context, place, disk)]
    steps.append(tm_disk.on_folder(context, place, "delete", place))
    return [replace(step, ignore_failure=True) for step in (*steps, *tm_move.forget(context, place))]


def epilog_detach(context: VmContext) -> list[Step]:
    """EPILOG_DETACH: the disk that is detached becomes its image, or is deleted. Raises PlanError."""
    return detached(context, context.marked_disk("ATTACH"))


def detached(context: VmContext, disk: Vector) -> list[Step]:
    """The end of a disk of a VM that goes on."""
    key = f"{context.record.seq}.detach{disk.get('DISK_ID', '0')}"
    return tm_move.save(context, context.here, [disk], key, [])


def save_as(context: VmContext) -> list[Step]:
    """SAVEAS: a copy of the disk under way becomes an image. Raises PlanError."""
    return tm_disk.save_as(context, context.disks_at, context.marked_disk("HOTPLUG_SAVE_AS_ACTIVE"))


def resize(context: VmContext) -> list[Step]:
    """RESIZE: the disk under way gets its new size. Raises PlanError."""
    return tm_disk.resize(context, context.disks_at, context.marked_disk("RESIZE"))


def _snapshot(action: str) -> Builder:
    def build(context: VmContext) -> list[Step]:
        return tm_disk.snapshot(context, action, context.marked_disk("DISK_SNAPSHOT_ACTIVE"))

    return build


BUILDERS: dict[str, Builder] = {
    "tm.PROLOG": prolog,
    "tm.PROLOG_MIGRATE": prolog_migrate,
    "tm.PROLOG_RESUME": prolog_resume,
    "tm.PROLOG_ATTACH": prolog_attach,
    "tm.EPILOG": epilog,
    "tm.EPILOG_STOP": epilog_stop,
    "tm.EPILOG_DELETE": epilog_delete,
    "tm.EPILOG_DETACH": epilog_detach,
    "tm.SAVEAS": save_as,
    "tm.RESIZE": resize,
    "tm.DISK_SNAPSHOT_CREATE": _snapshot("snap_create"),
    "tm.DISK_SNAPSHOT_REVERT": _snapshot("snap_revert"),
    "tm.DISK_SNAPSHOT_DELETE": _snapshot("snap_delete"),
}
