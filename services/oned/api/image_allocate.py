"""one.image.allocate: the size comes from the template, the appliance or the datastore's driver.

Source: image template reference and order of checks of release 6.0.
"""

from __future__ import annotations

from services.common.config import ConfigError
from services.common.template import Template
from services.oned.api.call import Call
from services.oned.auth import outside
from services.oned.auth.rights import Right
from services.oned.config import OnedConf
from services.oned.drivers import ds_plan
from services.oned.drivers.ask import Answer, ask
from services.oned.drivers.step import PlanError
from services.oned.drivers.table import Drivers
from services.oned.errors import AllocateError, AuthorizationError, RequestError
from services.oned.lifecycle import image_create
from services.oned.lifecycle.numbers import whole
from services.oned.model import quota, restricted
from services.oned.model.datastore import Datastore, DatastoreType
from services.oned.model.image import Image, ImageType, type_of
from services.oned.model.marketplace import Marketplace
from services.oned.model.marketplaceapp import MarketplaceApp

_NO_SIZE = "Cannot parse image SIZE: "


def allocate_image(call: Call, text: str, datastore_id: int, check_capacity: bool) -> int:
    """Create an image of a template; its id. Checks all rights itself.

    check_capacity: whether the datastore must have room; only an administrator's False counts.
    """
    template = Template.parse(text)
    template.keep_last()
    store = call.load(Datastore, datastore_id)
    if store.type is DatastoreType.SYSTEM_DS:
        raise AllocateError(
            "Error allocating a new image. New images cannot be allocated in a system datastore."
        )
    app_id = whole(template.get("FROM_APP"))
    spec: dict[str, int] = {}
    if app_id is not None:
        app = _app(call, app_id)
        _take_app(template, app, store)
        spec, size_mb = {"market_id": app.market_id}, app.size_mb
    else:
        size_mb = _size_mb(call, template, store)
    if check_capacity or not call.caller.is_admin:
        image_create.require_space(call.conf, store, size_mb)
    template.set("SIZE", str(size_mb))
    _authorize(call, template, datastore_id)
    quota.change(call.tx, call.caller.uid, call.caller.gid, image_create.space(datastore_id, size_mb))
    is_persistent = image_create.settle_persistent(call, template, is_new=True)
    if not is_persistent and image_create.is_persistent_only(call.conf, store):
        raise AllocateError("Error allocating a new image. This Datastore only accepts persistent images.")
    return image_create.create(call, template, store, spec=dict(spec)).oid


def _authorize(call: Call, template: Template, datastore_id: int) -> None:
    """Raise AuthorizationError unless the caller may make this image there."""
    if not call.caller.is_admin:
        name = restricted.first_set(template, restricted.names(call.conf.settings, "IMAGE_RESTRICTED_ATTR"))
        if name:
            raise AuthorizationError(f"Template includes a restricted attribute {name}")
    call.authorize_create(Image)
    call.authorize(Datastore, Right.USE, datastore_id)


# -- size --------------------------------------------------------------------------------------------------
def _app(call: Call, app_id: int) -> MarketplaceApp:
    app = MarketplaceApp.find(call.tx, app_id)
    if app is None:
        raise RequestError("Cannot determine image SIZE.")
    if Marketplace.find(call.tx, app.market_id) is None:
        raise RequestError("Could not get the appliance's market.")
    return app


def _take_app(template: Template, app: MarketplaceApp, store: Datastore) -> None:
    """What an image takes from the appliance that it is made of."""
    template.set("FROM_APP_NAME", app.name)
    template.set("PATH", app.source)
    template.set("FORMAT", app.format)
    template.set("FROM_APP_MD5", app.md5)
    if store.template.get("DRIVER"):
        template.remove("DRIVER")


def _size_mb(call: Call, template: Template, store: Datastore) -> int:
    """SIZE where nothing is copied, else what the datastore's driver says of PATH. Raises RequestError."""
    word = template.get("TYPE") or ""
    kind = type_of(word, image_create.default_type(call.conf))
    path = template.get("PATH") or ""
    may_be_empty = kind in (ImageType.OS, ImageType.DATABLOCK)
    has_source = bool(template.get("SOURCE")) and kind is not ImageType.DATABLOCK
    if has_source or (may_be_empty and not path):
        size = whole(template.get("SIZE"))
        if size is None or size < 0:
            raise RequestError(f"{_NO_SIZE}Wrong number or missing SIZE attribute.")
        return size
    if not path:
        raise RequestError(f"{_NO_SIZE}Either PATH or SOURCE are required for {word or kind.name}")
    return _asked_size_mb(call, store, path)


def _asked_size_mb(call: Call, store: Datastore, path: str) -> int:
    """What the driver answers; the call starts anew once it has. Raises RequestError."""
    answer = outside.value(
        ("datastore/stat", store.oid, store.ds_mad, path), lambda _: _stat(call.conf, store, path)
    )
    words = answer.text.split()
    size = whole(words[0]) if answer.ok and words else None
    if size is None or size < 0:
        raise RequestError(_NO_SIZE + (answer.text or "Cannot get size from STAT"))
    return size


def _stat(conf: OnedConf, store: Datastore, path: str) -> Answer:
    try:
        return ask(ds_plan.stat(Drivers(conf), store, path))
    except (PlanError, ConfigError) as error:
        return Answer(False, str(error))
