"""The counters that new ids come from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from services.oned.fsck.documents import LOCAL, SHARED
from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.store import acls, consistency

_SHARED_TABLES = (acls.TABLE, *(model.TABLE for model in SHARED))


def check_shared(zone: Zone) -> Iterator[Finding]:
    """No object that a federation shares has an id that its pool will give again."""
    yield from _check(zone, _SHARED_TABLES)


def check_local(zone: Zone) -> Iterator[Finding]:
    """No other object has an id that its pool will give again."""
    yield from _check(zone, tuple(model.TABLE for model in LOCAL))


def _check(zone: Zone, tables: tuple[str, ...]) -> Iterator[Finding]:
    for table in tables:
        newest, last = consistency.newest_oid(zone.tx, table), consistency.last_given(zone.tx, table)
        if newest > (-1 if last is None else last):
            stands = "there is no counter" if last is None else f"the counter stands at {last}"
            fix = partial(consistency.set_last_given, table=table, oid=newest)
            yield Finding(f"{table}: the newest id is {newest}, {stands}", fix)
