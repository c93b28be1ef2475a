"""Quota documents, which OpenNebula keeps apart from users and groups, and the default ones."""

from __future__ import annotations

from services.oned.store.db import Tx

# kind: (table, its key, name of the default quotas, pool table)
_TABLES = {
    "USER": ("user_quotas", "user_oid", "DEFAULT_USER_QUOTAS", "user_pool"),
    "GROUP": ("group_quotas", "group_oid", "DEFAULT_GROUP_QUOTAS", "group_pool"),
}
EMPTY = (
    "<DATASTORE_QUOTA></DATASTORE_QUOTA><NETWORK_QUOTA></NETWORK_QUOTA>"
    "<VM_QUOTA></VM_QUOTA><IMAGE_QUOTA></IMAGE_QUOTA>"
)


def empty_document(oid: int) -> str:
    """The quota document of a user or group without quotas."""
    return f"<QUOTAS><ID>{oid}</ID>{EMPTY}</QUOTAS>"


def default_name(kind: str) -> str:
    """Root element and row name of the default quotas of USER or GROUP."""
    return _TABLES[kind][2]


def insert(tx: Tx, kind: str, oid: int) -> None:
    """Give a new user or group its quota row, without quotas."""
    table, key, _, _ = _TABLES[kind]
    tx.run(f"INSERT INTO {table} ({key}, body) VALUES (?, ?)", oid, empty_document(oid))


def delete(tx: Tx, kind: str, oid: int) -> None:
    """Remove the quota row of a deleted user or group."""
    table, key, _, _ = _TABLES[kind]
    tx.run(f"DELETE FROM {table} WHERE {key} = ?", oid)


def defaults(tx: Tx, kind: str) -> str:
    """The default quotas' document."""
    name = _TABLES[kind][2]
    row = tx.one("SELECT body FROM system_attributes WHERE name = ?", name)
    return str(row[0]) if row else f"<{name}>{EMPTY}</{name}>"


def own_and_defaults(tx: Tx, kind: str, oid: int) -> tuple[str, str]:
    """The inside of the quota document of a user or group, and the default quotas' document."""
    table, key, name, _ = _TABLES[kind]
    row = tx.one(
        f"SELECT (SELECT body FROM {table} WHERE {key} = ?), "
        "(SELECT body FROM system_attributes WHERE name = ?)",
        oid,
        name,
    )
    own, standard = row or (None, None)
    return _inside(own), standard or f"<{name}>{EMPTY}</{name}>"


def pool_column(tx: Tx, kind: str) -> str:
    """The SQL expression, in a query of the pool table, for a document followed by its quota document."""
    table, key, _, pool = _TABLES[kind]
    # "oid" alone would be the quota row's own number in SQLite.
    own = f"(SELECT q.body FROM {table} q WHERE q.{key} = {pool}.oid)"
    if tx.dialect == "mysql":
        return f"CONCAT(body, COALESCE({own}, CONCAT('<QUOTAS><ID>', oid, '</ID>{EMPTY}</QUOTAS>')))"
    return f"body || COALESCE({own}, '<QUOTAS><ID>' || oid || '</ID>{EMPTY}</QUOTAS>')"


def _inside(document: str | None) -> str:
    if not document:
        return EMPTY
    start = document.find("</ID>")
    return document[start + 5 : document.rindex("</QUOTAS>")]
