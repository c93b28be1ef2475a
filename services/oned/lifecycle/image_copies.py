"""Counting the images and appliances that are being made from an image: it is not free before they are done.

Source: image states reference of release 6.0.
"""

from __future__ import annotations

from services.oned.errors import RequestError
from services.oned.lifecycle import image_fire
from services.oned.model.image import Image, ImageState
from services.oned.store import Tx

_COPYABLE = (ImageState.READY, ImageState.USED, ImageState.CLONE)


def require_copyable(tx: Tx, image_id: int) -> None:
    """Raise RequestError unless an image exists and its state lets it be copied."""
    image = Image.find(tx, image_id)
    if image is None:
        raise RequestError("Cannot clone image, it does not exist")
    if image.state not in _COPYABLE:
        raise RequestError(f"Cannot clone image in state: {image.state.word}")


def start(tx: Tx, image_id: int, copy_id: int, *, app: bool = False) -> None:
    """Count an image, or an appliance, that is being made from an image. Raises RequestError."""
    require_copyable(tx, image_id)
    image = Image.load(tx, image_id)
    image.add_clone(copy_id, app=app)
    image_fire.fire(tx, image, "copy_pers" if image.is_persistent else "copy")


def end(tx: Tx, image_id: int, copy_id: int, *, app: bool = False) -> None:
    """Count it no more; the image is free when it was the last use. Nothing when the image is gone."""
    image = Image.find(tx, image_id)
    if image is None or not image_fire.can(image, "copied"):
        return
    image.remove_clone(copy_id, app=app)
    if image.cloning_ops == 0 and image.running_vms == 0:
        image_fire.fire(tx, image, "copied")
    else:
        image.save(tx)
