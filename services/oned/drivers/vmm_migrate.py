"""Steps of live migration.

The transfer driver prepares the target, the hypervisor moves the machine, and the transfer driver removes
what is left at the origin: only when the target's hypervisor says that the machine is there (a driver without
poll says so by the success of its migrate). From the move on nothing undoes it any more; what fails then is
logged, as OpenNebula does.

Source: sequence and argument order of the virtual machine driver of release 6.0.0.3.
"""

from __future__ import annotations

from dataclasses import replace

from services.oned.drivers import tm_disk
from services.oned.drivers.step import UNSUPPORTED, Probe, Step, When
from services.oned.drivers.table import Takeover
from services.oned.drivers.vm_context import Place, VmContext
from services.oned.drivers.vmm_data import Message
from services.oned.drivers.vmm_plan import Builder, poll, vmm
from services.oned.drivers.vnm_plan import Networks

_ARRIVED = When("arrival", ("STATE=a", UNSUPPORTED))


def migrate(context: VmContext) -> list[Step]:
    """MIGRATE: the running machine goes from the old host to the new one. Raises PlanError."""
    origin, target = context.left, context.here
    pre, post, failed = (_transfer(context, origin, target, when) for when in ("pre", "post", "fail"))
    command = tm_disk.command_text([pre]).removeprefix("PRE")
    said = Message(
        migrate_to=target.host,
        deploy_id=context.vm.deploy_id,
        tm_command=command,
        disk_path=target.folder,
    )
    networks = Networks(context)
    # Begun anew, either would destroy what has arrived: only when nothing has may it be run again.
    probe = Probe(poll(context, target), Takeover.ACTIVE, again=Takeover.GONE)
    move = vmm(context, origin, "migrate", context.deploy_id, target.host, origin.host, said=said)
    after = [*networks.clean(origin), *networks.post(target, context.deploy_id)]
    return [
        replace(pre, probe=probe),
        *networks.pre(target, undo=(failed,)),
        replace(move, probe=probe, undo=(failed,)),
        *(replace(step, ignore_failure=True) for step in after),
        replace(poll(context, target), note="arrival", ignore_failure=True),
        replace(post, when=_ARRIVED, ignore_failure=True),
    ]


def _transfer(context: VmContext, origin: Place, target: Place, when: str) -> Step:
    """The transfer driver's part; it gets the VM's document on its standard input."""
    step = tm_disk.tm(
        context,
        f"{when}migrate",
        context.system_tm(target),
        *(origin.host, target.host, target.folder, context.vm_id, str(target.ds_id)),
    )
    return replace(step, stdin=context.vm_xml)


BUILDERS: dict[str, Builder] = {"vmm.MIGRATE": migrate}
