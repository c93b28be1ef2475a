"""``onevm save``: a machine as a template.

Source: save_as_template of release 6.0 (which attributes of disks and interfaces are left out).
"""
# ruff: noqa: SIM905 - lists of words are easier to read as text

from __future__ import annotations

import time
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import documents, template_text
from services.cli.errors import CliError
from services.cli.progress import Progress
from services.cli.views import vm_states
from services.common.oca import EndpointError, OneError

_DISK_OWN = frozenset(
    (
        "DEV_PREFIX SOURCE ORIGINAL_SIZE SIZE DISK_SNAPSHOT_TOTAL_SIZE DRIVER IMAGE_STATE SAVE CLONE "
        "READONLY PERSISTENT TARGET ALLOW_ORPHANS CLONE_TARGET CLUSTER_ID DATASTORE DATASTORE_ID DISK_ID "
        "DISK_TYPE IMAGE_ID IMAGE IMAGE_UNAME IMAGE_UID LN_TARGET TM_MAD TYPE OPENNEBULA_MANAGED"
    ).split()
)
_NIC_OWN = frozenset(
    (
        "AR_ID BRIDGE CLUSTER_ID IP MAC TARGET NIC_ID NETWORK_ID VN_MAD SECURITY_GROUPS VLAN_ID BRIDGE_TYPE"
    ).split()
)
_VOLATILE_LEFT_OUT = frozenset({"DISK_ID", "CLUSTER_ID", "TARGET", "TM_MAD", "SAVE", "CLONE", "READONLY"})
_POLL_S, _PATIENCE_S = 0.5, 600.0
_MERGE = 1


def save(inv: Any) -> int:
    """Save a powered off machine; prints the new template's id. What was made goes when it fails."""
    template = as_template(inv, inv.args["vmid"], inv.args["name"], bool(inv.opts.persistent))
    inv.out(f"Template ID: {template}")
    inv.tell(inv.args["vmid"])
    return 0


def as_template(inv: Any, oid: int, name: str, persistent: bool = False) -> int:
    """The id of a template like the machine, with new images of its disks. Raises CliError, OneError."""
    vm = documents.parse(inv.call("vm.info", oid, False))
    origin = documents.text_of(vm, "TEMPLATE/TEMPLATE_ID")
    if not origin:
        raise CliError(f"VM {oid} was not made from a template, so that it cannot be saved as one.")
    if vm_states.state_name(vm) != "POWEROFF":
        raise CliError(f"VM {oid} is {vm_states.state_name(vm)}; only one in POWEROFF can be saved.")
    template: int = inv.call("template.clone", int(origin), name, False)
    images: list[int] = []
    try:
        text = _changes(inv, vm, name, persistent, images)
        inv.call("template.update", template, f'{text}\nSAVED_TEMPLATE_ID="{origin}"', _MERGE)
    except (CliError, OneError, EndpointError, KeyboardInterrupt):
        _undo(inv, template, images)
        raise
    return template


def _changes(inv: Any, vm: Element, name: str, persistent: bool, images: list[int]) -> str:
    """The attributes in which the new template differs; new images are added to ``images``."""
    oid = documents.number_of(vm, "ID")
    found = vm.find("TEMPLATE")
    assert found is not None
    lines = [
        f"{tag}={template_text.quote(found.findtext(tag, ''))}"
        for tag in ("CPU", "VCPU", "MEMORY")
        if found.findtext(tag)
    ]
    for disk in found.findall("DISK"):
        lines.append(_disk(inv, oid, disk, name, persistent, images))
    for nic in found.findall("NIC"):
        lines.append(template_text.vector("NIC", _parts(nic, _NIC_OWN)))
    return "\n".join(lines)


def _disk(inv: Any, oid: int, disk: Element, name: str, persistent: bool, images: list[int]) -> str:
    number, image = disk.findtext("DISK_ID", ""), disk.findtext("IMAGE_ID", "")
    if not image:  # volatile: made anew for each machine
        return template_text.vector("DISK", _parts(disk, _VOLATILE_LEFT_OUT))
    if disk.findtext("TYPE", "") == "CDROM":
        return template_text.vector("DISK", [("IMAGE_ID", image)])
    wait_until_off(inv, oid)
    saved = int(inv.call("vm.disksaveas", oid, int(number), f"{name}-disk-{number}", "", -1))
    images.append(saved)
    if persistent:
        inv.call("image.persistent", saved, True)
    return template_text.vector("DISK", [("IMAGE_ID", str(saved)), *_parts(disk, _DISK_OWN)])


def _parts(element: Element, without: frozenset[str]) -> list[tuple[str, str]]:
    return [(part.tag, part.text or "") for part in element if part.tag not in without]


def wait_until_off(inv: Any, oid: int) -> None:
    """Until the save of the disk before this one is over; disks are saved one after the other."""
    started = time.monotonic()
    with Progress() as progress:
        while True:
            vm = documents.parse(inv.call("vm.info", oid, False))
            shown = vm_states.state_name(vm)
            if shown == "POWEROFF":
                return
            if time.monotonic() - started > _PATIENCE_S:
                raise CliError(
                    f"VM {oid} is still {vm_states.lcm_state_name(vm)} after {_PATIENCE_S:.0f} s; not saved."
                )
            progress.show(f"VM {oid}: {vm_states.lcm_state_name(vm)}")
            time.sleep(_POLL_S)


def _undo(inv: Any, template: int, images: list[int]) -> None:
    """Take back what was made; what cannot be deleted yet (an image under way) is named."""
    for method, oid in (("template.delete", template), *(("image.delete", image) for image in images)):
        try:
            inv.call(method, oid, False) if method == "template.delete" else inv.call(method, oid)
        except (OneError, EndpointError) as error:
            inv.warn(f"Left over: {method.partition('.')[0]} {oid}: {error}")
