"""The only function that changes an image's state."""

from __future__ import annotations

import time
from collections.abc import Callable

from services.oned.errors import ActionError
from services.oned.lifecycle.image_states import TABLE, allowed_states
from services.oned.model.image import Image, ImageState
from services.oned.store import Tx, events

EFFECTS: dict[str, Callable[[Tx, Image], None]] = {}


def _effect(function: Callable[[Tx, Image], None]) -> Callable[[Tx, Image], None]:
    EFFECTS[function.__name__] = function
    return function


def fire(tx: Tx, image: Image, event: str) -> None:
    """Apply an event to an image, store it and record the change of state.

    image: as loaded (and so locked) in this transaction. Raises ActionError naming the image, its state and
    the states that allow the event; nothing is changed then.
    """
    before = image.state
    row = TABLE.get((before.name, event))
    if row is None:
        raise ActionError(
            f"image {image.oid} is in state {before.name}, {event.replace('_', '-')} is available for "
            f"{', '.join(allowed_states(event)) or 'none'}",
            image.oid,
        )
    if row.target != "=":
        image.state = ImageState[row.target]
        if image.state is not ImageState.LOCKED:
            # As OpenNebula: coming to any other state ends the lock that somebody has put on the image.
            image.lock = None
    image.save(tx)
    if image.state is not before:
        events.add(tx, "STATE", "IMAGE", image.oid, {"state": int(image.state)})
    for name in row.effects:
        EFFECTS[name](tx, image)


def can(image: Image, event: str) -> bool:
    """Whether the image's state allows an event."""
    return (image.state.name, event) in TABLE


def set_error(image: Image, message: str) -> None:
    """Show a message where clients look for it (the caller stores the image)."""
    stamp = time.strftime("%a %b %d %H:%M:%S %Y")
    image.template.set("ERROR", f"{stamp} : {message}")


@_effect
def tell_vms(tx: Tx, image: Image) -> None:
    """Let the VMs that wait for the image go on, or fail."""
    from services.oned.lifecycle import disk_wait  # it fires VM events, whose effects use images

    for vm_id in image.vms:
        disk_wait.image_settled(tx, vm_id)
