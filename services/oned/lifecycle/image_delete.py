"""Deleting images: what is refused, the driver work, and giving back what the image counted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.oned.auth.rights import Right
from services.oned.errors import ActionError
from services.oned.lifecycle import image_copies, image_fire, saveas
from services.oned.lifecycle.numbers import whole
from services.oned.model import acl, quota
from services.oned.model.datastore import Datastore
from services.oned.model.image import Image, ImageState
from services.oned.store import jobs

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

_LOCKED = (ImageState.LOCKED, ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS)


def delete(call: Call, image_id: int) -> None:
    """Delete an image: one that has content goes when its datastore's driver has removed that.

    Checks the right itself: MANAGE, ADMIN while a driver works on it. Raises NotFoundError,
    AuthorizationError, and ActionError for an image that is in use.
    """
    image = Image.load(call.tx, image_id)
    call.authorize(Image, Right.ADMIN if image.state in _LOCKED else Right.MANAGE, image_id)
    _require_unused(image)
    store = Datastore.find(call.tx, image.datastore_id)
    if store is None:
        raise ActionError("Cannot delete image. Datastore no longer exists cannot remove image", image_id)
    cloning_id, usage = image.cloning_id, image.quota_usage()
    vm_id = (whole(image.template.get("SAVED_VM_ID")) or 0) if _is_awaited(image) else -1
    jobs.cancel(call.tx, Image.KIND, image_id)
    if image.source:
        image.cloning_id = -1
        image_fire.fire(call.tx, image, "delete")
        jobs.add(call.tx, kind=Image.KIND, oid=image_id, operation="ds.RM", driver=store.ds_mad, host="")
    else:
        image.delete(call.tx)
    store.images = [oid for oid in store.images if oid != image_id]
    store.save(call.tx)
    if cloning_id != -1:
        image_copies.end(call.tx, cloning_id, image_id)
    if vm_id != -1:
        saveas.source_failed(call.tx, image_id, vm_id)
    acl.delete_for_object(call.tx, Image, image_id)
    quota.change(call.tx, image.uid, image.gid, -usage, check=False)
    call.forget(Image, image_id)


def _is_awaited(image: Image) -> bool:
    """Whether a VM waits for the image, to save one of its disks there."""
    return image.is_saving and image.state is ImageState.LOCKED


def _require_unused(image: Image) -> None:
    # Also one that has failed: VMs may wait for it, or still run with it where it is shared.
    is_in_use = image.running_vms > 0 and image.state is not ImageState.DELETE
    if image_fire.can(image, "delete") and not is_in_use:
        return
    uses = f"{image.running_vms} VMs using it"
    if image.state is ImageState.CLONE:
        uses = f"{image.cloning_ops} active clone operations"
    raise ActionError(f"Cannot delete image. There are {uses}.", image.oid)
