"""What uses each image against what the image says, and the datastores' lists of images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.model.datastore import Datastore
from services.oned.model.image import Image, ImageState
from services.oned.model.marketplaceapp import AppState, AppType
from services.oned.store import Tx

_LOCKED = (ImageState.LOCKED, ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS)
_USED = (ImageState.USED, ImageState.USED_PERS, ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS)
_LISTS = ("VMS", "CLONES", "APP_CLONES")
_Users = dict[int, set[int]]


def check(zone: Zone) -> Iterator[Finding]:
    """Images, VMs, copies, datastores and driver work fit together."""
    users = {"VMS": _vms(zone), "CLONES": _copies(zone), "APP_CLONES": _appliances(zone)}
    for image in zone.images:
        yield from _uses(image, {name: sorted(users[name].pop(image.oid, ())) for name in _LISTS})
    for oid, vms in users["VMS"].items():
        yield Finding(f"image {oid} does not exist, but virtual machines {sorted(vms)} use it")
    yield from _work(zone)
    yield from _datastores(zone)


# -- users -------------------------------------------------------------------------------------------------
def _uses(image: Image, right: dict[str, list[int]]) -> Iterator[Finding]:
    fix = partial(_set_users, oid=image.oid, right=right)
    for name, expected in right.items():
        listed = sorted(getattr(image, name.lower()))
        if listed != expected:
            yield Finding(f"image {image.oid}: {name} are {listed}, expected {expected}", fix)
    if image.running_vms != len(image.vms):
        text = f"image {image.oid}: RUNNING_VMS is {image.running_vms}, it lists {len(image.vms)} VMs"
        yield Finding(text, fix)
    copies = len(image.clones) + len(image.app_clones)
    if image.cloning_ops != copies:
        text = f"image {image.oid}: CLONING_OPS is {image.cloning_ops}, it lists {copies} copies"
        yield Finding(text, fix)
    uses = image.running_vms + image.cloning_ops
    if (image.state in _USED and not uses) or (image.state is ImageState.CLONE and not image.cloning_ops):
        yield Finding(f"image {image.oid}: is {image.state.name}, but nothing uses it", fix)
    if image.state is ImageState.READY and uses:
        text = f"image {image.oid}: is READY, but {uses} virtual machines or copies use it"
        yield Finding(text, fix)


def _vms(zone: Zone) -> _Users:
    found: _Users = defaultdict(set)
    for vm in zone.vms:
        for disk in vm.template.vectors("DISK"):
            if disk.get("IMAGE_ID", "").isdigit():
                found[int(disk["IMAGE_ID"])].add(vm.oid)
    return found


def _copies(zone: Zone) -> _Users:
    found: _Users = defaultdict(set)
    for image in zone.images:
        if image.cloning_id != -1:
            found[image.cloning_id].add(image.oid)
    return found


def _appliances(zone: Zone) -> _Users:
    found: _Users = defaultdict(set)
    for app in zone.marketplaceapps:
        if app.type is AppType.IMAGE and app.state is AppState.LOCKED and app.zone_id in (-1, zone.zone_id):
            found[app.origin_id].add(app.oid)
    return found


def _set_users(tx: Tx, oid: int, right: dict[str, list[int]]) -> None:
    image = Image.load(tx, oid)
    for name, ids in right.items():
        setattr(image, name.lower(), ids)
    image.running_vms = len(image.vms)
    image.cloning_ops = len(image.clones) + len(image.app_clones)
    image.state = _settled(image)
    image.save(tx)


def _settled(image: Image) -> ImageState:
    """The state that goes with the image's users; those that say more than that stay."""
    if image.state in (ImageState.READY, ImageState.USED, ImageState.USED_PERS, ImageState.CLONE):
        if image.vms:
            return ImageState.USED_PERS if image.is_persistent else ImageState.USED
        if image.cloning_ops:
            return ImageState.CLONE if image.is_persistent else ImageState.USED
        return ImageState.READY
    if image.state in (ImageState.LOCKED_USED, ImageState.LOCKED_USED_PERS) and not image.vms:
        return ImageState.LOCKED
    return image.state


# -- driver work -------------------------------------------------------------------------------------------
def _work(zone: Zone) -> Iterator[Finding]:
    working = zone.working(Image.KIND)
    for image in zone.images:
        # An image that a VM's disk is saved to has the driver work of the VM.
        waits = image.state is ImageState.DELETE or (image.state in _LOCKED and not image.is_saving)
        if waits and image.oid not in working and zone.is_ours:
            text = f"image {image.oid}: is {image.state.name}, but no driver works on it"
            yield Finding(text, partial(_fail, oid=image.oid))


def _fail(tx: Tx, oid: int) -> None:
    """What nobody works on has failed; its user may delete it (again) or enable it."""
    image = Image.load(tx, oid)
    image.state = ImageState.ERROR
    image.save(tx)


# -- datastores --------------------------------------------------------------------------------------------
def _datastores(zone: Zone) -> Iterator[Finding]:
    kept: dict[int, list[int]] = defaultdict(list)
    for image in zone.images:
        if image.state is not ImageState.DELETE:
            kept[image.datastore_id].append(image.oid)
    for store in zone.datastores:
        expected = sorted(kept.pop(store.oid, []))
        if sorted(store.images) != expected:
            text = f"datastore {store.oid}: IMAGES are {sorted(store.images)}, expected {expected}"
            yield Finding(text, partial(_list, oid=store.oid, images=expected))
    for oid, ids in kept.items():
        yield Finding(f"datastore {oid} does not exist, but images {ids} are in it")


def _list(tx: Tx, oid: int, images: list[int]) -> None:
    store = Datastore.load(tx, oid)
    store.images = images
    store.save(tx)
