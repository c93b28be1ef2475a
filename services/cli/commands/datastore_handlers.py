"""What onedatastore does beyond a single call."""

from __future__ import annotations

from typing import Any

from services.cli import handlers


def create(inv: Any) -> int:
    """Add a datastore; prints its id."""
    cluster = -1 if inv.opts.cluster is None else inv.opts.cluster
    return handlers.create_from_file(inv, "datastore.allocate", cluster)
