"""Machines that were there before the front-end: which VM stands for which hypervisor name."""

from __future__ import annotations

from services.oned.store.db import Tx


def add(tx: Tx, deploy_id: str, vm_id: int) -> bool:
    """Record that a VM stands for a machine; False when another one does."""
    ignore = "INSERT IGNORE" if tx.dialect == "mysql" else "INSERT OR IGNORE"
    return bool(tx.run(f"{ignore} INTO vm_import (deploy_id, vmid) VALUES (?, ?)", deploy_id, vm_id))


def remove(tx: Tx, deploy_id: str) -> None:
    """Forget a machine, so that it can be imported again."""
    tx.run("DELETE FROM vm_import WHERE deploy_id = ?", deploy_id)
