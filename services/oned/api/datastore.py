"""Datastore methods."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.cluster import chosen
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth import encrypted
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, RequestError
from services.oned.lifecycle import datastore_monitor
from services.oned.model import datastore_drivers
from services.oned.model.cluster import Cluster
from services.oned.model.datastore import Datastore, DatastoreState, DatastoreType
from services.oned.model.image import Image
from services.oned.store import jobs


@method("one.datastore.allocate", "template:s cluster_id:i")
def allocate(call: Call, text: str, cluster_id: int) -> int:
    """Create a datastore in a cluster (-1: the default one); its driver is asked for its size at once."""
    template = Template.parse(text)
    cluster = chosen(call, cluster_id)
    call.authorize_create(Datastore)
    call.authorize(Cluster, Right.ADMIN, cluster.oid)
    name = template.get("NAME") or ""
    common.require_free_name(call, Datastore, name)
    store = Datastore(-1, name)
    common.own(call, store)
    store.permissions.bits[3] = 1  # members of the group may always use a new datastore
    store.template = template
    datastore_drivers.settle_new(store, call.conf)
    encrypted.encrypt(call.conf, Datastore.KIND, store.template)
    store.clusters = [cluster.oid]
    store.base_path = call.conf.datastore_location
    store.insert(call.tx)
    cluster.add_datastore(call.tx, store.oid)
    cluster.save(call.tx)
    datastore_monitor.soon(call.tx, store.oid)
    return store.oid


@method("one.datastore.delete", "datastore_id:i", Check(Datastore, Right.ADMIN, "datastore_id"))
def delete(call: Call, datastore_id: int) -> int:
    """Delete an empty datastore, also one that a fresh zone has."""
    store = call.load(Datastore, datastore_id)
    if store.images:
        raise ActionError(f"Cannot delete datastore. Datastore {datastore_id} is not empty.", datastore_id)
    store.delete(call.tx)
    jobs.cancel(call.tx, Datastore.KIND, datastore_id)
    for cluster_id in store.clusters:
        cluster = Cluster.find(call.tx, cluster_id)
        if cluster is not None:
            cluster.remove_datastore(call.tx, datastore_id)
            cluster.save(call.tx)
    common.forget(call, store)
    return datastore_id


@method(
    "one.datastore.info",
    "datastore_id:i decrypt:b=0",
    Check(Datastore, Right.USE, "datastore_id"),
    writes=False,
)
def info(call: Call, datastore_id: int, decrypt: bool) -> str:
    """The datastore's document."""
    return common.info(call, Datastore, datastore_id, decrypt)


@method("one.datastorepool.info", "", writes=False)
def pool_info(call: Call) -> PoolDocument:
    """The datastores that the caller may use."""
    return common.pool_info(call, Datastore)


@method(
    "one.datastore.update",
    "datastore_id:i template:s update_type:i=0",
    Check(Datastore, Right.MANAGE, "datastore_id"),
)
def update(call: Call, datastore_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) a datastore's attributes; its drivers' settings are taken over again."""
    return common.update_template(
        call,
        Datastore,
        datastore_id,
        text,
        update_type,
        lambda store: datastore_drivers.settle_update(store, call.conf),
    )


@method("one.datastore.rename", "datastore_id:i name:s")
def rename(call: Call, datastore_id: int, name: str) -> int:
    """Rename a datastore; its images repeat the name."""

    def tell_images(store: Datastore) -> None:
        for image_id in store.images:
            image = Image.find(call.tx, image_id)
            if image is not None:
                image.datastore = store.name
                image.save(call.tx)

    return common.rename(call, Datastore, datastore_id, name, tell_images, right=Right.MANAGE)


@method("one.datastore.chmod", common.CHMOD_PARAMS.format(id="datastore_id"))
def chmod(call: Call, datastore_id: int, *bits: int) -> int:
    """Change permission bits of a datastore; -1 leaves one as it is."""
    return common.chmod(call, Datastore, datastore_id, list(bits))


@method("one.datastore.chown", "datastore_id:i new_uid:i new_gid:i")
def chown(call: Call, datastore_id: int, uid: int, gid: int) -> int:
    """Give a datastore to a user, a group or both; -1 leaves one as it is."""
    return common.chown(call, Datastore, datastore_id, uid, gid)


@method("one.datastore.enable", "datastore_id:i enable:b", Check(Datastore, Right.MANAGE, "datastore_id"))
def enable(call: Call, datastore_id: int, wanted: bool) -> int:
    """Let new VMs use a system datastore, or not."""
    store = call.load(Datastore, datastore_id)
    if store.type is not DatastoreType.SYSTEM_DS:
        raise RequestError(
            f"Only SYSTEM_DS can be disabled or enabled, found {store.type.name}", datastore_id
        )
    store.state = DatastoreState.READY if wanted else DatastoreState.DISABLED
    store.save(call.tx)
    return datastore_id
