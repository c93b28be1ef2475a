"""Moving the disks of a VM so that no crash, failure or retry can lose them.

A transfer driver's ``mv`` removes what it has moved. If it is cut off in the middle and run again, it removes
what has arrived and moves what is left. So the folder is held at its origin before anything is moved, and the
holding is given up only after its destination has been seen complete:

    hold (origin)      what is there; with what an earlier try has held it is made complete again
    check (target)     only when the origin has nothing (more): it may have arrived already
    mv …               every disk, then the folder, unless it has arrived
    verify (target)    all that was held is there
    release (origin)

When anything fails, ``putback`` makes the origin complete again, so that the VM can go on there or be moved
once more. What a driver keeps outside the folder (volumes, objects) is its own business.
"""

from __future__ import annotations

from dataclasses import replace

from services.common.template import Vector
from services.oned.drivers import tm_disk
from services.oned.drivers.step import Step, When
from services.oned.drivers.vm_context import Place, VmContext

# System datastores whose folders no driver moves.
_UNMOVED = ("dummy", "vcenter")
_LOOK_S = 60  # at a node that is probably dead

_HERE = When("origin", ("STATE=here",))
_NOT_HERE = When("origin", ("STATE=gone", "STATE=partial"))
_MISSING = When("arrival", ("STATE=missing",))
_TO_MOVE = When("target", ("STATE=arrived",), is_absent=True)
_TO_SAVE = When("origin", ("STATE=done",), is_absent=True)


def _is_guarded(context: VmContext, place: Place) -> bool:
    if context.simulates_disks:
        return True
    return not context.vmm.is_local and place.tm_mad not in _UNMOVED


def move(context: VmContext, origin: Place, target: Place, key: str, *, may_stay: bool = False) -> list[Step]:
    """Every disk and the folder go from one place to another.

    key: names this move among those of the VM; a retry has the same. may_stay: a driver that moves nothing
    is believed, for the target only keeps the disks. Of a node that is not monitored any more no answer is
    expected: then the driver is trusted with what it can reach.
    """
    moves = _moves(context, origin, target)
    if not _is_guarded(context, target):
        return moves
    at_origin, at_target = (origin.folder, key), (target.folder, key)
    is_lost = context.vm.condition == "PROLOG_MIGRATE_UNKNOWN"
    hold = replace(tm_disk.own(context, "hold", origin, *at_origin), note="origin", ignore_failure=is_lost)
    if is_lost:
        hold = replace(hold, timeout_s=min(_LOOK_S, hold.timeout_s))
    check = tm_disk.own(context, "check", target, *at_target)
    verify = tm_disk.own(context, "verify", target, *at_target)
    stay = tm_disk.own(context, "stay", origin, *at_origin)
    back = () if is_lost else (tm_disk.own(context, "putback", origin, *at_origin),)
    both_back = (*back, tm_disk.own(context, "putback", target, *at_target))
    release = replace(tm_disk.own(context, "release", origin, *at_origin), ignore_failure=True)
    there = replace(tm_disk.own(context, "release", target, *at_target), ignore_failure=True)
    return [
        hold,
        replace(check, note="target", stdin_note="origin", when=_NOT_HERE, undo=back),
        *(replace(step, when=_TO_MOVE, undo=both_back) for step in moves),
        replace(
            verify,
            note="arrival",
            stdin_note="origin",
            when=_HERE,
            undo=() if may_stay else back,
            ignore_failure=may_stay,
        ),
        *([replace(stay, stdin_note="origin", when=_MISSING, undo=back)] if may_stay else []),
        replace(release, when=When("origin", ("STATE=here", "STATE=gone", "STATE=partial"))),
        replace(there, when=When("target", ("STATE=there",))),
    ]


def _moves(context: VmContext, origin: Place, target: Place) -> list[Step]:
    steps = []
    for disk in context.disks():
        ends = (tm_disk.at(origin, disk), tm_disk.at(target, disk))
        steps += tm_disk.on_disk(context, target, "mv", disk, *ends)
    return [*steps, tm_disk.on_folder(context, target, "mv", origin, target)]


def save(context: VmContext, place: Place, disks: list[Vector], key: str, rest: list[Step]) -> list[Step]:
    """Disks end (``mvds`` for what is saved, ``delete``), then the rest of the steps.

    A disk that was copied into the folder is saved from there once and for all: should the end be cut off,
    or fail, and begin again, no image is replaced by what is left of the disk.
    """
    saved = [disk for disk in disks if tm_disk.is_saved(disk)]
    copied = [disk for disk in saved if tm_disk.is_copied(disk)]
    is_guarded = bool(copied) and _is_guarded(context, place)
    steps: list[Step] = []
    for disk in disks:
        ended = tm_disk.end(context, place, disk)
        if is_guarded and tm_disk.is_saved(disk):
            back = (tm_disk.own(context, "putback", place, place.folder, key),)
            ended = [replace(step, when=_TO_SAVE, undo=back) for step in ended]
        steps += ended
    steps += rest
    if not is_guarded:
        return steps
    names = [f"disk.{disk.get('DISK_ID', '0')}" for disk in copied]
    secure = tm_disk.own(context, "secure", place, place.folder, key, *names)
    finish = tm_disk.own(context, "finish", place, place.folder, key)
    return [replace(secure, note="origin"), *steps, replace(finish, ignore_failure=True)]


def forget(context: VmContext, place: Place) -> list[Step]:
    """What earlier, unfinished tries hold of the folder goes, as the folder does."""
    if not _is_guarded(context, place):
        return []
    return [replace(tm_disk.own(context, "release", place, place.folder, "*"), ignore_failure=True)]


def put_back(context: VmContext) -> list[Step]:
    """Before a machine starts where it may have been moved from: what was moved halfway is given back."""
    place = context.here
    if context.is_in_cloud or not _is_guarded(context, place) or not _has_moved(context):
        return []
    return [tm_disk.own(context, "putback", place, place.folder, "*")]


def _has_moved(context: VmContext) -> bool:
    """Whether the VM was elsewhere of late: a migration that did not happen leaves three records."""
    record = context.record
    for seq in range(record.seq - 1, max(-1, record.seq - 4), -1):
        earlier = context.reader.record(seq)
        if earlier is not None and (earlier.hid, earlier.ds_id) != (record.hid, record.ds_id):
            return True
    return False
