"""Images that a VM uses as files: kernels, initial RAM disks, files of its context.

They are named by ``$FILE[IMAGE="name", IMAGE_UNAME="owner"]`` or ``$FILE[IMAGE_ID=7]``.
Source: OS and context sections of the virtual machine template reference of release 6.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.oned.errors import AuthorizationError, RequestError
from services.oned.lifecycle import image_use
from services.oned.lifecycle.use_rights import on_behalf, require_use
from services.oned.lifecycle.variables import file_conditions
from services.oned.model.image import Image, ImageState, ImageType
from services.oned.model.vm import VM
from services.oned.store import pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call


def find(call: Call, vm: VM, text: str, kind: ImageType) -> list[Image]:
    """The images that a text names, in its order, if the VM's owner may use them and they are ready.

    Raises RequestError saying which image cannot be used and why.
    """
    owner = on_behalf(call, vm.uid)
    return [_usable(owner, conditions, kind) for conditions in file_conditions(text)]


def _usable(call: Call, conditions: dict[str, str], kind: ImageType) -> Image:
    first = next(iter(conditions))
    if first not in ("IMAGE", "IMAGE_ID"):
        raise RequestError(f"Cannot get image, set IMAGE_ID or IMAGE, found {first}.")
    by_id = first == "IMAGE_ID"
    wanted = {name: text for name, text in conditions.items() if by_id == (name == "IMAGE_ID")}
    image_id = image_use.find(call.tx, wanted, call.caller.uid)
    body = None if image_id is None else pools.body(call.tx, Image.TABLE, image_id)
    if image_id is None or body is None:
        if by_id:
            raise RequestError(f"Image with ID: {conditions['IMAGE_ID']} does not exist")
        raise RequestError(
            f"User {call.caller.uid} does not own an image with name: {conditions['IMAGE']} . "
            "Set IMAGE_UNAME or IMAGE_UID of owner."
        )
    try:
        require_use(call, Image, image_id)
    except AuthorizationError as error:
        raise RequestError(error.message) from None
    image = Image.from_xml(body)
    if image.type is not kind:
        raise RequestError(f"Image {image_id} is of type {image.type.name}, expected {kind.name}.")
    if image.state is not ImageState.READY:
        raise RequestError(f"{image.type.name} Image {image_id} is {image.state.name}, expected READY.")
    return image
