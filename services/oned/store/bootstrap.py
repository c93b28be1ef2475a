"""Rows of a fresh database that belong to no object: versions, counters, bitmaps, the log's first record."""

from __future__ import annotations

import base64
import zlib

from services.oned.store import pools
from services.oned.store.db import Tx
from services.oned.version import COMPATIBLE_RELEASE, SCHEMA_VERSION

_COMMENT = f"OpenNebula {COMPATIBLE_RELEASE} (Onebox) daemon bootstrap"
_NOT_FEDERATED = 2**64 - 1
_VLAN_IDS = 4096
_RAFT_STATE = "<TEMPLATE><TERM><![CDATA[0]]></TERM><VOTEDFOR><![CDATA[-1]]></VOTEDFOR></TEMPLATE>"


def versions(tx: Tx) -> tuple[str, str] | None:
    """The versions of the shared and the local tables, or None when the database is new."""
    found = [
        tx.one(f"SELECT version FROM {table} ORDER BY oid DESC LIMIT 1")
        for table in ("db_versioning", "local_db_versioning")
    ]
    if found[0] is None and found[1] is None:
        return None
    shared, local = (str(row[0]) if row else "none" for row in found)
    return shared, local


def insert_versions(tx: Tx, now: int) -> None:
    """Mark the database as made. The first statement of a fresh zone: of two makers, one fails here."""
    version = {"oid": 0, "version": SCHEMA_VERSION, "timestamp": now, "comment": _COMMENT}
    pools.insert(tx, "db_versioning", version)
    pools.insert(tx, "local_db_versioning", {**version, "is_slave": 0})


def insert_counter(tx: Tx, table: str, last_oid: int) -> None:
    """Set the last id that a pool has given out."""
    tx.run("INSERT INTO pool_control (tablename, last_oid) VALUES (?, ?)", table, last_oid)


def insert_attribute(tx: Tx, name: str, body: str) -> None:
    """Store a document of the system (default quotas)."""
    tx.run("INSERT INTO system_attributes (name, body) VALUES (?, ?)", name, body)


def insert_rest(tx: Tx, now: int) -> None:
    """The map of VLAN ids, all free, and the log, empty but for the record that opens it."""
    tx.run("INSERT INTO network_vlan_bitmap (id, map) VALUES (0, ?)", _packed("0" * _VLAN_IDS))
    insert_attribute(tx, "RAFT_STATE", _RAFT_STATE)
    # SQLite has no unsigned 64-bit numbers: OpenNebula's own value becomes a floating-point one there, too.
    fed_index = float(_NOT_FEDERATED) if tx.dialect == "sqlite" else _NOT_FEDERATED
    pools.insert(
        tx,
        "logdb",
        {
            "log_index": 0,
            "term": 0,
            "sqlcmd": _packed(str(now)),
            "timestamp": now,
            "fed_index": fed_index,
            "applied": 1,
        },
    )


def _packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()
