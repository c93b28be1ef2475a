"""Which version the tables have: OpenNebula's shared and local ones, and ours (``onebox_``)."""

from __future__ import annotations

from dataclasses import dataclass

from services.oned.store import pools, schema
from services.oned.store.db import DatabaseError, Tx
from services.oned.version import OWN_SCHEMA_VERSION, SCHEMA_VERSION

_SHARED, _LOCAL, _OWN = "db_versioning", "local_db_versioning", "onebox_versioning"


@dataclass(frozen=True, slots=True)
class Record:
    """One step that a database has taken; ``time_s`` is epoch seconds."""

    version: str
    time_s: int
    comment: str


@dataclass(frozen=True, slots=True)
class Versions:
    """The newest steps. ``own`` is 0 for a database that never was Onebox's."""

    shared: Record
    local: Record
    is_slave: bool
    own: int

    @property
    def is_older(self) -> bool:
        """Whether an upgrade is needed. Our tables are made where there are none: that is no upgrade."""
        return min(_numbers(self.shared), _numbers(self.local)) < _parsed(SCHEMA_VERSION) or (
            0 < self.own < OWN_SCHEMA_VERSION
        )

    @property
    def is_newer(self) -> bool:
        """Whether this release is too old for the database."""
        newest = max(_numbers(self.shared), _numbers(self.local))
        return newest > _parsed(SCHEMA_VERSION) or self.own > OWN_SCHEMA_VERSION


def read(tx: Tx) -> Versions | None:
    """The versions, or None for a database that nobody has filled."""
    if not schema.exists(tx, _SHARED):
        return None
    shared = history(tx, _SHARED)
    if not shared:
        return None
    # Before release 3.8 there was one table for both.
    local = history(tx, _LOCAL) if schema.exists(tx, _LOCAL) else []
    slave = tx.one(f"SELECT is_slave FROM {_LOCAL} ORDER BY oid DESC LIMIT 1") if local else None
    return Versions(shared[-1], (local or shared)[-1], bool(slave and slave[0]), _own(tx))


def history(tx: Tx, table: str = _SHARED) -> list[Record]:
    """Every step that the shared (or another table's) part has taken, oldest first."""
    rows = tx.all(f"SELECT version, timestamp, comment FROM {table} ORDER BY oid")
    return [Record(str(version), int(time_s or 0), comment or "") for version, time_s, comment in rows]


def require_known(tx: Tx) -> None:
    """Raise DatabaseError when the tables are of another release; nothing for an empty database."""
    found = read(tx)
    if found is None or not (found.is_older or found.is_newer):
        return
    advice = "a newer release made it" if found.is_newer else "onedb upgrade brings it up to date"
    own = f" ({found.own} of Onebox's own tables, expected {OWN_SCHEMA_VERSION})" if found.own else ""
    raise DatabaseError(
        f"the database has version {found.shared.version} (shared tables) and {found.local.version} (local "
        f"tables), expected {SCHEMA_VERSION} of both{own}: {advice}"
    )


def add_shared(tx: Tx, record: Record) -> None:
    """Record a step of the shared tables."""
    pools.insert(tx, _SHARED, {"oid": _next(tx, _SHARED), **_columns(record)})


def add_local(tx: Tx, record: Record, is_slave: bool) -> None:
    """Record a step of the local tables."""
    row = {"oid": _next(tx, _LOCAL), **_columns(record), "is_slave": int(is_slave)}
    pools.insert(tx, _LOCAL, row)


def add_own(tx: Tx, number: int, time_s: int, comment: str) -> None:
    """Record a step of our tables."""
    values = {"oid": number, "version": number, "timestamp": time_s, "comment": comment}
    pools.insert(tx, _OWN, values)


def mark_own(tx: Tx, time_s: int) -> None:
    """Record that our tables, which were just made, are of this release; nothing where that is recorded."""
    ignore = "INSERT IGNORE" if tx.dialect == "mysql" else "INSERT OR IGNORE"
    if not _own(tx):
        tx.run(
            f"{ignore} INTO {_OWN} (oid, version, timestamp, comment) VALUES (?, ?, ?, ?)",
            OWN_SCHEMA_VERSION,
            OWN_SCHEMA_VERSION,
            time_s,
            "made",
        )


def _own(tx: Tx) -> int:
    if not schema.exists(tx, _OWN):
        return 0
    row = tx.one(f"SELECT MAX(version) FROM {_OWN}")
    return int(row[0]) if row and row[0] is not None else 0


def _next(tx: Tx, table: str) -> int:
    row = tx.one(f"SELECT MAX(oid) FROM {table}")
    return 0 if row is None or row[0] is None else int(row[0]) + 1


def _columns(record: Record) -> dict[str, object]:
    return {"version": record.version, "timestamp": record.time_s, "comment": record.comment}


def _numbers(record: Record) -> tuple[int, ...]:
    return _parsed(record.version)


def _parsed(version: str) -> tuple[int, ...]:
    """A version as numbers that compare: 5.12.0 is newer than 5.8.0."""
    numbers = [int(part) if part.isdecimal() else 0 for part in version.split(".")]
    return tuple([*numbers, 0, 0, 0][: max(3, len(numbers))])
