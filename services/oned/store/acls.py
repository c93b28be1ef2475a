"""Rows of the permission rules. A rule is (oid, userset, resource, rights, zone), all numbers."""

from __future__ import annotations

from collections.abc import Iterable

from services.oned.store import pools
from services.oned.store.db import Tx

TABLE = "acl"
Row = tuple[int, int, int, int, int]
_COLUMNS = "oid, userset, resource, rights, zone"


def all_rows(tx: Tx) -> list[Row]:
    """Every rule, by subject and then by id, the order in which OpenNebula lists them."""
    return [_row(r) for r in tx.all(f"SELECT {_COLUMNS} FROM acl ORDER BY userset, oid")]


def of_subjects(tx: Tx, subjects: Iterable[int]) -> list[Row]:
    """The rules whose USER is one of some values (the index serves this), by subject and id."""
    listed = ",".join(str(int(subject)) for subject in subjects)
    rows = tx.all(f"SELECT {_COLUMNS} FROM acl WHERE userset IN ({listed}) ORDER BY userset, oid")
    return [_row(r) for r in rows]


def next_oid(tx: Tx) -> int:
    """The next rule's id; its counter stays locked, so that no other call adds a rule before the commit."""
    return pools.next_oid(tx, TABLE)


def find(tx: Tx, userset: int, resource: int, rights: int, zone: int) -> int | None:
    """The id of the rule with exactly these values, or None."""
    row = tx.one(
        "SELECT oid FROM acl WHERE userset = ? AND resource = ? AND rights = ? AND zone = ?",
        userset,
        resource,
        rights,
        zone,
    )
    return int(row[0]) if row else None


def insert(tx: Tx, row: Row) -> None:
    """Add a rule."""
    tx.run(f"INSERT INTO acl ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)", *row)


def delete(tx: Tx, oid: int) -> int:
    """Remove the rule of that id; how many there were."""
    return tx.run("DELETE FROM acl WHERE oid = ?", oid)


def delete_of_subject(tx: Tx, userset: int) -> int:
    """Remove the rules of one subject; how many."""
    return tx.run("DELETE FROM acl WHERE userset = ?", userset)


def delete_on_resource(tx: Tx, mask: int, value: int) -> int:
    """Remove the rules whose RESOURCE has ``value`` in the bits of ``mask``; how many."""
    return tx.run("DELETE FROM acl WHERE (resource & ?) = ?", mask, value)


def delete_of_zone(tx: Tx, zone: int) -> int:
    """Remove the rules whose ZONE is that value; how many."""
    return tx.run("DELETE FROM acl WHERE zone = ?", zone)


def _row(row: tuple[object, ...]) -> Row:
    oid, userset, resource, rights, zone = (int(str(value)) for value in row)
    return oid, userset, resource, rights, zone
