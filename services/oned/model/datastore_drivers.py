"""What a datastore takes over from the sections of its drivers in oned.conf (DS_MAD_CONF, TM_MAD_CONF).

Source: storage driver pages and oned.conf reference of release 6.0.
"""

from __future__ import annotations

from services.common.template import Template, is_yes
from services.oned.config import OnedConf
from services.oned.errors import RequestError
from services.oned.model.datastore import SYSTEM_ID, Datastore, DatastoreType, parse_type

_TARGETS = ("NONE", "SELF", "SYSTEM")


def settle_new(store: Datastore, conf: OnedConf) -> None:
    """Complete a datastore that is about to be created from its template. Raises RequestError."""
    template = store.template
    template.remove("NAME")
    template.remove("BASE_PATH")
    store.type = parse_type(template.get("TYPE") or "")
    store.ds_mad = template.get("DS_MAD") or ""
    if store.type is DatastoreType.SYSTEM_DS:
        if store.ds_mad:
            raise RequestError("SYSTEM datastores cannot have DS_MAD defined.")
        store.ds_mad = "-"
    elif not store.ds_mad:
        raise RequestError("No DS_MAD in template.")
    _require_attributes(store, conf)
    store.tm_mad = template.get("TM_MAD") or ""
    if not store.tm_mad:
        raise RequestError("No TM_MAD in template.")
    _take_transfer_settings(store, store.tm_mad, conf)
    store.set_disk_type(template.get("DISK_TYPE") or "")
    if not template.get("SAFE_DIRS") and not template.get("RESTRICTED_DIRS"):
        template.set("SAFE_DIRS", "/var/tmp")
        template.set("RESTRICTED_DIRS", "/")


def settle_update(store: Datastore, conf: OnedConf) -> None:
    """Bring a datastore in line with its changed template. Raises RequestError."""
    template = store.template
    wanted = template.get("TYPE")
    if store.oid == SYSTEM_ID:
        store.type = DatastoreType.SYSTEM_DS
    elif wanted:
        store.type = parse_type(wanted)
    template.set("TYPE", store.type.name)
    if disk_type := template.get("DISK_TYPE"):
        store.set_disk_type(disk_type)
    tm_mad = template.get("TM_MAD") or ""
    if tm_mad:
        if store.type is DatastoreType.SYSTEM_DS and tm_mad != store.tm_mad:
            store.forget_size()
        _take_transfer_settings(store, tm_mad, conf)
        store.tm_mad = tm_mad
    else:
        template.set("TM_MAD", store.tm_mad)
    _take_ds_mad(store)
    _require_attributes(store, conf)


def _take_ds_mad(store: Datastore) -> None:
    wanted = store.template.get("DS_MAD") or ""
    if store.type is DatastoreType.SYSTEM_DS:
        store.ds_mad = "-"
        store.template.remove("DS_MAD")
    elif not wanted:
        store.template.set("DS_MAD", store.ds_mad)
    elif wanted != store.ds_mad:
        store.ds_mad = wanted
        store.forget_size()


def _require_attributes(store: Datastore, conf: OnedConf) -> None:
    """Raise RequestError unless the datastore's driver is configured and has what it needs."""
    if store.type is DatastoreType.SYSTEM_DS:
        return
    section = conf.driver("DS_MAD_CONF", store.ds_mad)
    if section is None:
        raise RequestError(f'DS_MAD named "{store.ds_mad}" is not defined in oned.conf')
    for name in _words(section.get("REQUIRED_ATTRS", "")):
        if not store.template.get(name):
            raise RequestError(f'Datastore template is missing the "{name}" attribute or it\'s empty.')


def _take_transfer_settings(store: Datastore, tm_mad: str, conf: OnedConf) -> None:
    section = conf.driver("TM_MAD_CONF", tm_mad)
    if section is None:
        raise RequestError(f'TM_MAD named "{tm_mad}" is not defined in oned.conf')
    template = store.template
    if store.type is DatastoreType.SYSTEM_DS:
        if "SHARED" not in section:
            raise _broken(tm_mad, "SHARED")
        template.set("SHARED", "YES" if is_yes(section["SHARED"]) else "NO")
        template.set("DS_MIGRATE", "YES" if is_yes(section.get("DS_MIGRATE", "YES")) else "NO")
        template.remove("LN_TARGET")
        template.remove("CLONE_TARGET")
    else:
        _take_targets(template, section, tm_mad)
        template.remove("SHARED")
    template.set("ALLOW_ORPHANS", section.get("ALLOW_ORPHANS", "NO"))


def _take_targets(template: Template, section: dict[str, str], tm_mad: str) -> None:
    """Where linked and cloned disks go, also for each other system datastore driver that may be used."""
    if section.get("TM_MAD_SYSTEM"):
        template.set("TM_MAD_SYSTEM", section["TM_MAD_SYSTEM"])
        for mode in _words(section["TM_MAD_SYSTEM"]):
            for name in (f"LN_TARGET_{mode}", f"CLONE_TARGET_{mode}"):
                template.set(name, _target(section, name, tm_mad))
            disk_type = section.get(f"DISK_TYPE_{mode}")
            if not disk_type:
                raise _broken(tm_mad, f"DISK_TYPE_{mode}")
            template.set(f"DISK_TYPE_{mode}", disk_type)
    for name in ("LN_TARGET", "CLONE_TARGET"):
        template.set(name, _target(section, name, tm_mad))
    if section.get("DRIVER"):
        template.set("DRIVER", section["DRIVER"])


def _target(section: dict[str, str], name: str, tm_mad: str) -> str:
    target = section.get(name, "").upper()
    if target not in _TARGETS:
        raise _broken(tm_mad, name)
    return target


def _words(text: str) -> list[str]:
    return [word.strip().upper() for word in text.split(",") if word.strip()]


def _broken(tm_mad: str, name: str) -> RequestError:
    return RequestError(
        f"Attribute {name} in TM_MAD_CONF for {tm_mad} is missing or has wrong value in oned.conf"
    )
