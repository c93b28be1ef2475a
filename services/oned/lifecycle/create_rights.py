"""May a caller create this VM: rights on what its template names, and what its disks will be, for quotas.

Source: authorization of one.vm.allocate and one.template.instantiate in release 6.0.0.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.lifecycle import create_nics, image_use, nic_lease, vmgroup_use
from services.oned.lifecycle.numbers import ids
from services.oned.lifecycle.use_rights import require_use
from services.oned.model.datastore import Datastore
from services.oned.model.image import Image, ImageState
from services.oned.model.secgroup import SecurityGroup
from services.oned.model.vmgroup import VmGroup
from services.oned.model.vnet import VirtualNetwork
from services.oned.store import pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_BEING_MADE = (ImageState.LOCKED, ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS)


def require(call: Call, template: Template, *, despite_locks: bool = False) -> None:
    """Raise AuthorizationError unless the caller may use all images, networks, groups that a template names.

    What does not exist is passed over: creating the VM says so. despite_locks: no lock stands against it.
    """
    for disk in template.vectors("DISK"):
        _require_image(call, disk, despite_locks)
    devices = create_nics.cards(template)
    for nic in (*template.vectors("NIC"), *devices, *template.vectors("NIC_ALIAS")):
        if not create_nics.is_auto(nic):
            _require_network(call, nic, despite_locks)
    named = template.get_vector("VMGROUP")
    group_id = None if named is None else vmgroup_use.find(call, named)
    if group_id is not None:
        require_use(call, VmGroup, group_id)


def _require_image(call: Call, disk: Vector, despite_locks: bool) -> None:
    image_id = image_use.find(call.tx, disk, call.caller.uid)
    if image_id is None:
        return
    body = pools.body(call.tx, Image.TABLE, image_id)
    # An image that is still being made locks itself; the VM waits for it.
    being_made = body is not None and Image.from_xml(body).state in _BEING_MADE
    require_use(call, Image, image_id, despite_lock=despite_locks or being_made)


def _require_network(call: Call, nic: Vector, despite_locks: bool) -> None:
    groups = set(ids(nic.get("SECURITY_GROUPS")))
    network_id = _network_of(call, nic)
    body = None if network_id is None else pools.body(call.tx, VirtualNetwork.TABLE, network_id)
    if network_id is not None and body is not None:
        require_use(call, VirtualNetwork, network_id, despite_lock=despite_locks)
        groups |= VirtualNetwork.from_xml(body).all_security_groups
    for group_id in sorted(groups):
        require_use(call, SecurityGroup, group_id, despite_lock=despite_locks)


def _network_of(call: Call, nic: Vector) -> int | None:
    try:
        network_id = nic_lease.resolve(call, nic)
    except RequestError:
        return None
    return None if network_id == nic_lease.NO_NETWORK else network_id


def with_images(call: Call, template: Template) -> Template:
    """A copy of a template whose disks hold what they take from images and datastores; nothing is taken."""
    extended = template.copy()
    for number, disk in enumerate(extended.vectors("DISK")):
        image_id = image_use.find(call.tx, disk, call.caller.uid)
        body = None if image_id is None else pools.body(call.tx, Image.TABLE, image_id)
        if body is not None:
            image = Image.from_xml(body)
            store = pools.body(call.tx, Datastore.TABLE, image.datastore_id)
            if store is not None:
                image_use.fill(call.conf, image, Datastore.from_xml(store), disk)
        disk["DISK_ID"] = str(number)
    for nic in (
        *extended.vectors("NIC"),
        *create_nics.cards(extended),
        *extended.vectors("NIC_ALIAS"),
    ):
        network_id = None if create_nics.is_auto(nic) else _network_of(call, nic)
        if network_id is not None:
            nic["NETWORK_ID"] = str(network_id)
    return extended
