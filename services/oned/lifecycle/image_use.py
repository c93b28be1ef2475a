"""Images as disks of VMs: finding the one that a DISK names, taking it, giving it back.

Source: disk section of the virtual machine template reference of release 6.0; documents of real databases.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from services.common.template import Template, Vector
from services.oned.config import OnedConf
from services.oned.errors import RequestError
from services.oned.lifecycle import image_fire
from services.oned.lifecycle.numbers import is_yes, joined, whole
from services.oned.model.datastore import Datastore, DiskType
from services.oned.model.image import Image, ImageState, ImageType
from services.oned.model.user import User
from services.oned.store import Tx, pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_log = logging.getLogger("ImM")
_CDROM_OF = {
    DiskType.RBD: DiskType.RBD_CDROM,
    DiskType.SHEEPDOG: DiskType.SHEEPDOG_CDROM,
    DiskType.GLUSTER: DiskType.GLUSTER_CDROM,
}
_LOCKED = (ImageState.LOCKED, ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS)
_IN_USE_PERS = (ImageState.USED_PERS, ImageState.LOCKED_USED_PERS)


# -- finding -----------------------------------------------------------------------------------------------
def find(tx: Tx, disk: Vector, uid: int) -> int | None:
    """The id of the image that a disk names, None when there is no such image or it names none.

    uid: whose images IMAGE means when neither IMAGE_UID nor IMAGE_UNAME says so.
    """
    image_id = whole(disk.get("IMAGE_ID"))
    if image_id is not None:
        return image_id if pools.body(tx, Image.TABLE, image_id) is not None else None
    name = disk.get("IMAGE")
    owner = _owner(tx, disk, uid)
    return None if not name or owner is None else pools.find(tx, Image.TABLE, name, owner)


def resolve(call: Call, disk: Vector) -> int:
    """The id of the image that a disk names. Raises RequestError when it names none that exists.

    Named by IMAGE_ID, or by IMAGE with IMAGE_UID or IMAGE_UNAME (default: the caller's). No right is checked.
    """
    found = find(call.tx, disk, call.caller.uid)
    if found is not None:
        return found
    image_id = whole(disk.get("IMAGE_ID"))
    if image_id is not None:
        raise RequestError(f"Image with ID: {image_id} does not exist")
    name = disk.get("IMAGE")
    if not name:
        raise RequestError("the disk names no image, expected IMAGE_ID or IMAGE")
    owner = _owner(call.tx, disk, call.caller.uid)
    raise RequestError(
        f"User {call.caller.uid if owner is None else owner} does not own an image with name: {name} . "
        "Set IMAGE_UNAME or IMAGE_UID of owner in DISK."
    )


def _owner(tx: Tx, disk: Vector, uid: int) -> int | None:
    if disk.get("IMAGE_UID"):
        return whole(disk["IMAGE_UID"])
    if disk.get("IMAGE_UNAME"):
        return pools.find(tx, User.TABLE, disk["IMAGE_UNAME"])
    return uid


# -- taking ------------------------------------------------------------------------------------------------
def acquire(call: Call, image_id: int, vm_id: int, disk: Vector, *, attach: bool = False) -> Image:
    """Count a VM as user of an image and fill its disk's vector in; the image as it is then.

    attach: the VM is deployed already, so an image that a driver still works on is refused.
    Raises RequestError for an image that cannot be a disk, is in a wrong state or in use, and for a SIZE that
    does not fit.
    """
    image = Image.find(call.tx, image_id)
    if image is None:
        raise RequestError(f"Image with ID: {image_id} does not exist")
    _require_usable(image, attach)
    _require_size(image, disk)
    store = Datastore.find(call.tx, image.datastore_id)
    if store is None:
        raise RequestError("Associated datastore for the image does not exist")
    image.add_vm(vm_id)
    if not image.is_persistent:
        event = "use"
    else:
        event = "use_shared" if image.is_shareable else "use_pers"
    image_fire.fire(call.tx, image, event)
    call.forget(Image, image_id)
    fill(call.conf, image, store, disk)
    return image


def _require_usable(image: Image, attach: bool) -> None:
    if image.type.is_file:
        raise RequestError(
            f"Image {image.oid} ({image.name}) of type {image.type.name} cannot be used as DISK."
        )
    refusal = f"Cannot acquire image {image.oid}, it is "
    # A persistent image is shared only if it says so, whatever it became after it was taken.
    if image.state in _IN_USE_PERS and not image.is_shareable:
        raise RequestError(f"{refusal}persistent and already in use")
    if attach and image.state in _LOCKED:
        raise RequestError(f"{refusal}locked")
    if not image_fire.can(image, "use_shared"):
        raise RequestError(f"{refusal}in state: {image.state.word}")


def _require_size(image: Image, disk: Vector) -> None:
    size = whole(disk.get("SIZE"))
    if size is None:
        return
    if size != image.size_mb and (image.is_persistent or image.type is ImageType.CDROM):
        kind = "persistent" if image.is_persistent else "CDROM"
        raise RequestError(f"SIZE attribute is not supported for {kind} image [{image.oid}].")
    if size < image.size_mb:
        raise RequestError(
            f"SIZE of {size}MB is less than the image [{image.oid}] size of {image.size_mb}MB."
        )


# -- the disk's vector -------------------------------------------------------------------------------------
def fill(conf: OnedConf, image: Image, store: Datastore, disk: Vector) -> None:
    """Write into a disk what it takes from its image and the image's datastore; nothing else changes."""
    template = image.template
    if not disk.get("DEV_PREFIX"):
        disk["DEV_PREFIX"] = template.get("DEV_PREFIX") or device_prefix(conf, image.type)
    disk["IMAGE"] = image.name
    disk["IMAGE_ID"] = str(image.oid)
    disk["SOURCE"] = image.source
    disk["ORIGINAL_SIZE"] = str(image.size_mb)
    if not disk.get("SIZE"):
        disk["SIZE"] = str(image.size_mb)
    disk["DISK_SNAPSHOT_TOTAL_SIZE"] = str(image.snapshots.total_size_mb)
    _set_format(image, disk)
    disk["IMAGE_STATE"] = str(int(image.state))
    _set_mode(image, disk)
    if image.state in _LOCKED:
        disk["CLONING"] = "YES"
    else:
        disk.pop("CLONING", None)
    disk_type = image.disk_type
    if image.type is ImageType.CDROM:
        disk_type = _CDROM_OF.get(disk_type, DiskType.CDROM)
    disk["TYPE"] = "" if image.type.is_file else disk_type.name
    if not disk.get("TARGET") and template.get("TARGET"):
        disk["TARGET"] = template.get("TARGET") or ""
    inherit(template, conf, "INHERIT_IMAGE_ATTR", disk)
    fill_from_datastore(conf, store, disk)


def device_prefix(conf: OnedConf, kind: ImageType) -> str:
    """The device prefix of a disk that says none."""
    setting = "DEFAULT_CDROM_DEVICE_PREFIX" if kind is ImageType.CDROM else "DEFAULT_DEVICE_PREFIX"
    return conf.settings.get(setting) or "hd"


def _set_format(image: Image, disk: Vector) -> None:
    for name in ("DRIVER", "FORMAT"):
        disk.pop(name, None)
        if image.format:
            disk[name] = image.format.lower()


def _set_mode(image: Image, disk: Vector) -> None:
    """READONLY, CLONE and SAVE: whether the VM writes to the image, to a copy, or not at all."""
    kept_as = (image.template.get("PERSISTENT_TYPE") or "").upper()
    if image.type is ImageType.CDROM or kept_as == "IMMUTABLE":
        disk.update(SAVE="NO", CLONE="NO", READONLY="YES")
        return
    if not disk.get("READONLY"):
        disk["READONLY"] = "YES" if is_yes(image.template.get("READONLY")) else "NO"
    if not image.is_persistent:
        disk.update(CLONE="YES", SAVE="NO")
        return
    disk.update(PERSISTENT="YES", CLONE="NO", SAVE="YES")
    if kept_as == "SHAREABLE" and image.format.lower() == "raw":
        disk["SHAREABLE"] = "YES"


def inherit(template: Template, conf: OnedConf, setting: str, target: Vector) -> None:
    """Copy the attributes that a setting of oned.conf lists into a vector, where it lacks them."""
    for name in conf.settings.get_all(setting):
        attribute = str(name).strip().upper()
        found = template.get_vector(attribute) or {attribute: template.get(attribute) or ""}
        for part, text in found.items():
            if text and not target.get(part):
                target[part] = text


def fill_from_datastore(conf: OnedConf, store: Datastore, disk: Vector) -> None:
    """Write into a disk what it takes from a datastore: its image's, or for a volatile one the VM's own."""
    disk["DATASTORE"] = store.name
    disk["DATASTORE_ID"] = str(store.oid)
    disk["TM_MAD"] = store.tm_mad
    disk["CLUSTER_ID"] = joined(store.clusters)
    mode = disk.get("TM_MAD_SYSTEM", "").strip().upper()
    for name in ("CLONE_TARGET", "LN_TARGET"):
        target = (store.template.get(f"{name}_{mode}") if mode else None) or store.template.get(name)
        if target and not disk.get(name):
            disk[name] = target
    inherit(store.template, conf, "INHERIT_DATASTORE_ATTR", disk)
    kind = disk.get("TYPE", "").upper()
    if mode:
        if disk_type := store.template.get(f"DISK_TYPE_{mode}"):
            _set_types(disk, disk_type)
    elif kind in ("SWAP", "FS") and not disk.get("DISK_TYPE"):
        disk["DISK_TYPE"] = store.disk_type.name
    if kind in ("SWAP", "FS"):
        _set_volatile_format(conf, store, disk, kind)


def _set_types(disk: Vector, disk_type: str) -> None:
    """Take the disk type that another system datastore driver asks for."""
    if disk.get("TYPE", "").upper().endswith("CDROM"):
        plain = disk_type in ("FILE", "ISCSI", "NONE")
        disk["TYPE"] = "CDROM" if plain else f"{disk_type}_CDROM"
    else:
        disk["TYPE"] = disk_type
    disk["DISK_TYPE"] = disk_type


def _set_volatile_format(conf: OnedConf, store: Datastore, disk: Vector, kind: str) -> None:
    forced = datastore_driver(conf, store)
    if kind == "SWAP":
        disk["DRIVER"] = disk["FORMAT"] = "raw"
    elif forced:
        disk["DRIVER"] = disk["FORMAT"] = forced
    elif disk.get("FORMAT"):
        disk["DRIVER"] = disk["FORMAT"]
    else:
        disk["DRIVER"] = disk["FORMAT"] = "raw"


def datastore_driver(conf: OnedConf, store: Datastore) -> str:
    """The disk format that a datastore forces on what is made in it; empty when it forces none."""
    section = conf.driver("TM_MAD_CONF", store.tm_mad) or {}
    return section.get("DRIVER") or store.template.get("DRIVER") or ""


# -- giving back -------------------------------------------------------------------------------------------
def release(tx: Tx, image_id: int, vm_id: int, *, failed: bool = False) -> None:
    """Count a VM as user of an image no more; an image that does not exist is passed over.

    failed: what the VM wrote to the image may be broken: a persistent one goes to ERROR.
    """
    image = Image.find(tx, image_id)
    if image is None or image.type.is_file:
        return
    image.remove_vm(vm_id)
    if not image_fire.can(image, "unused"):
        # Its driver failed while the VM waited for it, say: it stays as it is, but the VM uses it no more.
        _log.info("image %d: released by vm %d in state %s", image_id, vm_id, image.state.name)
        image.save(tx)
    elif failed and image.state in _IN_USE_PERS:
        image_fire.fire(tx, image, "failed")
    elif image.running_vms == 0 and (image.state in _IN_USE_PERS or image.cloning_ops == 0):
        image_fire.fire(tx, image, "unused")
    else:
        image.save(tx)
