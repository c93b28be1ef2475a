"""Disks and network interfaces that come to a VM and leave it, one by one or all at its end.

Used by attaching and detaching, and by the end of a VM; a new VM's are settled by create_disks and
create_nics. Usage of quotas is counted by whoever stores the VM.
Source: disk and network sections of the virtual machine template reference of release 6.0; VM actions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from services.common import xmldoc
from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.lifecycle import (
    context,
    create_disks,
    create_nics,
    image_use,
    nic_lease,
    secgroup_use,
    vmgroup_use,
    vrouter_use,
)
from services.oned.lifecycle.disk_targets import Targets
from services.oned.lifecycle.numbers import ids, joined, whole
from services.oned.lifecycle.states import LcmState, VmState
from services.oned.model import vm_usage
from services.oned.model.datastore import Datastore
from services.oned.model.image import Image, ImageState, ImageType
from services.oned.model.snapshots import NONE as NO_DISK
from services.oned.model.snapshots import Snapshots
from services.oned.model.vm import VM
from services.oned.store import Tx, imports, pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_WRITTEN = (ImageType.OS, ImageType.DATABLOCK)


def add_disk(call: Call, vm: VM, disk: Vector) -> Vector:
    """Add a disk to a VM with its image, number and device name; the vector in the document, marked ATTACH.

    Raises RequestError for an image that cannot be used or is not in the VM's cluster, and a taken TARGET.
    """
    given = dict(disk)
    targets = Targets()
    numbers = [-1]
    for there in (*vm.template.vectors("DISK"), vm.template.get_vector("CONTEXT") or {}):
        if there.get("TARGET"):
            _note(targets, there["TARGET"])
        numbers.append(whole(there.get("DISK_ID")) or 0 if there.get("DISK_ID") else -1)
    if vm_usage.is_volatile(given) and vm.history is not None:
        _fill_volatile(call, given, vm.history.ds_id)
    kind = create_disks.take(call, vm, given, max(numbers) + 1, attach=True)
    try:
        # Alone, it gets the first free name whatever it is.
        targets.add(given, kind, given.get("DEV_PREFIX", ""))
    except RequestError:
        raise RequestError(f"Target {given['TARGET']} is already in use.", vm.oid) from None
    targets.assign()
    _require_cluster(vm, given, f"Image [{given.get('IMAGE_ID')}] is")
    given["ATTACH"] = "YES"
    vm.template.add("DISK", given)
    return vm.template.vectors("DISK")[-1]


def add_nic(call: Call, vm: VM, nic: Vector, *, alias: bool = False) -> Vector:
    """Add an interface (or an alias of the one that PARENT names) with its lease; the vector, marked ATTACH.

    Security groups that are new to the VM list it, and their rules are added.
    Raises RequestError for networks and leases that cannot be had or are not in the VM's cluster.
    """
    given, template = dict(nic), vm.template
    present = vm.nics()
    number = max((whole(there.get("NIC_ID")) or 0 for there in present), default=-1) + 1
    parent: Vector | None = None
    if alias:
        parent = next((there for there in present if there.get("NAME") == given.get("PARENT")), None)
        if parent is None:
            raise RequestError(f"NIC named {given.get('PARENT', '')!r} not found for alias.", vm.oid)
        given["PARENT_ID"] = parent["NIC_ID"]
        given["ALIAS_ID"] = str(_next_alias_id(template) if parent.get("ALIAS_IDS") else 0)
        create_nics.set_name(given, f"NIC{parent['NIC_ID']}_ALIAS{number}")
    else:
        create_nics.set_name(given, f"NIC{number}")
    create_nics.merge_default(template, given)
    given["ATTACH"] = "YES"
    create_nics.take_lease(call, vm, given, number)
    _require_cluster(vm, given, "Virtual network is")
    if not alias:
        new = set(ids(given.get("SECURITY_GROUPS"))) - _security_groups(present)
        create_nics.add_rules(call.tx, vm, new)
    if parent is not None:
        listed = [parent["ALIAS_IDS"]] if parent.get("ALIAS_IDS") else []
        parent["ALIAS_IDS"] = ",".join([*listed, str(number)])
    kind = "NIC_ALIAS" if alias else "NIC"
    template.add(kind, given)
    return template.vectors(kind)[-1]


def drop_disk(tx: Tx, vm: VM, disk: Vector, *, failed: bool = False) -> None:
    """Remove a disk from a VM and give its image back, with the snapshots that a persistent one has now.

    failed: what is in a persistent image may be broken.
    """
    _remove(vm.template, "DISK", [disk])
    number = whole(disk.get("DISK_ID"))
    snapshots = vm.snapshots.pop(number, None) if number is not None else None
    _give_back(tx, vm, disk, snapshots, failed)


def drop_nic(tx: Tx, vm: VM, nic: Vector) -> None:
    """Remove an interface with its aliases, or one alias, from a VM, and give back what they hold.

    Leases, security groups that no other interface has, and settings in CONTEXT go.
    """
    template = vm.template
    before = _security_groups(vm.nics())
    is_alias = any(there is nic for there in template.vectors("NIC_ALIAS"))
    gone: list[Vector] = []
    if is_alias:
        for parent in vm.nics():
            if parent.get("NIC_ID") == nic.get("PARENT_ID") and "ALIAS_IDS" in parent:
                left = set(ids(parent["ALIAS_IDS"])) - {whole(nic.get("NIC_ID"))}
                parent["ALIAS_IDS"] = joined(number for number in left if number is not None)
        gone.append(nic)
    else:
        children = {str(number) for number in ids(nic.get("ALIAS_IDS"))}
        gone += [alias for alias in template.vectors("NIC_ALIAS") if alias.get("NIC_ID") in children]
        context.forget_nic(vm, nic, alias=False)
        nic_lease.release(tx, nic, "VM", vm.oid)
    for alias in gone:
        context.forget_nic(vm, alias, alias=True)
        nic_lease.release(tx, alias, "VM", vm.oid)
    left_groups = _security_groups(there for there in vm.nics() if there is not nic)
    _forget_rules(tx, vm, before - left_groups)
    _remove(template, "NIC_ALIAS", gone)
    if not is_alias:
        _remove(template, "NIC", [nic])


def release_all(tx: Tx, vm: VM, *, trust_images: bool = False) -> None:
    """Give back what a VM that ends holds: images, leases, security groups, VM group's role, router's place.

    To be called while the VM is in its last state: one that ends other than by its epilog may leave
    persistent images broken, unless trust_images says that they are not. The document keeps its disks and
    interfaces.
    """
    # In the order in which creating a VM takes them, so that the two do not wait for each other.
    nics = vm.nics()
    for nic in nics:
        nic_lease.release(tx, nic, "VM", vm.oid)
    secgroup_use.remove(tx, sorted(_security_groups(nics)), vm.oid)
    if vm.deploy_id and vm.template.get("IMPORTED"):
        imports.remove(tx, vm.deploy_id)
    failed = vm.state is VmState.ACTIVE and vm.lcm_state is not LcmState.EPILOG and not trust_images
    for disk in vm.template.vectors("DISK"):
        number = whole(disk.get("DISK_ID"))
        snapshots = vm.snapshots.get(number) if number is not None else None
        _give_back(tx, vm, disk, snapshots, failed, keep_size=True)
    vmgroup_use.leave(tx, vm)
    vrouter_use.leave(tx, vm)


def _give_back(
    tx: Tx, vm: VM, disk: Vector, snapshots: Snapshots | None, failed: bool, *, keep_size: bool = False
) -> None:
    """Release a disk's image; a persistent one takes over the disk's snapshots (and size, with keep_size)."""
    image_id = whole(disk.get("IMAGE_ID"))
    if image_id is None:
        return
    image = Image.find(tx, image_id)
    if image is not None and image.state is ImageState.USED_PERS and image.type in _WRITTEN:
        size, original = whole(disk.get("SIZE")), whole(disk.get("ORIGINAL_SIZE"))
        if keep_size and size is not None and original is not None and size > original:
            image.size_mb = size
        image.snapshots = _no_snapshots() if snapshots is None or not len(snapshots) else snapshots.copy()
        image.snapshots.disk_id = NO_DISK
        image.save(tx)
    image_use.release(tx, image_id, vm.oid, failed=failed)


def _fill_volatile(call: Call, disk: Vector, datastore_id: int) -> None:
    """Write into a volatile disk what it takes from the system datastore where the VM is."""
    body = pools.body(call.tx, Datastore.TABLE, datastore_id)
    if body is not None and not create_disks.names_image(disk):
        disk.pop("TM_MAD_SYSTEM", None)
        image_use.fill_from_datastore(call.conf, Datastore.from_xml(body), disk)


def _no_snapshots() -> Snapshots:
    """What an image has after a VM used it without snapshots: not even the settings of a new one."""
    return Snapshots.from_element(xmldoc.parse("<SNAPSHOTS/>", "SNAPSHOTS"))


def _note(targets: Targets, target: str) -> None:
    try:
        targets.use(target)
    except RequestError:
        return  # it was so before


def _require_cluster(vm: VM, vector: Vector, what: str) -> None:
    """Raise RequestError when what a disk or interface uses is not in the cluster where the VM is."""
    if vm.history is None or not vector.get("CLUSTER_ID"):
        return
    if vm.history.cid not in ids(vector["CLUSTER_ID"]):
        raise RequestError(f"{what} not part of cluster [{vm.history.cid}]", vm.oid)


def _next_alias_id(template: Template) -> int:
    return max((whole(alias.get("ALIAS_ID")) or 0 for alias in template.vectors("NIC_ALIAS")), default=-1) + 1


def _security_groups(nics: Iterable[Vector]) -> set[int]:
    return {group for nic in nics for group in ids(nic.get("SECURITY_GROUPS"))}


def _forget_rules(tx: Tx, vm: VM, groups: set[int]) -> None:
    """Take the VM off security groups and their rules out of its document."""
    if not groups:
        return
    rules = vm.template.vectors("SECURITY_GROUP_RULE")
    gone = [rule for rule in rules if whole(rule.get("SECURITY_GROUP_ID")) in groups]
    _remove(vm.template, "SECURITY_GROUP_RULE", gone)
    secgroup_use.remove(tx, sorted(groups), vm.oid)


def _remove(template: Template, name: str, gone: list[Vector]) -> None:
    """Remove those very vectors from a template."""
    kept = [value for value in template.get_all(name) if not any(value is vector for vector in gone)]
    template.remove(name)
    for value in kept:
        template.add(name, value)
