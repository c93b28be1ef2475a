"""The tables beside the clusters' documents: which datastores they hold, and their VNC ports."""

from __future__ import annotations

import base64
import zlib

from services.oned.store.db import Tx

# One character for each port number, "1" where it is taken; the form that OpenNebula keeps.
_PORTS = 65536
_FREE_PORTS = base64.b64encode(zlib.compress(b"0" * _PORTS)).decode()


def add_ports(tx: Tx, cluster_id: int) -> None:
    """Give a new cluster its map of VNC ports, all free."""
    tx.run("INSERT INTO cluster_vnc_bitmap (id, map) VALUES (?, ?)", cluster_id, _FREE_PORTS)


def remove_ports(tx: Tx, cluster_id: int) -> None:
    """Remove the map of a deleted cluster."""
    tx.run("DELETE FROM cluster_vnc_bitmap WHERE id = ?", cluster_id)


def add_datastore(tx: Tx, cluster_id: int, datastore_id: int) -> None:
    """Record that a datastore belongs to a cluster, for permission rules that name clusters."""
    tx.run("INSERT INTO cluster_datastore_relation (cid, oid) VALUES (?, ?)", cluster_id, datastore_id)


def remove_datastore(tx: Tx, cluster_id: int, datastore_id: int) -> None:
    """Undo add_datastore()."""
    tx.run("DELETE FROM cluster_datastore_relation WHERE cid = ? AND oid = ?", cluster_id, datastore_id)


def add_network(tx: Tx, cluster_id: int, network_id: int) -> None:
    """Record that a network belongs to a cluster, for permission rules that name clusters."""
    tx.run("INSERT INTO cluster_network_relation (cid, oid) VALUES (?, ?)", cluster_id, network_id)


def remove_network(tx: Tx, cluster_id: int, network_id: int) -> None:
    """Undo add_network()."""
    tx.run("DELETE FROM cluster_network_relation WHERE cid = ? AND oid = ?", cluster_id, network_id)


def of(tx: Tx, kind: str, oid: int) -> list[int]:
    """The clusters that a datastore (kind DATASTORE) or a network (NET) belongs to, ascending."""
    table = {"DATASTORE": "cluster_datastore_relation", "NET": "cluster_network_relation"}[kind]
    return [int(cid) for (cid,) in tx.all(f"SELECT cid FROM {table} WHERE oid = ? ORDER BY cid", oid)]


def networks(tx: Tx) -> list[tuple[int, int]]:
    """Every (cluster, network) that is recorded."""
    return [(int(cid), int(oid)) for cid, oid in tx.all("SELECT cid, oid FROM cluster_network_relation")]


# -- VNC ports ---------------------------------------------------------------------------------------------
def locked_ports(tx: Tx, cluster_id: int) -> int | None:
    """The ports taken in a cluster, bit N for port N, the row locked until the commit; None without a map."""
    row = tx.one(f"SELECT map FROM cluster_vnc_bitmap WHERE id = ?{tx.for_update()}", cluster_id)
    return _bits(row[0]) if row else None


def save_ports(tx: Tx, cluster_id: int, taken: int) -> None:
    """Store the ports taken in a cluster, whose row is locked."""
    text = format(taken, f"0{_PORTS}b")
    packed = base64.b64encode(zlib.compress(text.encode())).decode()
    tx.run("UPDATE cluster_vnc_bitmap SET map = ? WHERE id = ?", packed, cluster_id)


def all_ports(tx: Tx) -> dict[int, int]:
    """The ports taken in every cluster, bit N for port N."""
    return {int(cluster): _bits(text) for cluster, text in tx.all("SELECT id, map FROM cluster_vnc_bitmap")}


def _bits(packed: str | bytes) -> int:
    # The highest port comes first in the text.
    return int(zlib.decompress(base64.b64decode(packed)), 2)
