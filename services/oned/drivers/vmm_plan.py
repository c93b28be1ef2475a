"""Steps of the operations that start and stop a machine, with what undoes them.

Source: sequence and argument order of the virtual machine driver of release 6.0.0.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from services.oned.drivers import context_disk, tm_disk, tm_move, tm_plan
from services.oned.drivers.libvirt import domain
from services.oned.drivers.step import Argument, File, PlanError, Probe, Slot, Step
from services.oned.drivers.table import ACTIONS, Takeover
from services.oned.drivers.vm_context import Place, VmContext
from services.oned.drivers.vmm_data import Message, action_xml, system_datastore
from services.oned.drivers.vnm_plan import Networks

Builder = Callable[[VmContext], list[Step]]
# What is written has the VM's secrets in clear.
_WRITE = 'mkdir -p "$1" && umask 077 && cat >"$1/.$2.part" && mv -f "$1/.$2.part" "$1/$2"'


def vmm(context: VmContext, place: Place, action: str, *args: Argument, said: Message | None = None) -> Step:
    """A hypervisor action at a place; every one ends in VM_ID HOST and gets the action XML."""
    driver = context.drivers.vmm(place.vm_mad)
    is_local = driver.is_local or action in driver.options.local
    said = said or Message(deploy_id=context.vm.deploy_id)
    return Step(
        "vmm",
        driver.folder,
        driver.options.local.get(action, action),
        (*args, context.vm_id, place.host),
        context.drivers.timeout_s("vmm", action, driver.options),
        host="" if is_local else place.host,
        remote_folder=context.drivers.remote_folder,
        forwards_agent=not is_local and driver.delegates(action),
        stdin=action_xml(context, place, said),
        is_encoded=is_local,
    )


def poll(context: VmContext, place: Place) -> Step:
    """POLL at a place: prints STATE=a when the machine is there; not every hypervisor's drivers can tell."""
    return replace(vmm(context, place, "poll", context.deploy_id, place.host), may_lack=True)


def with_probe(context: VmContext, place: Place, action: str, step: Step) -> Step:
    """The step, asking the hypervisor first when it is taken over from a dead engine."""
    wanted = ACTIONS["vmm", action].takeover
    if wanted is Takeover.RERUN:
        return step
    output = context.deploy_id if wanted is Takeover.ACTIVE else ""
    return replace(step, probe=Probe(poll(context, place), wanted, output))


# -- start -------------------------------------------------------------------------------------------------
def deploy(context: VmContext) -> list[Step]:
    """DEPLOY: start the machine from its deployment file; the output is the deploy id. Raises PlanError."""
    place, name = context.here, f"deployment.{context.record.seq}"
    text = _deployment_text(context)
    file = File(context.front_end_folder / name, text)
    disk = context_disk.steps(context)
    said = Message(
        deployment_file=name,
        tm_command=tm_disk.command_text(disk),
        disk_path=context_disk.path(context),
        is_clear=True,
    )
    networks = Networks(context, is_clear=True)
    clean = tuple(networks.clean(place))
    start = vmm(context, place, "deploy", said=Message())
    path = f"{place.folder}/{name}" if start.host else str(file.path)
    start = replace(start, args=(path, place.host, *start.args), stdin=text, files=(file,))
    start = replace(with_probe(context, place, "deploy", start), undo=clean, gives_output=True)
    stop = vmm(context, place, "cancel", Slot.DEPLOY_ID, place.host, said=said)
    return [
        *tm_move.put_back(context),
        *disk,
        *networks.pre(place, undo=clean),
        *(_documents(context, place, clean) if start.host else []),
        start,
        *networks.post(place, Slot.DEPLOY_ID, undo=(stop, *clean)),
    ]


def _deployment_text(context: VmContext) -> str:
    kind = context.vmm.deployment_type.lower()
    if kind in domain.TYPES:
        return domain.deployment_text(context)
    if kind != "xml":
        raise PlanError(
            f"vm {context.vm.oid}: deployment files of TYPE {kind!r} (VM_MAD {context.vmm.name}) cannot "
            "be made by this version, only kvm, qemu and xml"
        )
    return context.vm_xml


def _documents(context: VmContext, place: Place, undo: tuple[Step, ...]) -> list[Step]:
    """What actions and probes on the node read in the VM's folder: the VM and its system datastore."""
    texts = {"vm.xml": context.clear_xml, "ds.xml": system_datastore(context, place)}
    timeout_s = context.drivers.timeout_s("vmm", "poll", context.vmm.options)
    return [
        Step(
            "vmm",
            context.vmm.folder,
            f"write_{name.partition('.')[0]}",
            (place.folder, name),
            timeout_s,
            host=place.host,
            line=_WRITE,
            stdin=text,
            is_encoded=False,
            undo=undo,
        )
        for name, text in texts.items()
    ]


def restore(context: VmContext) -> list[Step]:
    """RESTORE: continue a saved machine, which keeps its deploy id. Raises PlanError."""
    place, deploy_id = context.here, context.deploy_id
    disk = context_disk.steps(context)
    said = Message(
        deploy_id=context.vm.deploy_id,
        checkpoint=place.checkpoint,
        tm_command=tm_disk.command_text(disk),
        disk_path=context_disk.path(context),
        is_clear=True,
    )
    networks = Networks(context, is_clear=True)
    clean = tuple(networks.clean(place))
    start = vmm(context, place, "restore", place.checkpoint, place.host, deploy_id, said=said)
    start = replace(with_probe(context, place, "restore", start), undo=clean)
    stop = vmm(context, place, "cancel", deploy_id, place.host, said=said)
    return [
        *tm_move.put_back(context),
        *disk,
        *networks.pre(place, undo=clean),
        start,
        *networks.post(place, deploy_id, undo=(stop, *clean)),
    ]


# -- stop --------------------------------------------------------------------------------------------------
def _stopped(context: VmContext, action: str, *between: str, checkpoint: str = "") -> list[Step]:
    """The machine stops, then its networks go; in a migration that is where the VM comes from."""
    place = context.works_at
    said = Message(deploy_id=context.vm.deploy_id, checkpoint=checkpoint)
    stop = vmm(context, place, action, context.deploy_id, *between, place.host, said=said)
    return [with_probe(context, place, action, stop), *Networks(context).clean(place)]


def shutdown(context: VmContext) -> list[Step]:
    """SHUTDOWN: ask the guest to stop, and wait for it."""
    return _stopped(context, "shutdown")


def cancel(context: VmContext) -> list[Step]:
    """CANCEL: stop the machine hard."""
    return _stopped(context, "cancel")


def save(context: VmContext) -> list[Step]:
    """SAVE: stop the machine, its memory goes to the checkpoint file."""
    checkpoint = context.works_at.checkpoint
    return _stopped(context, "save", checkpoint, checkpoint=checkpoint)


# -- start again -------------------------------------------------------------------------------------------
def _restarted(context: VmContext, action: str) -> list[Step]:
    place = context.here
    again = vmm(context, place, action, context.deploy_id, place.host)
    if context.vmm.folder != "lxd":
        return [again]
    # A container's interfaces do not live through its restart.
    networks = Networks(context)
    stop = vmm(context, place, "cancel", context.deploy_id, place.host)
    post = networks.post(place, context.deploy_id, undo=(stop,))
    return [again, *networks.clean(place), *networks.pre(place), again, *post]


def reboot(context: VmContext) -> list[Step]:
    """REBOOT: ask the guest to start again."""
    return _restarted(context, "reboot")


def reset(context: VmContext) -> list[Step]:
    """RESET: start the machine again, hard."""
    return _restarted(context, "reset")


def poll_state(context: VmContext) -> list[Step]:
    """POLL: what the machine does; the output is KEY=VALUE pairs."""
    return [replace(poll(context, context.here), gives_output=True, may_lack=False)]


# -- clean up ----------------------------------------------------------------------------------------------
def cleanup(context: VmContext) -> list[Step]:
    """CLEANUP: machine, networks and disks go; errors are ignored, for any of them may be gone already."""
    place = context.works_at
    networks = Networks(context)
    places = [place, context.left] if context.takes_both else [place]
    steps: list[Step] = []
    for each in places:
        steps.append(vmm(context, each, "cancel", context.deploy_id, each.host))
        steps += networks.clean(each)
    if not context.is_in_cloud:
        for each in places:
            steps += tm_plan.delete_all(context, each)
    return [replace(step, ignore_failure=True) for step in steps]


BUILDERS: dict[str, Builder] = {
    "vmm.DEPLOY": deploy,
    "vmm.RESTORE": restore,
    "vmm.SHUTDOWN": shutdown,
    "vmm.CANCEL": cancel,
    "vmm.SAVE": save,
    "vmm.REBOOT": reboot,
    "vmm.RESET": reset,
    "vmm.POLL": poll_state,
    "vmm.CLEANUP": cleanup,
}
