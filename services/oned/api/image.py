"""Image methods."""

from __future__ import annotations

from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.image_allocate import allocate_image
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, RequestError
from services.oned.lifecycle import image_copy, image_create, image_delete, image_fire
from services.oned.model.datastore import Datastore
from services.oned.model.image import Image, ImageState, type_of
from services.oned.store import jobs

_MANAGED = Check(Image, Right.MANAGE, "image_id")
_FIXED_MODE = (
    ImageState.USED,
    ImageState.CLONE,
    ImageState.USED_PERS,
    ImageState.LOCKED_USED,
    ImageState.LOCKED_USED_PERS,
)


@method("one.image.allocate", "template:s datastore_id:i check_capacity:b=1")
def allocate(call: Call, text: str, datastore_id: int, check_capacity: bool) -> int:
    """Create an image in a datastore; only administrators may do without the check of its capacity."""
    return allocate_image(call, text, datastore_id, check_capacity)


@method("one.image.clone", "image_id:i name:s datastore_id:i=-1")
def clone(call: Call, image_id: int, name: str, datastore_id: int) -> int:
    """Copy an image under another name, into its datastore (-1) or another one of the same driver."""
    return image_copy.clone(call, image_id, name, datastore_id)


@method("one.image.delete", "image_id:i")
def delete(call: Call, image_id: int) -> int:
    """Delete an image that nothing uses."""
    image_delete.delete(call, image_id)
    return image_id


@method("one.image.info", "image_id:i decrypt:b=0", Check(Image, Right.USE, "image_id"), writes=False)
def info(call: Call, image_id: int, decrypt: bool) -> str:
    """The image's document."""
    return common.info(call, Image, image_id, decrypt)


@method("one.imagepool.info", "filter_flag:i start_id:i end_id:i", writes=False)
def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int) -> PoolDocument:
    """The images that fit and that the caller may use."""
    return common.pool_info(call, Image, filter_flag, start_id, end_id)


@method("one.image.update", "image_id:i template:s update_type:i=0", _MANAGED)
def update(call: Call, image_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) an image's attributes."""
    return common.update_template(call, Image, image_id, text, update_type)


@method("one.image.rename", "image_id:i name:s")
def rename(call: Call, image_id: int, name: str) -> int:
    """Rename an image."""
    return common.rename(call, Image, image_id, name, right=Right.MANAGE)


@method("one.image.chmod", common.CHMOD_PARAMS.format(id="image_id"))
def chmod(call: Call, image_id: int, *bits: int) -> int:
    """Change permission bits of an image; -1 leaves one as it is."""
    return common.chmod(call, Image, image_id, list(bits))


@method("one.image.chown", "image_id:i new_uid:i new_gid:i")
def chown(call: Call, image_id: int, uid: int, gid: int) -> int:
    """Give an image to a user, a group or both; -1 leaves one as it is."""
    return common.chown(call, Image, image_id, uid, gid)


# A lock must not stand against its own removal, so common checks the right, not the registry row.
@method("one.image.lock", "image_id:i level:i test:b=0")
def lock(call: Call, image_id: int, level: int, test: bool) -> int:
    """Lock an image against actions: level 1 use, 2 manage, 3 admin, 4 all."""
    return common.lock(call, Image, image_id, level, test)


@method("one.image.unlock", "image_id:i")
def unlock(call: Call, image_id: int) -> int:
    """Remove the lock of an image."""
    return common.unlock(call, Image, image_id)


@method("one.image.enable", "image_id:i enable:b", _MANAGED)
def enable(call: Call, image_id: int, wanted: bool) -> int:
    """Let VMs use an image (also one in ERROR), or not."""
    image = call.load(Image, image_id)
    event = "enable" if wanted else "disable"
    if wanted and image.state is ImageState.ERROR and image.running_vms:
        event = "enable_used_pers" if image.is_persistent else "enable_used"
    if not image_fire.can(image, event):
        raise RequestError(f"Could not {event} image: Image cannot be in state {image.state.word}.", image_id)
    image_fire.fire(call.tx, image, event)
    return image_id


@method("one.image.persistent", "image_id:i persistent:b", _MANAGED)
def persistent(call: Call, image_id: int, wanted: bool) -> int:
    """Make an image persistent (VMs write to it) or not (each VM gets a copy)."""
    set_persistent(call, image_id, wanted)
    return image_id


def set_persistent(call: Call, image_id: int, wanted: bool) -> None:
    """What one.image.persistent does, the right apart. Raises RequestError, ActionError."""
    image = Image.load(call.tx, image_id)
    store = Datastore.find(call.tx, image.datastore_id)
    if store is None:
        raise RequestError("Datastore no longer exists.", image_id)
    if image.type.is_file:
        raise ActionError("KERNEL, RAMDISK and CONTEXT must be non-persistent", image_id)
    if not wanted and image_create.is_persistent_only(call.conf, store):
        raise RequestError("This Datastore only accepts persistent images.", image_id)
    refusal = f"Could not make image {'persistent' if wanted else 'non-persistent'}: "
    if not wanted and len(image.snapshots):
        raise RequestError(f"{refusal}Image has snapshots.", image_id)
    if image.state in _FIXED_MODE:
        raise RequestError(f"{refusal}Image cannot be in state {image.state.word}.", image_id)
    image.is_persistent = wanted
    image.save(call.tx)


@method("one.image.chtype", "image_id:i type:s", _MANAGED)
def change_type(call: Call, image_id: int, text: str) -> int:
    """Change an image's type to another one for the same kind of datastore."""
    image = call.load(Image, image_id)
    if type_of(text, image_create.default_type(call.conf)).is_file != image.type.is_file:
        raise ActionError(
            f"Cannot change image type to an incompatible type for the current datastore: image {image_id} "
            f"is of type {image.type.name}, found {text[:40]!r}.",
            image_id,
        )
    image.set_type(text or image_create.default_type(call.conf))
    image.save(call.tx)
    return image_id


# -- snapshots ---------------------------------------------------------------------------------------------
@method("one.image.snapshotdelete", "image_id:i snapshot_id:i", _MANAGED)
def snapshot_delete(call: Call, image_id: int, snapshot_id: int) -> int:
    """Delete a snapshot of an image."""
    image = _ready_image(call, image_id, "delete snapshot")
    refusal = image.snapshots.refusal_to_delete(snapshot_id)
    if refusal:
        raise ActionError(refusal, image_id)
    return _snapshot_job(call, image, snapshot_id, "ds.SNAP_DELETE")


@method("one.image.snapshotrevert", "image_id:i snapshot_id:i", _MANAGED)
def snapshot_revert(call: Call, image_id: int, snapshot_id: int) -> int:
    """Bring an image back to what it was at a snapshot."""
    image = _ready_image(call, image_id, "revert to snapshot")
    if snapshot_id not in image.snapshots:
        raise ActionError("Snapshot does not exist", image_id)
    if image.snapshots.active == snapshot_id:
        raise ActionError("Snapshot is already the active one", image_id)
    return _snapshot_job(call, image, snapshot_id, "ds.SNAP_REVERT")


@method("one.image.snapshotflatten", "image_id:i snapshot_id:i", _MANAGED)
def snapshot_flatten(call: Call, image_id: int, snapshot_id: int) -> int:
    """Make a snapshot the image's only content; all snapshots go."""
    image = _ready_image(call, image_id, "flatten snapshot")
    if snapshot_id not in image.snapshots:
        raise ActionError("Snapshot does not exist", image_id)
    return _snapshot_job(call, image, snapshot_id, "ds.SNAP_FLATTEN")


def _ready_image(call: Call, image_id: int, what: str) -> Image:
    image = call.load(Image, image_id)
    if Datastore.find(call.tx, image.datastore_id) is None:
        raise ActionError("Datastore no longer exists", image_id)
    if not image_fire.can(image, "snapshot"):
        raise ActionError(f"Cannot {what} in state {image.state.word}", image_id)
    return image


def _snapshot_job(call: Call, image: Image, snapshot_id: int, operation: str) -> int:
    store = Datastore.load(call.tx, image.datastore_id)
    image.target_snapshot = snapshot_id
    image_fire.fire(call.tx, image, "snapshot")
    jobs.add(call.tx, kind=Image.KIND, oid=image.oid, operation=operation, driver=store.ds_mad, host="")
    return snapshot_id
