"""Steps of the operations that a hypervisor does, with what undoes them.

Source: sequence and argument order of the virtual machine drivers of release 6.0.
"""

from __future__ import annotations

from dataclasses import replace

from services.oned.drivers import tm_plan
from services.oned.drivers.step import Argument, File, PlanError, Probe, Slot, Step
from services.oned.drivers.table import ACTIONS, Takeover
from services.oned.drivers.vm_context import VmContext
from services.oned.drivers.vmm_data import action_xml


def _vmm(context: VmContext, action: str, *args: Argument) -> Step:
    """A hypervisor action; every one ends in VM_ID HOST and gets the action XML."""
    driver = context.vmm
    script = driver.options.local.get(action, action)
    is_local = driver.is_local or action in driver.options.local
    return Step(
        "vmm",
        driver.folder,
        script,
        (*args, context.vm_id, context.host),
        context.drivers.timeout_s("vmm", action, driver.options),
        host="" if is_local else context.host,
        remote_folder=context.drivers.remote_folder,
        stdin=action_xml(context),
        is_encoded=is_local,
    )


def _with_probe(context: VmContext, action: str, step: Step) -> Step:
    """The step, asking the hypervisor first when it is taken over from a dead engine."""
    wanted = ACTIONS["vmm", action].takeover
    if wanted is Takeover.RERUN:
        return step
    poll = _vmm(context, "poll", context.deploy_id, context.host)
    output = context.deploy_id if wanted is Takeover.ACTIVE else ""
    return replace(step, probe=Probe(poll, wanted, output))


def _network(context: VmContext, action: str, *args: Argument, undo: tuple[Step, ...] = ()) -> list[Step]:
    """One action of each network driver of the VM."""
    return [
        Step(
            "vnm",
            driver,
            action,
            args,
            context.drivers.timeout_s("vnm", action),
            host="" if context.vmm.is_local else context.host,
            remote_folder=context.drivers.remote_folder,
            stdin=context.vm.to_xml(),
            undo=undo,
        )
        for driver in context.network_drivers()
    ]


def _clean(context: VmContext) -> list[Step]:
    return _network(context, "clean", context.host)


def _started(context: VmContext, action: str, start: Step) -> list[Step]:
    """Networks, then the machine, then networks again; what was begun is undone when it fails."""
    clean = tuple(_clean(context))
    stop = (_vmm(context, "cancel", Slot.DEPLOY_ID, context.host), *clean)
    start = replace(_with_probe(context, action, start), undo=clean, gives_output=True)
    return [
        *_network(context, "pre", undo=clean),
        start,
        *_network(context, "post", Slot.DEPLOY_ID, context.host, undo=stop),
    ]


def deploy(context: VmContext) -> list[Step]:
    """DEPLOY: start the machine from its deployment file; the output is the deploy id."""
    name = f"deployment.{context.record.seq}"
    text = _deployment_text(context)
    file = File(context.front_end_folder / name, text)
    start = _vmm(context, "deploy")
    path = f"{context.folder}/{name}" if start.host else str(file.path)
    start = replace(start, args=(path, context.host, *start.args), stdin=text, files=(file,))
    return _started(context, "deploy", start)


def _deployment_text(context: VmContext) -> str:
    kind = context.vmm.deployment_type
    if kind != "xml":
        raise PlanError(
            f"vm {context.vm.oid}: deployment files of TYPE {kind!r} (VM_MAD {context.vmm.name}) cannot "
            "be made by this version, only xml"
        )
    return context.vm.to_xml()


def restore(context: VmContext) -> list[Step]:
    """RESTORE: continue a saved machine; the output is the deploy id."""
    checkpoint = f"{context.folder}/checkpoint"
    return _started(context, "restore", _vmm(context, "restore", checkpoint, context.host, context.deploy_id))


def _stopped(context: VmContext, action: str, *between: str) -> list[Step]:
    """The machine stops, then its networks go."""
    stop = _vmm(context, action, context.deploy_id, *between, context.host)
    return [_with_probe(context, action, stop), *_clean(context)]


def shutdown(context: VmContext) -> list[Step]:
    """SHUTDOWN: ask the guest to stop, and wait for it."""
    return _stopped(context, "shutdown")


def cancel(context: VmContext) -> list[Step]:
    """CANCEL: stop the machine hard."""
    return _stopped(context, "cancel")


def save(context: VmContext) -> list[Step]:
    """SAVE: stop the machine, its memory goes to the checkpoint file."""
    return _stopped(context, "save", f"{context.folder}/checkpoint")


def reboot(context: VmContext) -> list[Step]:
    """REBOOT: ask the guest to start again."""
    return [_vmm(context, "reboot", context.deploy_id, context.host)]


def reset(context: VmContext) -> list[Step]:
    """RESET: start the machine again, hard."""
    return [_vmm(context, "reset", context.deploy_id, context.host)]


def cleanup(context: VmContext) -> list[Step]:
    """CLEANUP: machine, networks and disks go; errors are ignored, for any of them may be gone already."""
    taken = [*cancel(context), *tm_plan.epilog_delete(context)]
    return [replace(step, ignore_failure=True, probe=None) for step in taken]
