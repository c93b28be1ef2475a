"""Bringing VMs in line with the changed rules of their security group.

Every VM of a group is brought in line in one of three ways, by its condition: its document alone changes; it
also runs, and a driver changes the rules on its host; or the host's rules are being made or changed at this
moment, and the VM is listed as failed until somebody commits the group again.

Source: security groups page of release 6.0; life-cycle manager of release 6.0.0.3.
"""

from __future__ import annotations

import logging

from services.oned.errors import NotFoundError
from services.oned.lifecycle import secgroup_use
from services.oned.lifecycle.states import VmState
from services.oned.model.secgroup import SecurityGroup
from services.oned.model.vm import VM
from services.oned.store import Tx, jobs
from services.oned.store.jobs import Job

KIND = "SECGROUP"
NEXT_OPERATION = "secgroup.UPDATE"
VM_OPERATION = "vmm.UPDATE_SG"
SPEC_GROUP = "sg_id"
# VMs that are brought in line in one transaction; the engine goes on with the rest.
BATCH = 50
# A driver is making or changing the host's rules.
_BUSY = frozenset((
    "BOOT", "BOOT_MIGRATE", "BOOT_SUSPENDED", "BOOT_STOPPED", "BOOT_UNDEPLOY", "BOOT_POWEROFF",
    "BOOT_UNKNOWN", "BOOT_FAILURE", "BOOT_MIGRATE_FAILURE", "BOOT_UNDEPLOY_FAILURE", "BOOT_STOPPED_FAILURE",
    "MIGRATE", "HOTPLUG_NIC", "HOTPLUG_NIC_POWEROFF", "UNKNOWN",
))  # fmt: skip
# The host has rules that a driver can change.
_ON_HOST = frozenset((
    "RUNNING", "HOTPLUG", "HOTPLUG_SNAPSHOT", "HOTPLUG_SAVEAS", "HOTPLUG_RESIZE", "DISK_SNAPSHOT",
    "DISK_SNAPSHOT_DELETE", "DISK_RESIZE",
))  # fmt: skip
_log = logging.getLogger("LCM")


def begin(tx: Tx, group: SecurityGroup) -> None:
    """Bring the first outdated VMs in line and leave the rest to the engine. The caller stores the group."""
    for vm_id in sorted(group.outdated)[:BATCH]:
        group.outdated.discard(vm_id)
        _bring_in_line(tx, group, vm_id)
    if group.outdated and not jobs.has(tx, KIND, group.oid, NEXT_OPERATION):
        jobs.add(tx, kind=KIND, oid=group.oid, operation=NEXT_OPERATION, driver="", host="")


def go_on(tx: Tx, sg_id: int) -> None:
    """Bring the next outdated VMs of a group in line; nothing when the group is gone."""
    group = SecurityGroup.find(tx, sg_id)
    if group is not None:
        begin(tx, group)
        group.save(tx)


def _bring_in_line(tx: Tx, group: SecurityGroup, vm_id: int) -> None:
    vm = VM.find(tx, vm_id)
    if vm is None or vm.state is VmState.DONE:
        return
    condition = vm.condition
    if condition in _BUSY:
        group.error.add(vm_id)
        return
    _renew_rules(tx, vm, group)
    if condition in _ON_HOST and vm.history is not None:
        group.updating.add(vm_id)
        jobs.add(
            tx,
            kind="VM",
            oid=vm_id,
            operation=VM_OPERATION,
            driver=vm.history.vm_mad,
            host=vm.history.hostname,
            spec={SPEC_GROUP: group.oid},
        )
    else:
        group.updated.add(vm_id)


def _renew_rules(tx: Tx, vm: VM, group: SecurityGroup) -> None:
    """Replace what the VM's document repeats of the group's rules."""
    own = str(group.oid)
    kept = [
        rule for rule in vm.template.vectors("SECURITY_GROUP_RULE") if rule.get("SECURITY_GROUP_ID") != own
    ]
    vm.template.remove("SECURITY_GROUP_RULE")
    for rule in [*kept, *secgroup_use.narrowed(tx, group.rules())]:
        vm.template.add("SECURITY_GROUP_RULE", rule)
    vm.save(tx)


def job_finished(tx: Tx, job: Job, ok: bool, message: str) -> None:
    """Note how changing the rules on a VM's host ended.

    A result that no longer counts is dropped: the group was committed again, or the VM has ended.
    """
    try:
        group = SecurityGroup.load(tx, int(job.spec[SPEC_GROUP]))
    except NotFoundError:
        return
    if job.oid not in group.updating:
        _log.info("vm %d: dropping the result of %s for %s", job.oid, job.operation, group)
        return
    group.updating.discard(job.oid)
    (group.updated if ok else group.error).add(job.oid)
    group.save(tx)
    if not ok:
        _log.warning("vm %d: the rules of %s were not updated: %s", job.oid, group, message)
