"""Making images: what a template means, the checks, and the driver work that fills the image.

Source: image template reference of release 6.0; documents of real databases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.common.template import Template
from services.oned.config import OnedConf
from services.oned.errors import ActionError, AllocateError, RequestError
from services.oned.lifecycle import image_copies, image_fire, image_use
from services.oned.lifecycle.numbers import is_yes, whole
from services.oned.model import quota
from services.oned.model.base import Permissions, check_name
from services.oned.model.datastore import Datastore, DatastoreType
from services.oned.model.group import Group
from services.oned.model.image import Image, ImageState, ImageType, type_of
from services.oned.model.user import User
from services.oned.store import Tx, jobs, names, pools

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call


def default_type(conf: OnedConf) -> str:
    """The type of an image whose template says none."""
    word = (conf.settings.get("DEFAULT_IMAGE_TYPE") or "OS").upper()
    return word if word in ("OS", "CDROM", "DATABLOCK") else "OS"


def space(datastore_id: int, size_mb: int, images: int = 1) -> quota.Usage:
    """So many images and MB in a datastore."""
    return quota.Usage(datastore={datastore_id: {"IMAGES": float(images), "SIZE": float(size_mb)}})


def available_mb(conf: OnedConf, store: Datastore) -> int | None:
    """What is free in a datastore within its LIMIT_MB; None when it is not to be checked."""
    free = store.free_mb
    limit = whole(store.template.get("LIMIT_MB"))
    if limit is not None:
        free = min(free, limit - store.used_mb)
    setting = store.template.get("DATASTORE_CAPACITY_CHECK") or conf.settings.get("DATASTORE_CAPACITY_CHECK")
    return max(free, 0) if is_yes(setting or "YES") else None


def require_space(conf: OnedConf, store: Datastore, size_mb: int) -> None:
    """Raise ActionError when a datastore has no room for so many MB."""
    free = available_mb(conf, store)
    if free is not None and size_mb > free:
        raise ActionError(
            f"Not enough space in datastore: {size_mb} MB are needed, datastore {store.oid} has {free} MB."
        )


def is_persistent_only(conf: OnedConf, store: Datastore) -> bool:
    """Whether a datastore's driver cannot copy images."""
    return is_yes((conf.driver("DS_MAD_CONF", store.ds_mad) or {}).get("PERSISTENT_ONLY"))


def settle_persistent(call: Call, template: Template, *, is_new: bool) -> bool:
    """Decide PERSISTENT of a template, by the defaults of caller, group and oned.conf too; what it is.

    is_new: the template was written for the image, so what it says counts; else it is that of a copied image.
    """
    said = template.get("PERSISTENT")
    setting = "DEFAULT_IMAGE_PERSISTENT_NEW" if is_new else "DEFAULT_IMAGE_PERSISTENT"
    default = _own_setting(call, setting)
    wanted = is_yes(said) if not default or (is_new and said is not None) else is_yes(default)
    template.set("PERSISTENT", "YES" if wanted else "NO")
    if not wanted and (template.get("PERSISTENT_TYPE") or "").upper() == "SHAREABLE":
        template.remove("PERSISTENT_TYPE")
    return wanted


def _own_setting(call: Call, name: str) -> str:
    """A setting of oned.conf that a user's or group's OPENNEBULA vector overrides."""
    for model, oid in ((User, call.caller.uid), (Group, call.caller.gid)):
        body = pools.body(call.tx, model.TABLE, oid)
        own = model.from_xml(body).template.get_vector("OPENNEBULA") if body else None
        if own is not None and name in own:
            return own[name]
    return call.conf.settings.get(name) or ""


# -- storing -----------------------------------------------------------------------------------------------
def create(
    call: Call,
    template: Template,
    store: Datastore,
    *,
    cloning_id: int = -1,
    spec: dict[str, Any] | None = None,
) -> Image:
    """Store a new image of the caller and start the driver work that fills it; the image.

    template: complete, with NAME, SIZE and PERSISTENT; rights, space and quotas are the caller's business.
    cloning_id: the image that it is a copy of. spec: for the driver job. Raises AllocateError.
    """
    try:
        image = _new_image(call, template, store, cloning_id)
    except (RequestError, ActionError) as error:
        raise AllocateError(f"Error allocating a new image. {error.message}", error.object_id) from None
    image.state = ImageState.LOCKED
    image.insert(call.tx)
    store.images = sorted({*store.images, image.oid})
    store.save(call.tx)
    if cloning_id != -1:
        image_copies.start(call.tx, cloning_id, image.oid)
        call.forget(Image, cloning_id)
    _fill(call.tx, image, store, spec or {})
    return image


def _new_image(call: Call, template: Template, store: Datastore, cloning_id: int) -> Image:
    """The image of a template, not stored yet. Raises RequestError."""
    name = check_name(template.get("NAME") or "")
    kind = type_of(template.get("TYPE") or "", default_type(call.conf))
    if kind.is_file != (store.type is DatastoreType.FILE_DS):
        raise RequestError(
            f"IMAGES of type KERNEL, RAMDISK and CONTEXT can only be registered in a FILE_DS datastore, and "
            f"others not there: found type {kind.name}, datastore {store.oid} is of type {store.type.name}."
        )
    caller = call.caller
    taken = names.taken_by(call.tx, Image.TABLE, name, caller.uid)
    if taken is not None:
        raise RequestError(f"NAME is already taken by IMAGE {taken}.")
    if cloning_id != -1:
        image_copies.require_copyable(call.tx, cloning_id)
    image = Image(-1, name, caller.uid, caller.gid)
    image.uname, image.gname = caller.name, caller.gname
    image.permissions = new_permissions(call)
    image.datastore_id, image.datastore, image.disk_type = store.oid, store.name, store.disk_type
    image.cloning_id = cloning_id
    image.template = template.copy()
    pools.lose_first_oid_on_refusal(call.tx, Image.TABLE)
    _settle(call.conf, image, store)
    return image


def new_permissions(call: Call) -> Permissions:
    """The bits of an image that the caller creates."""
    base = 0o777 if call.caller.is_admin else (0o666 if call.conf.enable_other_permissions else 0o660)
    return Permissions.from_umask(base, call.caller.umask)


def _taken(template: Template, name: str) -> str:
    """A text that leaves the template for an element of its own."""
    text = template.get(name) or ""
    template.remove(name)
    return text


def _settle(conf: OnedConf, image: Image, store: Datastore) -> None:
    """Move what has elements of its own out of the template, and put the defaults in. Raises RequestError."""
    template = image.template
    template.remove("NAME")
    image.set_type(_taken(template, "TYPE") or default_type(conf))
    persistent = _taken(template, "PERSISTENT")
    if image.type.is_file:
        template.remove("DEV_PREFIX")
    else:
        image.is_persistent = is_yes(persistent)
        if not template.get("DEV_PREFIX"):
            template.set("DEV_PREFIX", image_use.device_prefix(conf, image.type))
    image.size_mb = whole(_taken(template, "SIZE")) or 0
    image.fs = _taken(template, "FS")
    template.remove("DRIVER")
    image.path, image.source = _taken(template, "PATH"), _taken(template, "SOURCE")
    image.format = _taken(template, "FORMAT")
    template.remove("TM_MAD")
    if image.is_saving:
        image.format = "save_as"
    elif image.cloning_id == -1:
        _settle_content(conf, image, store)


def _settle_content(conf: OnedConf, image: Image, store: Datastore) -> None:
    """PATH, SOURCE or an empty disk, whose format may be forced by the datastore. Raises RequestError."""
    is_disk = image.type in (ImageType.OS, ImageType.DATABLOCK)
    if not image.source and not image.path and not is_disk:
        raise RequestError("No PATH nor SOURCE in template.")
    if image.source and image.path:
        raise RequestError("Template malformed, PATH and SOURCE are mutually exclusive.")
    if image.path or not is_disk:
        image.format = ""  # the driver tells it
        return
    forced = image_use.datastore_driver(conf, store)
    if forced:
        image.template.set("DRIVER", forced)
        image.format = forced
    elif not image.format:
        image.format = "raw"


def _fill(tx: Tx, image: Image, store: Datastore, spec: dict[str, Any]) -> None:
    """Start what makes the content of a new image; one whose SOURCE is given is ready at once."""
    if image.cloning_id != -1:
        operation = "ds.CLONE"
    elif image.path:
        operation = "ds.CP"
    elif image.source:
        image_fire.fire(tx, image, "done")
        return
    else:
        operation = "ds.MKFS"
    jobs.add(tx, kind="IMAGE", oid=image.oid, operation=operation, driver=store.ds_mad, host="", spec=spec)
