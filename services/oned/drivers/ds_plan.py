"""Steps of the operations on images and datastores: one action each, of the datastore's driver.

The action gets DS_DRIVER_ACTION_DATA in base64 and the id of the image (of the datastore for monitor).
Source: datastore driver contract of release 6.0.
"""

from __future__ import annotations

import base64

from services.common import paths, xmldoc
from services.oned.drivers.step import PlanError, Step
from services.oned.drivers.table import Drivers
from services.oned.model.datastore import Datastore, DatastoreType
from services.oned.model.image import Image
from services.oned.model.marketplace import Marketplace
from services.oned.store import Tx, pools
from services.oned.store.jobs import Job

_ROOT = "DS_DRIVER_ACTION_DATA"
# A single argument of a process may have 128 KiB; in base64 four characters stand for three.
_ARGUMENT_MAX = 128 * 1024 - 1
_MESSAGE_MAX = 90_000
_ALWAYS_THERE = "dummy"  # the product's own, whatever the lists of oned.conf say
_ACTIONS = {
    "ds.CP": "cp",
    "ds.MKFS": "mkfs",
    "ds.CLONE": "clone",
    "ds.RM": "rm",
    "ds.SNAP_DELETE": "snap_delete",
    "ds.SNAP_REVERT": "snap_revert",
    "ds.SNAP_FLATTEN": "snap_flatten",
}


def message(store: Datastore, first: str = "", last: str = "") -> str:
    """The action's first argument: elements before and behind the datastore's, in base64.

    A datastore's list of images is left out where the argument would be too long for a process.
    """
    body = store.to_xml()
    if len(first) + len(body) + len(last) > _MESSAGE_MAX:
        bare = Datastore.from_xml(body)
        bare.images = []
        body = bare.to_xml()
    return base64.b64encode(f"<{_ROOT}>{first}{body}{last}</{_ROOT}>".encode()).decode()


def step(drivers: Drivers, store: Datastore, action: str, argument: str, oid: int) -> Step:
    """The action of a datastore's driver. Raises PlanError when oned.conf does not list the driver."""
    listed = drivers.ds_options.types
    if listed and store.ds_mad not in (*listed, _ALWAYS_THERE):
        raise PlanError(f"Datastore driver '{store.ds_mad}' not available")
    if len(argument) > _ARGUMENT_MAX:
        raise PlanError(
            f"the document for the driver is too long: {len(argument)} bytes, at most {_ARGUMENT_MAX}"
        )
    _require_there("datastore", store.ds_mad)
    timeout_s = drivers.timeout_s("datastore", action, drivers.ds_options)
    return Step("datastore", store.ds_mad, action, (argument, str(oid)), timeout_s, gives_output=True)


def _require_there(subsystem: str, driver: str) -> None:
    """Raise PlanError for a driver that oned.conf lists but that nobody has put into the remotes."""
    if "/" in driver or not (paths.remotes() / subsystem / driver).is_dir():
        raise PlanError(
            f"Datastore driver '{driver}' not available: there is no {subsystem}/{driver} in the remotes"
        )


def stat(drivers: Drivers, store: Datastore, path: str) -> Step:
    """STAT: prints the size in MB that the file or URL ``path`` will have as an image. Raises PlanError."""
    first = f"<IMAGE><PATH>{xmldoc.escape(path)}</PATH></IMAGE>"
    argument = message(store, first)
    # The number only tells requests apart in OpenNebula; scripts expect one.
    return step(drivers, store, "stat", argument, 0)


def steps(tx: Tx, job: Job, drivers: Drivers) -> list[Step]:
    """The steps of a ``ds.`` job. Raises PlanError."""
    if job.operation == "ds.MONITOR":
        return [_monitor(drivers, _stored(tx, job.oid), job)]
    action = _ACTIONS.get(job.operation)
    if action is None:
        raise PlanError(f"there is no operation {job.operation}")
    body = pools.body(tx, Image.TABLE, job.oid)
    if body is None:
        raise PlanError(f"image {job.oid} does not exist")
    image = Image.from_xml(body)
    store = _stored(tx, image.datastore_id)
    return [step(drivers, store, action, message(store, body, _market(tx, job)), job.oid)]


def _stored(tx: Tx, oid: int) -> Datastore:
    body = pools.body(tx, Datastore.TABLE, oid)
    if body is None:
        raise PlanError(f"datastore {oid} does not exist")
    return Datastore.from_xml(body)


def _market(tx: Tx, job: Job) -> str:
    """The marketplace of the appliance that an image is made of."""
    market_id = job.spec.get("market_id")
    return "" if market_id is None else pools.body(tx, Marketplace.TABLE, market_id) or ""


def _monitor(drivers: Drivers, store: Datastore, job: Job) -> Step:
    """MONITOR: prints TOTAL_MB, FREE_MB and USED_MB; a system datastore is asked by its transfer driver."""
    if store.type is not DatastoreType.SYSTEM_DS:
        return step(drivers, store, "monitor", message(store), store.oid)
    listed = drivers.ds_options.system_types
    if listed and store.tm_mad not in (*listed, _ALWAYS_THERE):
        raise PlanError(f"System datastore driver '{store.tm_mad}' not available")
    _require_there("tm", store.tm_mad)
    place = drivers.conf.datastore_location
    last = f"<DATASTORE_LOCATION>{xmldoc.escape(place)}</DATASTORE_LOCATION>"
    if (vm_disks := job.spec.get("vm_disks")) is not None:
        last += f"<MONITOR_VM_DISKS>{int(vm_disks)}</MONITOR_VM_DISKS>"
    timeout_s = drivers.timeout_s("tm", "monitor", drivers.ds_options)
    args = (message(store, last=last), str(store.oid))
    return Step("tm", store.tm_mad, "monitor", args, timeout_s, gives_output=True)
