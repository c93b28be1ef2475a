"""What the end of a driver's work on an image changes.

Source: image states reference of release 6.0; messages of its datastore drivers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from services.oned.drivers.execute import Result
from services.oned.lifecycle import datastore_monitor, image_copies, image_create, image_fire, saveas
from services.oned.lifecycle.numbers import whole
from services.oned.model import quota
from services.oned.model.datastore import Datastore
from services.oned.model.image import Image, ImageState
from services.oned.model.marketplaceapp import AppState, MarketplaceApp
from services.oned.model.vm import VM
from services.oned.store import Tx, jobs
from services.oned.store.jobs import Job

_log = logging.getLogger("ImM")


def apply(tx: Tx, result: Result) -> None:
    """Apply the result of a job of kind IMAGE; dropped when the image is gone."""
    image = Image.find(tx, result.job.oid)
    if image is None:
        _log.warning("image %d is gone, dropping the result of %s", result.job.oid, result.job.operation)
        return
    if result.job.operation != "ds.RM" and not image_fire.can(image, "done"):
        _log.warning("image %d is %s, dropping the result of %s", image.oid, image.state.name, result.job)
        return
    _RESULTS[result.job.operation](tx, image, result)
    datastore_monitor.soon(tx, image.datastore_id)


def give_up(tx: Tx, image_id: int) -> bool:
    """End what an image waits for if no driver works on it; whether anything was done.

    What a driver was making has failed; what was to be removed is removed again.
    """
    image = Image.find(tx, image_id)
    if image is None or jobs.operations(tx, Image.KIND, image_id):
        return False
    if image.state is ImageState.CLONE:
        return _forget_copies(tx, image)
    if image.state is ImageState.DELETE:
        _remove_again(tx, image)
        return True
    if image_fire.can(image, "done") and not _is_copied_by_vm(tx, image):
        lost = Job(0, Image.KIND, image_id, _lost_operation(image), "", "", {}, 1, None, 0)
        _RESULTS[lost.operation](tx, image, Result(lost, False, "no driver works on it any more"))
        return True
    return False


def _lost_operation(image: Image) -> str:
    """What a driver was at, by what the image says."""
    if image.target_snapshot != -1:
        return "ds.SNAP_DELETE"
    if image.cloning_id != -1:
        return "ds.CLONE"
    return "ds.MKFS" if image.is_saving else "ds.CP"


def _is_copied_by_vm(tx: Tx, image: Image) -> bool:
    """Whether a VM's driver copies a disk there."""
    vm_id = whole(image.template.get("SAVED_VM_ID"))
    return image.is_saving and vm_id is not None and bool(jobs.operations(tx, VM.KIND, vm_id))


def _remove_again(tx: Tx, image: Image) -> None:
    store = Datastore.find(tx, image.datastore_id)
    if store is None:
        _log.error("image %d: its datastore is gone, its source %s may be left", image.oid, image.source)
        image.delete(tx)
        return
    jobs.add(tx, kind=Image.KIND, oid=image.oid, operation="ds.RM", driver=store.ds_mad, host="")


def _forget_copies(tx: Tx, image: Image) -> bool:
    """Count copies no more that are not being made (any more)."""
    images = [oid for oid in image.clones if not _is_copy(Image.find(tx, oid), image.oid)]
    apps = [oid for oid in image.app_clones if not _is_imported(MarketplaceApp.find(tx, oid), image.oid)]
    for oid in images:
        image_copies.end(tx, image.oid, oid)
    for oid in apps:
        image_copies.end(tx, image.oid, oid, app=True)
    return bool(images or apps)


def _is_copy(copy: Image | None, origin_id: int) -> bool:
    return copy is not None and copy.cloning_id == origin_id


def _is_imported(app: MarketplaceApp | None, origin_id: int) -> bool:
    return app is not None and app.state is AppState.LOCKED and app.origin_id == origin_id


def _fail(tx: Tx, image: Image, text: str, result: Result) -> None:
    """ERROR, with what the driver said in the template."""
    message = f"{text}: {result.message}" if result.message else text
    _log.error("image %d: %s", image.oid, message)
    image_fire.set_error(image, message)
    image_fire.fire(tx, image, "failed")


# -- content -----------------------------------------------------------------------------------------------
def _copied(tx: Tx, image: Image, result: Result) -> None:
    """CP: the driver printed SOURCE and FORMAT."""
    words = result.output.split()
    if not result.ok or not words:
        _fail(tx, image, "Error copying image in the datastore", result)
        return
    if len(words) < 2:
        _fail(tx, image, "CP operation succeeded but image FORMAT was not returned.", result)
        return
    image.source, image.format = words[:2]
    image_fire.fire(tx, image, "done")


def _cloned(tx: Tx, image: Image, result: Result) -> None:
    """CLONE: the driver printed SOURCE."""
    origin, image.cloning_id = image.cloning_id, -1
    if result.ok:
        image.source = result.output.strip()
        image_fire.fire(tx, image, "done")
    else:
        _fail(tx, image, f"Error cloning from Image {origin}", result)
    image_copies.end(tx, origin, image.oid)


def _made(tx: Tx, image: Image, result: Result) -> None:
    """MKFS: the driver printed SOURCE. An image that a VM's disk is saved to stays LOCKED for the copy."""
    vm_id = whole(image.template.get("SAVED_VM_ID"))
    if not result.ok:
        _fail(tx, image, "Error creating datablock", result)
        if image.is_saving and vm_id is not None:
            saveas.source_failed(tx, image.oid, vm_id)
        return
    image.source = result.output.strip()
    if not image.is_saving:
        image_fire.fire(tx, image, "done")
        return
    image.format = _disk_format(tx, image, vm_id) or image.format
    image.save(tx)
    saveas.source_made(tx, image.oid, -1 if vm_id is None else vm_id, image.source)


def _disk_format(tx: Tx, image: Image, vm_id: int | None) -> str:
    """The format of the disk that is saved."""
    vm = None if vm_id is None else VM.find(tx, vm_id)
    disks = vm.template.vectors("DISK") if vm is not None else []
    saved = image.template.get("SAVED_DISK_ID") or ""
    disk = next((disk for disk in disks if disk.get("DISK_ID") == saved), {})
    return disk.get("FORMAT") or disk.get("DRIVER") or ""


def _removed(tx: Tx, image: Image, result: Result) -> None:
    """RM: the image is gone, even when the driver could not remove its content."""
    if not result.ok:
        _log.error(
            "Error removing image from datastore. Manually remove image source %s to completely delete the "
            "image: %s",
            image.source,
            result.message,
        )
    image.delete(tx)


# -- snapshots ---------------------------------------------------------------------------------------------
def _snapshot(change: Callable[[Image, int], None], failure: str) -> Callable[[Tx, Image, Result], None]:
    """A result that changes the snapshots and gives their space back; a failure leaves the image usable."""

    def applied(tx: Tx, image: Image, result: Result) -> None:
        target, before_mb = image.target_snapshot, image.snapshots.total_size_mb
        image.target_snapshot = -1
        if result.ok:
            change(image, target)
        else:
            text = failure.format(image=image.oid, snapshot=target)
            image_fire.set_error(image, f"{text}: {result.message}")
            _log.error("image %d: %s: %s", image.oid, text, result.message)
        image_fire.fire(tx, image, "done")
        freed_mb = before_mb - image.snapshots.total_size_mb
        if freed_mb:
            freed = image_create.space(image.datastore_id, -freed_mb, images=0)
            quota.change(tx, image.uid, image.gid, freed, check=False)

    return applied


def _delete_snapshot(image: Image, snapshot_id: int) -> None:
    image.snapshots.delete(snapshot_id)


def _revert_snapshot(image: Image, snapshot_id: int) -> None:
    image.snapshots.activate(snapshot_id, revert=True)


def _flatten(image: Image, snapshot_id: int) -> None:
    image.snapshots.clear()


_RESULTS: dict[str, Callable[[Tx, Image, Result], None]] = {
    "ds.CP": _copied,
    "ds.CLONE": _cloned,
    "ds.MKFS": _made,
    "ds.RM": _removed,
    "ds.SNAP_DELETE": _snapshot(_delete_snapshot, "Error removing snapshot {snapshot} from image {image}"),
    "ds.SNAP_REVERT": _snapshot(_revert_snapshot, "Error reverting image {image} to snapshot {snapshot}"),
    "ds.SNAP_FLATTEN": _snapshot(_flatten, "Error flattening image snapshot"),
}
