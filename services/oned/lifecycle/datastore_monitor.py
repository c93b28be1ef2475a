"""Asking drivers for the sizes of datastores.

Source: datastore driver contract of release 6.0.
"""

from __future__ import annotations

from services.oned.lifecycle.numbers import is_yes
from services.oned.model.datastore import Datastore, DatastoreType
from services.oned.store import Tx, jobs, pools

_OPERATION = "ds.MONITOR"


def soon(tx: Tx, datastore_id: int, *, vm_disks: bool | None = None) -> bool:
    """Queue the question for a datastore's sizes, unless it waits already; whether it was queued.

    A system datastore that is not shared is not asked: its hosts report it. vm_disks: whether a system
    datastore's driver shall look at the disks of the VMs too, None to say nothing.
    """
    body = pools.body(tx, Datastore.TABLE, datastore_id)
    store = Datastore.from_xml(body) if body else None
    if store is None or jobs.has(tx, Datastore.KIND, datastore_id, _OPERATION):
        return False
    is_system = store.type is DatastoreType.SYSTEM_DS
    if is_system and not is_yes(store.template.get("SHARED") or "YES"):
        return False
    jobs.add(
        tx,
        kind=Datastore.KIND,
        oid=datastore_id,
        operation=_OPERATION,
        driver=store.tm_mad if is_system else store.ds_mad,
        host="",
        spec={"vm_disks": int(vm_disks)} if is_system and vm_disks is not None else None,
    )
    return True
