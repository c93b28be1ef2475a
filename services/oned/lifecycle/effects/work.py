"""Effects on the rest: driver work, the VM's end, its marks and messages."""

from __future__ import annotations

import contextlib
import logging
import re
import time

from services.oned.errors import RequestError
from services.oned.lifecycle import context, resources, site
from services.oned.lifecycle.actions import COLD_START, HistoryAction
from services.oned.lifecycle.effects.base import Firing, effect, now_s, record
from services.oned.lifecycle.effects.places import free_port, release_host
from services.oned.lifecycle.effects.records import close_record
from services.oned.model import history
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Tx, jobs, pools

_log = logging.getLogger("VMM")
_SOFT = (HistoryAction.TERMINATE, HistoryAction.POWEROFF, HistoryAction.UNDEPLOY, HistoryAction.POFF_MIGRATE)
_CLEANED = (HistoryAction.DELETE, HistoryAction.DELETE_RECREATE)
# Work that is done on the host that a cold migration leaves.
_LEAVING = ("vmm.SAVE", "vmm.SHUTDOWN", "vmm.CANCEL")
_ENDS = ("tm.EPILOG", "tm.EPILOG_DELETE")
# Work for which the guest's context is made anew, with what its interfaces are by now.
_BRINGS_CONTEXT = ("vmm.DEPLOY", "vmm.RESTORE", "vmm.ATTACH_NIC")
# Their machines have the UUID that OS says, and this name.
_OF_LIBVIRT = ("kvm", "qemu")
_OWN_NAME = re.compile(r"one-[0-9]+\Z", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.ASCII)
_NO_DATASTORE = -1  # in the record of a public cloud
_ON_FRONT_END = ("DISK_RESIZE_UNDEPLOYED", "HOTPLUG_SAVEAS_UNDEPLOYED", "HOTPLUG_SAVEAS_STOPPED")


# -- marks and messages ------------------------------------------------------------------------------------
@effect
def set_deploy_id(tx: Tx, vm: VM, firing: Firing) -> None:
    """Keep the hypervisor's name of the machine; a driver that prints none leaves the old one.

    So does one that names another VM's: what is done to this VM later, maybe on another host, would hit that.
    """
    lines = firing.output.strip().splitlines()
    printed = lines[-1].strip()[:128] if lines else ""
    if printed and _is_another(vm, printed):
        _log.warning("vm %d: its driver calls it %s, which is not its name; ignored", vm.oid, printed)
    elif printed:
        vm.deploy_id = printed
    if not vm.deploy_id:
        vm.deploy_id = f"one-{vm.oid}"


def _is_another(vm: VM, name: str) -> bool:
    """Whether a node cannot mean this VM by a name that it prints."""
    if vm.history is None or vm.history.vm_mad not in _OF_LIBVIRT or vm.template.get("IMPORTED"):
        return False
    if _OWN_NAME.match(name):
        return name != f"one-{vm.oid}"
    known = (vm.template.get_vector("OS") or {}).get("UUID", "").lower()
    return bool(known and _UUID.match(name.lower()) and name.lower() != known)


@effect
def clear_deploy_id(tx: Tx, vm: VM, firing: Firing) -> None:
    vm.deploy_id = ""


@effect
def mark_resched(tx: Tx, vm: VM, firing: Firing) -> None:
    vm.resched = 1


@effect
def clear_resched(tx: Tx, vm: VM, firing: Firing) -> None:
    vm.resched = 0


@effect
def set_error(tx: Tx, vm: VM, firing: Firing) -> None:
    """Show the driver's message where clients look for it."""
    stamp = time.strftime("%a %b %d %H:%M:%S %Y")
    vm.user_template.set("ERROR", f"{stamp}: {firing.message or 'no message from the driver'}")


@effect
def clear_sched_message(tx: Tx, vm: VM, firing: Firing) -> None:
    """What kept the VM from a host is over. ERROR stays until the next one, or until somebody removes it."""
    vm.user_template.remove("SCHED_MESSAGE")


# -- work and end ------------------------------------------------------------------------------------------
@effect
def cancel_jobs(tx: Tx, vm: VM, firing: Firing) -> None:
    """Drop the driver work under way; results that still arrive are ignored."""
    jobs.cancel(tx, "VM", vm.oid)


@effect
def finish(tx: Tx, vm: VM, firing: Firing) -> None:
    """The end: the record is closed, host, port, disks and interfaces are free. Before the state changes.

    Cleaning up a machine that ran, or was on its way, may leave a persistent image broken.
    """
    was_on_its_way = vm.history is not None and vm.history.action in _CLEANED
    _finish(tx, vm, firing, trust_images=not was_on_its_way)


@effect
def finish_unclean(tx: Tx, vm: VM, firing: Firing) -> None:
    """As finish, for a VM that somebody else has cleaned up after. Before the state changes."""
    _finish(tx, vm, firing, trust_images=True)


def _finish(tx: Tx, vm: VM, firing: Firing, *, trust_images: bool) -> None:
    close_record(tx, vm, firing)
    release_host(tx, vm, firing)
    free_port(tx, vm, firing)
    resources.release_all(tx, vm, trust_images=trust_images)
    vm.etime = now_s()


def add_job(tx: Tx, vm: VM, operation: str) -> None:
    """Hand an operation to the drivers of the VM's host and datastore.

    operation: as rows write it; ``/both`` and ``/previous`` name the hosts of a migration that was under way,
    ``/front_end`` says that there may be disks on the front-end, too, ``/again`` that it was begun before.
    """
    place = record(vm)
    operation, _, hosts = operation.partition("/")
    operation = _again(operation, place.action)
    spec: dict[str, object] = {hosts: True} if hosts else {}
    if vm.condition in _ON_FRONT_END or (operation in _ENDS and not _is_on_host(tx, vm, place.hid)):
        spec["local"] = True
    at = place
    if operation == "vmm.MIGRATE" or (vm.condition == "SAVE_MIGRATE" and operation in _LEAVING):
        spec["previous"] = True
        at = history.before(tx, place) or place
    if operation in _BRINGS_CONTEXT and place.ds_id != _NO_DATASTORE:
        # A variable that can no longer be read keeps the setting that it gave before.
        with contextlib.suppress(RequestError):
            context.write_network(tx, vm, auto_nics=True)
    if operation == "tm.PROLOG":
        _name_boot_files(vm, place.ds_id)
    driver = place.tm_mad if operation.startswith("tm.") else at.vm_mad
    jobs.add(tx, kind="VM", oid=vm.oid, operation=operation, driver=driver, host=at.hostname, spec=spec)


def _name_boot_files(vm: VM, ds_id: int) -> None:
    """A kernel and RAM disk that are images start from where the transfer driver puts them."""
    machine = vm.template.get_vector("OS") or {}
    for name in ("KERNEL", "INITRD"):
        if all(machine.get(f"{name}_DS{part}") for part in ("", "_SOURCE", "_DSID", "_TM")):
            machine[name] = f"{site.datastore_location()}/{ds_id}/{vm.oid}/{name.lower()}"


def _again(operation: str, action: int) -> str:
    """The operation that a retry begins again, by what was asked for."""
    if operation == "vmm.SAVE_AGAIN" and action not in COLD_START:
        return "vmm.SAVE"
    if operation in ("vmm.SHUTDOWN_AGAIN", "vmm.SAVE_AGAIN"):
        return "vmm.SHUTDOWN" if action in _SOFT else "vmm.CANCEL"
    return operation


def _is_on_host(tx: Tx, vm: VM, host_id: int) -> bool:
    """Whether the host counts the VM; the disks of one that it does not count are on the front-end."""
    body = pools.body(tx, Host.TABLE, host_id)
    return body is not None and vm.oid in Host.from_xml(body).vms
