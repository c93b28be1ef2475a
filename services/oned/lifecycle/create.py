"""Making a VM from a template: checks, the split into core and user attributes, automatic requirements.

Source: virtual machine template reference of release 6.0; documents of real databases.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from services.common.template import Template, TemplateValueError, Vector
from services.oned.errors import ActionError, AuthorizationError, RequestError
from services.oned.lifecycle.actions import HistoryAction
from services.oned.lifecycle.effects import Firing
from services.oned.lifecycle.fire import fire
from services.oned.model import restricted
from services.oned.model.base import Permissions, check_name
from services.oned.model.cluster import Cluster
from services.oned.model.vm import VM
from services.oned.store import pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

# What the core keeps in TEMPLATE; everything else a user writes stays in USER_TEMPLATE.
CORE_ATTRIBUTES = frozenset((
    "CLONING_TEMPLATE_ID", "CONTEXT", "CPU", "CPU_COST", "CPU_MODEL", "DISK", "DISK_COST", "DUMMY",
    "EMULATOR", "FEATURES", "GRAPHICS", "HYPERV_OPTIONS", "INPUT", "MEMORY", "MEMORY_COST", "MEMORY_MAX",
    "MEMORY_SLOTS", "NIC", "NIC_ALIAS", "NIC_DEFAULT", "NUMA_NODE", "OS", "PCI", "PUBLIC_CLOUD", "RAW",
    "SCHED_ACTION", "SECURITY_GROUP_RULE", "SPICE_OPTIONS", "SUBMIT_ON_HOLD", "TEMPLATE_ID", "TOPOLOGY",
    "VCPU", "VCPU_MAX", "VIDEO", "VMGROUP", "VROUTER_ID", "VROUTER_KEEPALIVED_ID",
    "VROUTER_KEEPALIVED_PASSWORD",
))  # fmt: skip
# Set by the core alone: a user's values are dropped.
_CORE_ONLY = (
    "VMID",
    "AUTOMATIC_REQUIREMENTS",
    "AUTOMATIC_DS_REQUIREMENTS",
    "AUTOMATIC_NIC_REQUIREMENTS",
    "TEMPLATE_NAME",
    "NAME",
    "ERROR",
    "SCHED_MESSAGE",
    "HISTORY",
    "CREATED_BY",
)
_LATER = {
    "NIC": "virtual networks",
    "NIC_ALIAS": "virtual networks",
    "VMGROUP": "VM groups",
    "PCI": "PCI devices",
}
_COSTS = ("CPU_COST", "MEMORY_COST", "DISK_COST")


def create_vm(call: Call, template: Template, name: str, hold: bool, name_prefix: str = "one") -> int:
    """Create a VM for the caller; its id.

    template: the whole template, already merged and checked for restricted attributes by the caller.
    name: empty takes NAME of the template, else ``<name_prefix>-<id>``.
    Raises RequestError for values that cannot be used, ActionError for parts that this version lacks.
    """
    capacity = checked_capacity(template)
    _refuse_later_parts(template)
    on_hold = hold or template.get_bool("SUBMIT_ON_HOLD")
    wanted = name or template.get("NAME") or ""
    if wanted:
        check_name(wanted)
    core, user = _split(template)
    for key, text in capacity.items():
        core.set(key, text)
    core.remove("SUBMIT_ON_HOLD")
    if on_hold:
        core.set("SUBMIT_ON_HOLD", "YES")
    disks = _disks(core)
    _requirements(call, core)
    _os(core)

    caller = call.caller
    oid = pools.next_oid(call.tx, VM.TABLE)
    vm = VM(oid, wanted or f"{name_prefix}-{oid}"[:128], caller.uid, caller.gid)
    vm.uname, vm.gname = caller.name, caller.gname
    base = 0o777 if caller.is_admin else (0o666 if call.conf.enable_other_permissions else 0o660)
    vm.permissions = Permissions.from_umask(base, caller.umask)
    core.set("VMID", str(oid))
    core.remove("DISK")
    for disk in disks:
        core.add("DISK", disk)
    vm.template, vm.user_template = core, user
    firing = Firing(caller.uid, caller.gid, call.request_id, HistoryAction.NONE)
    fire(call.tx, vm, "create_on_hold" if on_hold else "create", firing, new=True)
    return oid


def checked_capacity(template: Template) -> dict[str, str]:
    """CPU, MEMORY and, where given, VCPU and costs as the document keeps them. Raises RequestError."""
    checked: dict[str, str] = {}
    _positive(template, checked, "CPU", "a positive float or integer value", required=True, whole=False)
    _positive(template, checked, "MEMORY", "a positive integer value (MB)", required=True, whole=True)
    _positive(template, checked, "VCPU", "a positive integer value", required=False, whole=True)
    for cost in _COSTS:
        _positive(
            template,
            checked,
            cost,
            "a positive float or integer value",
            required=False,
            whole=False,
            zero=True,
        )
    return checked


def _positive(
    template: Template,
    into: dict[str, str],
    name: str,
    expected: str,
    *,
    required: bool,
    whole: bool,
    zero: bool = False,
) -> None:
    text = (template.get(name) or "").strip()
    if not text:
        if required:
            raise RequestError(f"{name} attribute must be {expected}, it is missing.")
        return
    try:
        number = template.get_int(name) if whole else template.get_float(name)
    except TemplateValueError:
        number = None
    # 2^31 bounds what a host's share can count without overflow in any client.
    if number is None or number < 0 or (number == 0 and not zero) or number >= 2**31:
        raise RequestError(f"{name} attribute must be {expected}, found {text[:40]!r}.")
    into[name] = text


def _refuse_later_parts(template: Template) -> None:
    for name, part in _LATER.items():
        if name in template:
            raise ActionError(f"{name}: {part} are not available in this version.")
    for disk in template.vectors("DISK"):
        if disk.get("IMAGE_ID") or disk.get("IMAGE"):
            raise ActionError("DISK/IMAGE: disk images are not available in this version.")
    context = template.get_vector("CONTEXT")
    if context and (context.get("FILES") or context.get("FILES_DS")):
        raise ActionError("CONTEXT/FILES: files in the context are not available in this version.")


def _split(template: Template) -> tuple[Template, Template]:
    core, user = Template(), Template()
    for key, value in template:
        if key in _CORE_ONLY:
            continue
        (core if key in CORE_ATTRIBUTES else user).add(key, dict(value) if isinstance(value, dict) else value)
    return core, user


def _disks(core: Template) -> list[Vector]:
    """The volatile disks, numbered and with a device name each."""
    disks: list[Vector] = []
    for number, disk in enumerate(core.vectors("DISK")):
        kind = disk.get("TYPE", "").lower()
        if kind not in ("fs", "swap"):
            raise RequestError(
                f"DISK {number}: expected an image, or TYPE fs or swap with a SIZE; found {kind!r}."
            )
        size = disk.get("SIZE", "")
        if not size.isdigit() or int(size) == 0:
            raise RequestError(f"DISK {number}: SIZE must be a positive integer (MB), found {size[:40]!r}.")
        prefix = disk.get("DEV_PREFIX") or "sd"
        form = "raw" if kind == "swap" else disk.get("FORMAT") or "raw"
        disks.append(
            {
                **disk,
                "TYPE": kind,
                "DISK_ID": str(number),
                "DEV_PREFIX": prefix,
                "DISK_TYPE": "FILE",
                "FORMAT": form,
                "DRIVER": disk.get("DRIVER") or form,
                "TARGET": disk.get("TARGET") or f"{prefix}{chr(ord('a') + number % 26)}",
            }
        )
    return disks


def _requirements(call: Call, core: Template) -> None:
    """What the scheduler must keep to, whatever the user writes."""
    clusters = pools.ids(call.tx, Cluster.TABLE)
    any_cluster = " | ".join(f"CLUSTER_ID = {cluster}" for cluster in clusters)
    any_ds = " | ".join(f'"CLUSTERS/ID" @> {cluster}' for cluster in clusters)
    core.set("AUTOMATIC_REQUIREMENTS", f"({any_cluster}) & !(PUBLIC_CLOUD = YES) & !(PIN_POLICY = PINNED)")
    core.set("AUTOMATIC_DS_REQUIREMENTS", f"({any_ds})")
    core.set("AUTOMATIC_NIC_REQUIREMENTS", f"({any_ds})")


def _os(core: Template) -> None:
    machine = core.get_vector("OS") or {}
    core.set("OS", {**machine, "UUID": machine.get("UUID") or str(uuid.uuid4())})


def refuse_restricted(call: Call, template: Template, what: str) -> None:
    """Raise AuthorizationError when a user outside the oneadmin group sets a restricted attribute."""
    if call.caller.is_admin:
        return
    name = restricted.first_set(template, restricted.names(call.conf.settings, "VM_RESTRICTED_ATTR"))
    if name:
        raise AuthorizationError(f"{what} includes a restricted attribute {name}.")
