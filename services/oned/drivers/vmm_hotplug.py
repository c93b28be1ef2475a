"""Steps of the operations on a machine that runs: devices, snapshots, sizes, configuration.

Source: sequence and argument order of the virtual machine driver of release 6.0.0.3.
"""

from __future__ import annotations

import base64
from dataclasses import replace

from services.common.template import Vector
from services.oned.drivers import context_disk, tm_disk, tm_plan
from services.oned.drivers.libvirt import bounds
from services.oned.drivers.step import PlanError, Step
from services.oned.drivers.vm_context import VmContext
from services.oned.drivers.vmm_data import Message, short_action_xml
from services.oned.drivers.vmm_plan import Builder, vmm
from services.oned.drivers.vnm_plan import Networks

_FILTERING = ("fw", "802.1Q", "vxlan")  # have to know every address of an interface, also of aliases
_ELASTIC = "elastic"  # gives addresses from outside, also to aliases


def _in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# -- disks -------------------------------------------------------------------------------------------------
def attach_disk(context: VmContext) -> list[Step]:
    """ATTACH_DISK: make the disk, then plug it in; when that fails it goes again. Raises PlanError."""
    place, disk = context.here, context.marked_disk("ATTACH")
    made = tm_disk.make(context, disk)
    if not made:
        raise PlanError(f"disk {disk.get('DISK_ID', '?')} of vm {context.vm_id} lacks SIZE or FORMAT")
    back = tm_disk.end(context, place, disk)
    said = Message(
        deploy_id=context.vm.deploy_id,
        tm_command=tm_disk.command_text(made),
        tm_rollback=tm_disk.command_text(back),
        disk_path=place.disk(disk),
    )
    target = _target(context, disk)
    plug = vmm(
        context,
        place,
        "attach_disk",
        *(context.deploy_id, place.disk(disk), target, _index(target)),
        _in_base64(short_action_xml(context, place, said)),
        said=said,
    )
    # A disk that a dead engine may have plugged in must not be made anew under its machine.
    unplug = _unplug(context, disk, said)
    made = [replace(step, redo=(unplug, *step.redo)) for step in made]
    return [*made, replace(plug, undo=tuple(back))]


def detach_disk(context: VmContext) -> list[Step]:
    """DETACH_DISK: unplug the disk, then it becomes its image, or is deleted. Raises PlanError."""
    disk = context.marked_disk("ATTACH")
    ended = tm_plan.detached(context, disk)
    said = Message(
        deploy_id=context.vm.deploy_id,
        tm_command=tm_disk.command_text(tm_disk.end(context, context.here, disk)),
        disk_path=context.here.disk(disk),
    )
    return [_unplug(context, disk, said), *ended]


def _unplug(context: VmContext, disk: Vector, said: Message) -> Step:
    target = _target(context, disk)
    args = (context.deploy_id, context.here.disk(disk), target, _index(target))
    return vmm(context, context.here, "detach_disk", *args, said=said)


def _target(context: VmContext, disk: Vector) -> str:
    target = disk.get("TARGET", "")
    if not target:
        raise PlanError(f"disk {disk.get('DISK_ID', '?')} of vm {context.vm_id} has no TARGET")
    return target


def _index(target: str) -> str:
    """The place of a device among its kind, by the last letter of its name: sdc is 2."""
    return str(ord(target.lower()[-1]) - ord("a"))


def resize_disk(context: VmContext) -> list[Step]:
    """RESIZE_DISK: the file first, then the machine is told. Raises PlanError."""
    place, disk = context.here, context.marked_disk("RESIZE")
    grown = tm_disk.resize(context, place, disk)
    said = Message(
        deploy_id=context.vm.deploy_id,
        tm_command=tm_disk.command_text(grown),
        disk_path=place.disk(disk),
    )
    number, size = disk.get("DISK_ID", "0"), disk.get("SIZE", "0")
    argument = _in_base64(short_action_xml(context, place, said))
    args = (context.deploy_id, number, size, argument, place.host)
    return [*grown, vmm(context, place, "resize_disk", *args, said=said)]


def disk_snapshot_create(context: VmContext) -> list[Step]:
    """DISK_SNAPSHOT_CREATE of a running machine, where hypervisor and disk can do that. Raises PlanError."""
    disk = context.marked_disk("DISK_SNAPSHOT_ACTIVE")
    pair = f"{context.record.vm_mad}-{disk.get('TM_MAD', '')}"
    if not context.simulates_disks and pair not in context.drivers.live_disk_snapshots:
        known = ", ".join(sorted(context.drivers.live_disk_snapshots)) or "none"
        raise PlanError(
            f"a snapshot of disk {disk.get('DISK_ID', '?')} cannot be taken while vm {context.vm_id} runs: "
            f"{pair} is not among the drivers that can ({known})"
        )
    return tm_disk.snapshot(context, "snap_create_live", disk)


# -- interfaces --------------------------------------------------------------------------------------------
def attach_nic(context: VmContext) -> list[Step]:
    """ATTACH_NIC: networks, the card, networks again, then the guest is told. Raises PlanError."""
    place, nic = context.here, context.marked_nic()
    lacking = [name for name in ("VN_MAD", "BRIDGE", "TARGET", "MAC") if not nic.get(name)]
    if lacking:
        raise PlanError(
            f"interface {nic.get('NIC_ID', '?')} of vm {context.vm_id} lacks {', '.join(lacking)}: it cannot "
            "be attached"
        )
    bounds.target(f"vm {context.vm_id}", nic.get("NIC_ID", "?"), context.vm.oid, nic["TARGET"])
    told = context_disk.steps(context)
    said = _with_context(context, told)
    networks = Networks(context, is_clear=True, only=_only(context, nic))
    steps: list[Step] = []
    undo = tuple(networks.clean(place)) if _is_connected(context, nic) else ()
    if not _is_alias(context, nic):
        args = (nic["MAC"], nic["BRIDGE"], nic.get("MODEL") or "-", nic["VN_MAD"], nic["TARGET"])
        plug = vmm(context, place, "attach_nic", context.deploy_id, *args, said=said)
        unplug = vmm(context, place, "detach_nic", context.deploy_id, nic["MAC"], said=said)
        steps += networks.pre(place, undo)
        steps.append(replace(plug, undo=undo, redo=(unplug,)))
        undo = (unplug, *undo)
        steps += networks.post(place, context.deploy_id, undo)
    elif _is_connected(context, nic):
        steps += networks.pre(place, undo) if _is_outside(nic) else []
        steps += networks.post(place, context.deploy_id, undo)
    # What the VM does not get must not stay in the machine: its address is given to others.
    return [*steps, *(replace(step, undo=(*step.undo, *undo)) for step in _tell(context, told, said))]


def detach_nic(context: VmContext) -> list[Step]:
    """DETACH_NIC: the card, its networks, then the guest is told. Raises PlanError."""
    place, nic = context.here, context.marked_nic()
    if not nic.get("MAC"):
        raise PlanError(f"interface {nic.get('NIC_ID', '?')} of vm {context.vm_id} has no MAC")
    told = context_disk.steps(context, without=nic)
    said = _with_context(context, told)
    steps: list[Step] = []
    if not _is_alias(context, nic):
        steps.append(vmm(context, place, "detach_nic", context.deploy_id, nic["MAC"], said=said))
    if _is_connected(context, nic):
        steps += Networks(context, is_clear=True, only=_only(context, nic)).clean(place)
    return [*steps, *_tell(context, told, said)]


def _is_alias(context: VmContext, nic: Vector) -> bool:
    return any(nic is alias for alias in context.vm.template.vectors("NIC_ALIAS"))


def _is_connected(context: VmContext, nic: Vector) -> bool:
    """Whether network drivers have something to do for it: aliases can be the guest's affair alone."""
    return not _is_alias(context, nic) or _is_outside(nic) or nic.get("VN_MAD") in _FILTERING


def _only(context: VmContext, nic: Vector) -> str:
    """The one network driver that takes part, where the address alone is meant."""
    is_inside = _is_alias(context, nic) and not _is_outside(nic)
    return nic.get("VN_MAD", "") if is_inside else ""


def _is_outside(nic: Vector) -> bool:
    """Whether an alias has an address that a network driver has to make reach the machine."""
    return "EXTERNAL" in nic or nic.get("VN_MAD") == _ELASTIC


def update_conf(context: VmContext) -> list[Step]:
    """UPDATE_CONF: the guest gets a new context disk. Raises PlanError."""
    told = context_disk.steps(context)
    return _tell(context, told, _with_context(context, told))


def _with_context(context: VmContext, told: list[Step]) -> Message:
    return Message(
        deploy_id=context.vm.deploy_id,
        tm_command=tm_disk.command_text(told),
        disk_path=context_disk.path(context),
        is_clear=True,
    )


def _tell(context: VmContext, told: list[Step], said: Message) -> list[Step]:
    """Take the context disk out, make it anew, put it in; nothing for a machine that has none."""
    path = context_disk.path(context)
    if not path:
        return []
    place, device = context.here, context_disk.target_device(context)
    insert = vmm(context, place, "reconfigure", context.deploy_id, device, path, said=said)
    return [
        vmm(context, place, "prereconfigure", context.deploy_id, device, said=said),
        *(replace(step, undo=(insert,)) for step in told),  # the disk that was there is there still
        insert,
    ]


def update_sg(context: VmContext) -> list[Step]:
    """UPDATE_SG: network drivers apply the changed rules of a security group."""
    return Networks(context).update_sg(context.here, context.deploy_id)


# -- capacity and snapshots --------------------------------------------------------------------------------
def resize(context: VmContext) -> list[Step]:
    """RESIZE: the machine gets its new capacity while it runs."""
    return [vmm(context, context.here, "resize", context.deploy_id)]


def snapshot_create(context: VmContext) -> list[Step]:
    """SNAPSHOT_CREATE: the output is the hypervisor's name of the snapshot. Raises PlanError."""
    number = context.marked_snapshot().get("SNAPSHOT_ID", "0")
    # The name that hypervisors give it by custom, for what a dead engine may have left.
    left = vmm(context, context.here, "snapshot_delete", context.deploy_id, f"snap-{number}")
    made = vmm(context, context.here, "snapshot_create", context.deploy_id, number)
    return [replace(made, gives_output=True, redo=(left,))]


def snapshot_revert(context: VmContext) -> list[Step]:
    """SNAPSHOT_REVERT: the machine is as it was at the snapshot. Raises PlanError."""
    return _on_snapshot(context, "snapshot_revert")


def snapshot_delete(context: VmContext) -> list[Step]:
    """SNAPSHOT_DELETE: the snapshot goes. Raises PlanError."""
    return _on_snapshot(context, "snapshot_delete")


def _on_snapshot(context: VmContext, action: str) -> list[Step]:
    snapshot = context.marked_snapshot()
    name = snapshot.get("HYPERVISOR_ID", "")
    if not name:
        number = snapshot.get("SNAPSHOT_ID", "?")
        raise PlanError(f"snapshot {number} of vm {context.vm_id} has no HYPERVISOR_ID")
    return [vmm(context, context.here, action, context.deploy_id, name)]


BUILDERS: dict[str, Builder] = {
    "vmm.ATTACH_DISK": attach_disk,
    "vmm.DETACH_DISK": detach_disk,
    "vmm.RESIZE_DISK": resize_disk,
    "vmm.DISK_SNAPSHOT_CREATE": disk_snapshot_create,
    "vmm.ATTACH_NIC": attach_nic,
    "vmm.DETACH_NIC": detach_nic,
    "vmm.UPDATE_CONF": update_conf,
    "vmm.UPDATE_SG": update_sg,
    "vmm.RESIZE": resize,
    "vmm.SNAPSHOT_CREATE": snapshot_create,
    "vmm.SNAPSHOT_REVERT": snapshot_revert,
    "vmm.SNAPSHOT_DELETE": snapshot_delete,
}
