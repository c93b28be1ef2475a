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


def locked(tx: Tx, kind: str, oid: int) -> str | None:
    """The quota document of a user or group, its row locked until the commit; None when that is gone."""
    table, key, _, pool = _TABLES[kind]
    row = tx.one(f"SELECT body FROM {table} WHERE {key} = ?{tx.for_update()}", oid)
    if row is not None:
        return str(row[0])
    # Databases that come from elsewhere may lack the row.
    if tx.one(f"SELECT 1 FROM {pool} WHERE oid = ?", oid) is None:
        return None
    insert(tx, kind, oid)
    return empty_document(oid)


def save(tx: Tx, kind: str, oid: int, inner: str) -> None:
    """Store the quota document of a user or group, whose row is locked; inner: its elements after ID."""
    table, key, _, _ = _TABLES[kind]
    tx.run(f"UPDATE {table} SET body = ? WHERE {key} = ?", f"<QUOTAS><ID>{oid}</ID>{inner}</QUOTAS>", oid)


def image_owner(tx: Tx, image_id: int) -> tuple[int, int] | None:
    """User and group of an image, or None when it is gone; its row is not locked."""
    row = tx.one("SELECT uid, gid FROM image_pool WHERE oid = ?", image_id)
    return (int(row[0]), int(row[1])) if row else None


def documents(tx: Tx, kind: str) -> list[tuple[int, str]]:
    """(id, document) of every user's or group's quotas, by id."""
    table, key, _, _ = _TABLES[kind]
    return [(int(oid), str(body)) for oid, body in tx.all(f"SELECT {key}, body FROM {table} ORDER BY {key}")]


def locked_defaults(tx: Tx, kind: str) -> str:
    """The default quotas' document, its row locked until the commit."""
    name = _TABLES[kind][2]
    row = tx.one(f"SELECT body FROM system_attributes WHERE name = ?{tx.for_update()}", name)
    if row is not None:
        return str(row[0])
    tx.run("INSERT INTO system_attributes (name, body) VALUES (?, ?)", name, f"<{name}>{EMPTY}</{name}>")
    return f"<{name}>{EMPTY}</{name}>"


def save_defaults(tx: Tx, kind: str, inner: str) -> str:
    """Store the default quotas, whose row is locked; the document. inner: its four elements."""
    name = _TABLES[kind][2]
    document = f"<{name}>{inner}</{name}>"
    tx.run("UPDATE system_attributes SET body = ? WHERE name = ?", document, name)
    return document


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
