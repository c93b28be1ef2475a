"""Names that must differ where the tables themselves do not see to it (two objects of one owner)."""

from __future__ import annotations

from services.oned.store import pools
from services.oned.store.db import Tx


def taken_by(tx: Tx, table: str, name: str, uid: int | None = None) -> int | None:
    """The id of the object of that name (and owner, when given), or None.

    Until this transaction ends, no other one creates or renames an object of the pool: without that, two of
    them could find the same name free. The pool's counter row serves as the lock.
    """
    tx.one(f"SELECT last_oid FROM pool_control WHERE tablename = ?{tx.for_update()}", table)
    return pools.find(tx, table, name, uid)
