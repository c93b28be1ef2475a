"""Objects whose state says that they wait for driver work, and that nobody works for.

An object and its work change in the same transactions, so at no moment may there be such a thing; a database
that comes from elsewhere can hold some.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.oned.store.db import Tx

_NO_WORK = "NOT EXISTS (SELECT 1 FROM onebox_job j WHERE j.kind = ? AND j.oid = o.oid AND j.state <> 3)"
_ACTIVE, _CLONING = 3, 10


def vms(tx: Tx, resting: Iterable[int]) -> list[int]:
    """VMs that are ACTIVE in none of the ``resting`` LCM states, or in CLONING, without work of their own."""
    states = ", ".join(str(int(state)) for state in sorted(resting))
    rows = tx.all(
        f"SELECT o.oid FROM vm_pool o WHERE ((o.state = {_ACTIVE} AND o.lcm_state NOT IN ({states})) "
        f"OR o.state = {_CLONING}) AND {_NO_WORK} ORDER BY o.oid",
        "VM",
    )
    return [int(row[0]) for row in rows]


def in_states(tx: Tx, table: str, kind: str, states: Iterable[int]) -> list[int]:
    """Objects of a pool whose documents have one of the states, without work."""
    either = " OR ".join(f"o.body LIKE '%<STATE>{int(state)}</STATE>%'" for state in states)
    rows = tx.all(f"SELECT o.oid FROM {table} o WHERE ({either}) AND {_NO_WORK} ORDER BY o.oid", kind)
    return [int(row[0]) for row in rows]
