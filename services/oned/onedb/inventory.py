"""What a database holds, in the words of an operator."""

from __future__ import annotations

from services.common import xmldoc
from services.oned import config
from services.oned.store import Tx, schema, tables

_KINDS = {
    "user_pool": "users",
    "group_pool": "groups",
    "acl": "access rules",
    "cluster_pool": "clusters",
    "host_pool": "hosts",
    "datastore_pool": "datastores",
    "image_pool": "images",
    "network_pool": "networks",
    "template_pool": "VM templates",
    "vm_pool": "virtual machines (those that have ended too)",
    "vrouter_pool": "virtual routers",
    "document_pool": "documents (services, service templates …)",
    "hook_pool": "hooks",
    "history": "history records",
}
# A fresh zone has none of these.
_USED = ("host_pool", "image_pool", "network_pool", "template_pool", "vm_pool", "document_pool", "hook_pool")
_FIRST_USERS = 2
# (table, element of the driver's name, section of oned.conf that names drivers, attribute in it); those that
# monitor hosts are in another file
_DRIVERS = (
    ("host_pool", "VM_MAD", "VM_MAD", "NAME"),
    ("datastore_pool", "TM_MAD", "TM_MAD_CONF", "NAME"),
    ("datastore_pool", "DS_MAD", "DS_MAD_CONF", "NAME"),
    ("network_pool", "VN_MAD", "VN_MAD_CONF", "NAME"),
    ("marketplace_pool", "MARKET_MAD", "MARKET_MAD_CONF", "NAME"),
)
_NO_DRIVER = ("", "-")


def counts(tx: Tx) -> dict[str, int]:
    """How many objects of each kind there are, without the kinds that have none."""
    found = {name: tables.count(tx, table) for table, name in _KINDS.items()}
    return {name: count for name, count in found.items() if count}


def is_in_use(tx: Tx) -> bool:
    """Whether somebody made objects in it: an empty database, or a fresh zone, has none."""
    if not schema.exists(tx, "user_pool"):
        return False
    if tables.count(tx, "user_pool") > _FIRST_USERS:
        return True
    return any(tables.count(tx, table) for table in _USED if schema.exists(tx, table))


def missing_drivers(tx: Tx) -> list[str]:
    """A line for each driver that objects name and oned.conf does not."""
    settings = config.load().settings
    found: dict[str, list[int]] = {}
    for table, element, section, attribute in _DRIVERS:
        known = {vector.get(attribute) for vector in settings.vectors(section)}
        for oid, body in tables.documents(tx, table):
            name = xmldoc.parse(body).findtext(element) or ""
            if name not in known and name not in _NO_DRIVER:
                found.setdefault(f"{element} {name}: {table.removesuffix('_pool')}", []).append(oid)
    return [
        f"{what} {', '.join(map(str, ids[:20]))}{' …' if len(ids) > 20 else ''}"
        for what, ids in found.items()
    ]
