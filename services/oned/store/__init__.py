"""The only package that knows SQL: connections, transactions, tables, rows."""

from services.oned.store.db import DatabaseError, Store, Tx

__all__ = ["DatabaseError", "Store", "Tx"]
