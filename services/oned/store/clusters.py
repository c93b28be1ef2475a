"""The tables beside the clusters' documents: which datastores they hold, and their VNC ports."""

from __future__ import annotations

import base64
import zlib

from services.oned.store.db import Tx

# One character for each port number, "1" where it is taken; the form that OpenNebula keeps.
_FREE_PORTS = base64.b64encode(zlib.compress(b"0" * 65536)).decode()


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
