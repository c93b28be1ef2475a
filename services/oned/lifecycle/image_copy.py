"""A new copy of an image, made by the datastore's driver.

Source: one.image.clone of release 6.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.template import Template
from services.oned.auth.rights import Right
from services.oned.errors import ActionError
from services.oned.lifecycle import image_create
from services.oned.model import quota
from services.oned.model.datastore import Datastore, DatastoreType
from services.oned.model.image import Image

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call


def clone(call: Call, image_id: int, name: str, datastore_id: int = -1, *, persistent: bool = False) -> int:
    """Copy an image for the caller under another name; the copy's id.

    datastore_id: -1 stays in the image's datastore. persistent: whatever the image and the defaults say.
    Checks all rights itself. Raises NotFoundError, ActionError, AuthorizationError, AllocateError.
    """
    source = Image.load(call.tx, image_id)
    if source.type.is_file:
        raise ActionError("KERNEL, RAMDISK and CONTEXT cannot be cloned.", image_id)
    if len(source.snapshots):
        raise ActionError("Cannot clone images with snapshots", image_id)
    template = _copied_template(source, name)
    if persistent:
        template.set("PERSISTENT", "YES")
    else:
        image_create.settle_persistent(call, template, is_new=False)
    target_id = source.datastore_id if datastore_id == -1 else datastore_id
    store = _clone_target(call, target_id, source.datastore_id)
    image_create.require_space(call.conf, store, source.size_mb)
    call.authorize_create(Image)
    call.authorize(Image, Right.USE, image_id)
    for store_id in dict.fromkeys((target_id, source.datastore_id)):
        call.authorize(Datastore, Right.USE, store_id)
    size = image_create.space(target_id, source.size_mb)
    quota.change(call.tx, call.caller.uid, call.caller.gid, size)
    return image_create.create(call, template, store, cloning_id=image_id).oid


def _copied_template(source: Image, name: str) -> Template:
    template = source.template.copy()
    template.set("NAME", name)
    template.set("TYPE", source.type.name)
    template.set("PATH", source.source)
    template.set("FORMAT", source.format)
    template.set("SIZE", str(source.size_mb))
    template.set("PERSISTENT", "YES" if source.is_persistent else "NO")
    template.remove("VCENTER_IMPORTED")
    return template


def _clone_target(call: Call, target_id: int, source_id: int) -> Datastore:
    """The datastore that a copy goes to. Raises NotFoundError, ActionError."""
    store = Datastore.load(call.tx, target_id)
    if store.type is not DatastoreType.IMAGE_DS:
        raise ActionError("Clone only supported for IMAGE_DS Datastores", target_id)
    if target_id != source_id:
        origin = Datastore.load(call.tx, source_id)
        if origin.type is not DatastoreType.IMAGE_DS:
            raise ActionError("Clone only supported for IMAGE_DS Datastores", source_id)
        if origin.ds_mad != store.ds_mad:
            raise ActionError(
                f"Clone only supported to same DS_MAD Datastores: datastore {source_id} has {origin.ds_mad}, "
                f"datastore {target_id} has {store.ds_mad}",
                target_id,
            )
    return store
