"""Making a VM from a template: the order of the steps, and what goes into the core's part of the document.

What the core knows moves from the user's template (USER_TEMPLATE) to TEMPLATE, completed; the rest stays.
Source: virtual machine template reference of release 6.0; documents of real databases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from services.common.template import Template, TemplateError, TemplateValueError
from services.oned.auth import encrypted
from services.oned.errors import (
    ActionError,
    AllocateError,
    AuthorizationError,
    LockedError,
    NotFoundError,
    OneError,
    RequestError,
)
from services.oned.lifecycle import (
    boot,
    clouds,
    context,
    create_disks,
    create_nics,
    create_rights,
    requirements,
    sched_actions,
    topology,
    vmgroup_use,
)
from services.oned.lifecycle.actions import HistoryAction
from services.oned.lifecycle.create_capacity import move_capacity
from services.oned.lifecycle.effects import Firing
from services.oned.lifecycle.fire import fire
from services.oned.lifecycle.numbers import INT_LARGEST, decimal, is_yes, whole
from services.oned.lifecycle.pci_devices import move_pci
from services.oned.lifecycle.states import VmState
from services.oned.model import quota, restricted, vm_usage
from services.oned.model.base import Permissions, check_name
from services.oned.model.vm import VM
from services.oned.store import imports, pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

# What the core takes over as it is.
_WELL_KNOWN = (
    "INPUT",
    "FEATURES",
    "RAW",
    "CLONING_TEMPLATE_ID",
    "TOPOLOGY",
    "NUMA_NODE",
    "HYPERV_OPTIONS",
    "SPICE_OPTIONS",
)
_DEFAULT_PREFIX = "one"
_OWN_MACHINE = re.compile(r"one-[0-9]+\Z")
_REFUSALS = (RequestError, ActionError, NotFoundError, AllocateError, LockedError)
_ENDS = " \f\n\r\t\v"


def allocate(call: Call, text: str, hold: bool) -> int:
    """Create a VM from a template's text for the caller; its id.

    Raises TemplateError, AuthorizationError for restricted attributes, missing rights and quotas,
    AllocateError for a wrong topology, RequestError for everything else that cannot be.
    """
    template = parse(text)
    refuse_restricted(call, template, "VM Template")
    call.authorize_create(VM)
    create_rights.require(call, template)
    topology.settle(template)
    with refused_as(RequestError):
        return create_vm(call, template, hold)


def parse(text: str) -> Template:
    """The template of a text, blanks behind its NAME removed. Raises TemplateError."""
    template = Template.parse(text)
    name = template.get("NAME")
    if name and name[-1] in _ENDS:
        template.set("NAME", name.rstrip(_ENDS))
    return template


def create_vm(call: Call, template: Template, hold: bool) -> int:
    """Create a VM for the caller from a template that was checked for rights and topology; its id.

    NAME and TEMPLATE_NAME in the template give its name (``<TEMPLATE_NAME>-<id>`` without NAME).
    Raises AuthorizationError when a quota has no room, RequestError and its like for what cannot be.
    """
    caller = call.caller
    limited = caller.uid != 0 or caller.gid != 0
    if limited:
        _require_countable(template)
    asked = template.copy() if limited else template
    vm = VM(-1, "", caller.uid, caller.gid)
    vm.uname, vm.gname = caller.name, caller.gname
    vm.permissions = _permissions(call)
    vm.user_template = template
    try:
        event = _build(call, vm, hold)
    except OneError:
        # A quota without room is said first.
        if limited:
            _require_quota(call, asked)
        pools.lose_first_oid_on_refusal(call.tx, VM.TABLE)
        raise
    firing = Firing(caller.uid, caller.gid, call.request_id, HistoryAction.NONE)
    fire(call.tx, vm, event, firing, new=True)
    if vm.deploy_id and event == "create_on_hold" and not vm.template.get("SUBMIT_ON_HOLD"):
        # An imported machine waits although nobody asked for that; OpenNebula says that it was PENDING.
        vm.prev_state = int(VmState.PENDING)
        pools.update(call.tx, VM.TABLE, vm.oid, {"body": vm.to_xml()})
    return vm.oid


def _build(call: Call, vm: VM, hold: bool) -> str:
    """Settle every part of the document; the event that creates the VM."""
    user, core, tx, conf = vm.user_template, vm.template, call.tx, call.conf
    on_hold = hold or is_yes(conf.settings.get("VM_SUBMIT_ON_HOLD"))
    if on_hold:
        user.set("SUBMIT_ON_HOLD", "YES")
    deploy_id = user.get("DEPLOY_ID") or ""
    prefix = _name(vm)
    _move(user, core, _WELL_KNOWN)
    if "PUBLIC_CLOUD" in user or "EC2" in user:
        _number(call, vm, prefix)  # their variables may ask for it
        clouds.settle(tx, vm)
    _move_text(user, core, "EMULATOR")
    move_capacity(user, core)
    boot.move_os(call, vm)
    boot.move_cpu_model(user, core)
    boot.check_raw(conf, core)
    move_pci(conf, user, core)
    create_nics.move_defaults(user, core)
    for name in context.VROUTER_ATTRIBUTES:
        _move_text(user, core, name)
    _number(call, vm, prefix)
    create_nics.settle(call, vm)
    create_disks.settle(call, vm)
    wish = user.get("SUBMIT_ON_HOLD")
    if wish is not None:
        user.remove("SUBMIT_ON_HOLD")
        core.set("SUBMIT_ON_HOLD", "YES" if is_yes(wish) else "NO")
    boot.set_boot_order(core)
    context.settle(call, vm)
    requirements.settle_scheduling(tx, vm)
    requirements.settle(tx, vm)
    boot.move_graphics(user, core)
    if deploy_id:
        _import(call, vm, deploy_id)
    user.remove("DEPLOY_ID")
    vmgroup_use.join(call, vm)
    sched_actions.check(user, forget_results=False)
    for template in (core, user):
        encrypted.encrypt(conf, VM.KIND, template)
    if any(is_yes(disk.get("CLONING")) for disk in core.vectors("DISK")):
        return "create_cloning"
    return "create_on_hold" if on_hold or deploy_id else "create"


# -- parts that are the VM's own ---------------------------------------------------------------------------
def _name(vm: VM) -> str:
    """Take NAME, TEMPLATE_NAME and TEMPLATE_ID out of the template; the prefix of a VM without a name."""
    user = vm.user_template
    origin, prefix = user.get("TEMPLATE_ID"), user.get("TEMPLATE_NAME")
    vm.name = user.get("NAME") or ""
    for name in ("VMID", "TEMPLATE_ID", "TEMPLATE_NAME", "NAME"):
        user.remove(name)
    if origin:
        vm.template.add("TEMPLATE_ID", origin)
    if vm.name:
        check_name(vm.name)
    return prefix or _DEFAULT_PREFIX


def _number(call: Call, vm: VM, prefix: str) -> None:
    """Give the VM its id, and its name after it; the ids of others wait from then on to the commit."""
    if vm.oid >= 0:
        return
    vm.oid = pools.next_oid(call.tx, VM.TABLE)
    vm.template.set("VMID", str(vm.oid))
    if not vm.name:
        vm.name = check_name(f"{prefix}-{vm.oid}")


def _permissions(call: Call) -> Permissions:
    """The bits of a new VM: no admin bit for a user, none for others where oned.conf forbids it."""
    user_base = 0o666 if call.conf.enable_other_permissions else 0o660
    is_admins = call.caller.uid == 0 or call.caller.gid == 0
    return Permissions.from_umask(0o777 if is_admins else user_base, call.caller.umask)


def _import(call: Call, vm: VM, deploy_id: str) -> None:
    """Let the VM stand for a machine that is there already."""
    if _OWN_MACHINE.match(deploy_id):
        raise RequestError("Trying to import an OpenNebula VM: 'one-*'.")
    if not imports.add(call.tx, deploy_id, vm.oid):
        raise RequestError(f"Virtual Machine {deploy_id[:80]} already imported.")
    vm.template.add("IMPORTED", "YES")
    vm.deploy_id = deploy_id


def _move(user: Template, core: Template, names: tuple[str, ...]) -> None:
    for name in names:
        for value in user.get_all(name):
            core.add(name, value)
        user.remove(name)


def _move_text(user: Template, core: Template, name: str) -> None:
    text = user.get(name)
    if text:
        core.add(name, text)
        user.remove(name)


# -- quotas and rights -------------------------------------------------------------------------------------
def _require_countable(template: Template) -> None:
    """Raise AuthorizationError for capacity that no quota can count."""
    memory, cpu = whole(template.get("MEMORY"), INT_LARGEST), decimal(template.get("CPU"))
    if memory is None or memory < 0:
        raise AuthorizationError("MEMORY attribute must be a positive integer value")
    if cpu is None or cpu < 0:
        raise AuthorizationError("CPU attribute must be a positive float or integer value")


def _require_quota(call: Call, template: Template) -> None:
    """Raise AuthorizationError when a quota has no room for the VM that the template describes."""
    caller = call.caller
    planned = VM(-1, "", caller.uid, caller.gid)
    planned.state = VmState.PENDING
    planned.template = create_rights.with_images(call, template)
    quota.change(call.tx, caller.uid, caller.gid, vm_usage.of(planned))


def refuse_restricted(call: Call, template: Template, what: str) -> None:
    """Raise AuthorizationError when a user outside the oneadmin group sets a restricted attribute."""
    if call.caller.is_admin:
        return
    name = restricted.first_set(template, restricted.names(call.conf.settings, "VM_RESTRICTED_ATTR"))
    if name:
        raise AuthorizationError(f"{what} includes a restricted attribute {name}")


@contextmanager
def refused_as(kind: type[OneError]) -> Iterator[None]:
    """Turn what refuses the VM itself into the refusal that a method answers; rights and quotas stay."""
    try:
        yield
    except _REFUSALS as error:
        raise kind(error.message) from None
    except (TemplateError, TemplateValueError) as error:
        raise kind(str(error)) from None
