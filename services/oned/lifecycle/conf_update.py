"""Changing how a VM starts: machine, features, screen, raw data, context; rights are the caller's business.

Source: attributes and order of the checks of one.vm.updateconf in release 6.0.0.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.template import Template, Vector
from services.oned.auth import encrypted
from services.oned.errors import ActionError, AuthorizationError, RequestError
from services.oned.lifecycle import boot, context, create, ports
from services.oned.lifecycle.effects import Firing
from services.oned.lifecycle.fire import fire, refusal
from services.oned.lifecycle.states import VmState
from services.oned.lifecycle.variants import lookup
from services.oned.model import restricted
from services.oned.model.vm import VM

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

# What can be changed of each vector; the rest of it stays.
PARTS: dict[str, tuple[str, ...]] = {
    "OS": (
        *("ARCH", "MACHINE", "KERNEL", "INITRD", "BOOTLOADER", "BOOT", "KERNEL_CMD", "ROOT", "SD_DISK_BUS"),
        "UUID",
    ),
    "FEATURES": (
        *("PAE", "ACPI", "APIC", "LOCALTIME", "HYPERV", "GUEST_AGENT", "VIRTIO_SCSI_QUEUES", "IOTHREADS"),
    ),
    "INPUT": ("TYPE", "BUS"),
    "GRAPHICS": ("TYPE", "LISTEN", "PASSWD", "KEYMAP", "COMMAND"),
    "RAW": ("TYPE", "DATA", "DATA_VMX"),
    "CPU_MODEL": ("MODEL",),
}
_HAS_HOST = (VmState.ACTIVE, VmState.POWEROFF, VmState.SUSPENDED)


def update(call: Call, vm: VM, given: Template, firing: Firing) -> None:
    """Take over what a template says about the parts that can be changed.

    A vector that it lacks is removed, but for CONTEXT, which stays; so is a part of a vector. A running
    machine is told by its driver. Raises AuthorizationError for restricted attributes, RequestError.
    """
    wanted = changeable(given)
    if not call.caller.is_admin:
        names = restricted.names(call.conf.settings, "VM_RESTRICTED_ATTR")
        name = restricted.first_changed(wanted, changeable(vm.template), names)
        if name:
            raise AuthorizationError(f"Template includes a restricted attribute {name}")
    if lookup(call.tx, vm, "updateconf") is None:
        raise RequestError(refusal(vm, "updateconf"), vm.oid)
    held_in, port = ports.cluster_of(vm), ports.of(vm)
    with create.refused_as(RequestError):
        boot.check_raw(call.conf, wanted)
        _replace(vm.template, wanted, "OS")
        boot.set_boot_order(vm.template)
        for name in PARTS:
            if name != "OS":
                _replace(vm.template, wanted, name)
        _replace_context(call, vm, wanted)
        boot.settle_graphics(vm.template)
    if held_in is not None and ports.of(vm) is None:
        ports.free(call.tx, held_in, port)  # its screen was removed
    if vm.state in _HAS_HOST and vm.history is not None and ports.of(vm) is None:
        try:
            ports.take(call.tx, vm, vm.history.cid)
        except ActionError as error:
            raise RequestError(error.message, vm.oid) from None
    encrypted.encrypt(call.conf, VM.KIND, vm.template)
    fire(call.tx, vm, "updateconf", firing)


def changeable(template: Template) -> Template:
    """The parts of a template that can be changed, without what is empty."""
    found = Template()
    for name, parts in PARTS.items():
        vector = template.get_vector(name)
        kept = {part: vector[part] for part in parts if vector.get(part)} if vector else {}
        if kept:
            found.add(name, kept)
    first = template.get_vector("CONTEXT")
    if first is not None:
        found.add("CONTEXT", dict(first))
    return found


def _replace(core: Template, wanted: Template, name: str) -> None:
    new, old = wanted.get_vector(name), core.get_vector(name)
    if new is None:
        core.remove(name)
    elif old is None:
        core.add(name, dict(new))
    else:
        for part in PARTS[name]:
            if part in new:
                old[part] = new[part]
            else:
                old.pop(part, None)


def _replace_context(call: Call, vm: VM, wanted: Template) -> None:
    """Take a new CONTEXT; its place among the disks and its files stay. Raises RequestError."""
    new, old = wanted.get_vector("CONTEXT"), vm.template.get_vector("CONTEXT")
    if new is None:
        return
    if old is None:
        raise RequestError("Virtual machine does not have context, cannot add a new one.", vm.oid)
    files: str = old.get("FILES_DS", "") if new.get("FILES_DS") else ""
    made: Vector = {name: text for name, text in new.items() if name != "FILES_DS"}
    made["TARGET"], made["DISK_ID"] = old.get("TARGET", ""), old.get("DISK_ID", "")
    vm.template.remove("CONTEXT")
    vm.template.add("CONTEXT", made)
    context.settle(call, vm, auto_nics=True)
    settled = vm.template.get_vector("CONTEXT")
    if files and settled is not None:
        settled["FILES_DS"] = files
