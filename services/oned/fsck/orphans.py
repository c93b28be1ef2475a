"""Rows that belong to an object which does not exist (any more)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.store import consistency

_WORDS = {
    "history": "virtual machine",
    "vm_import": "virtual machine",
    "user_quotas": "user",
    "group_quotas": "group",
    "hook_log": "hook",
    "cluster_vnc_bitmap": "cluster",
}


def check(zone: Zone) -> Iterator[Finding]:
    """Tables beside the pools. Monitoring samples are left out: they expire by themselves."""
    for table, word in _WORDS.items():
        for oid in consistency.orphans(zone.tx, table):
            text = f"{table}: has rows of {word} {oid}, which does not exist"
            yield Finding(text, partial(consistency.remove_orphan, table=table, oid=oid))
