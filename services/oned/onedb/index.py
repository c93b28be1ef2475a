"""``create-index``: the index that full-text searches of virtual machines use."""

from __future__ import annotations

from argparse import Namespace

from services.oned.onedb import version
from services.oned.onedb.errors import OnedbError
from services.oned.onedb.target import Target
from services.oned.store import DatabaseError, tables


def create_index(target: Target, options: Namespace) -> int:
    """Make the index, or with --recreate make it again."""
    if target.is_sqlite:
        raise OnedbError("This operation is not supported for the SQLite backend")
    store = target.store()
    version.read(target, store)
    try:
        store.run(lambda tx: tables.index_search_text(tx, again=options.recreate))
    except DatabaseError as error:
        raise OnedbError(error.message) from None
    return 0
