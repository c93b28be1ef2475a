"""The way from an older release's tables to this one's: which steps, taking them, looking at what came out.

Each step is recorded in the transaction that makes it.
"""

from __future__ import annotations

import time
from functools import partial

from services.oned.fsck import documents
from services.oned.fsck.zone import Zone
from services.oned.onedb import migrations, own_steps
from services.oned.onedb.errors import OnedbError
from services.oned.onedb.migrations import Step
from services.oned.store import Store, Tx, schema, versions
from services.oned.store.versions import Record, Versions
from services.oned.version import OWN_SCHEMA_VERSION, SCHEMA_VERSION

Plan = tuple[list[Step], list[Step]]  # of the shared tables, of the local ones


def plan(found: Versions) -> Plan:
    """The steps that are left to take. Raises OnedbError when there is no way."""
    if found.is_newer:
        raise OnedbError(
            f"the database is of version {found.shared.version} (shared), {found.local.version} (local) and "
            f"{found.own} (Onebox's own), newer than this release: {SCHEMA_VERSION}, {SCHEMA_VERSION} and "
            f"{OWN_SCHEMA_VERSION}. Nothing was changed."
        )
    # A slave's shared tables are the master's business.
    shared = (
        [] if found.is_slave else migrations.path(migrations.SHARED, found.shared.version, SCHEMA_VERSION)
    )
    local = migrations.path(migrations.LOCAL, found.local.version, SCHEMA_VERSION)
    if shared is None or local is None:
        raise OnedbError(
            f"databases of version {found.shared.version} (shared) and {found.local.version} (local) cannot "
            f"be upgraded by this release; supported are {', '.join(migrations.origins())}. Older ones are "
            "brought to one of these with OpenNebula's own onedb first. Nothing was changed."
        )
    return shared, local


# -- steps -------------------------------------------------------------------------------------------------
def run(store: Store, found: Versions, steps: Plan, *, verbose: bool) -> None:
    """Take the steps; those that were taken already are not in the plan. Raises what they raise."""
    for name, wanted, is_shared in (("shared", steps[0], True), ("local", steps[1], False)):
        if wanted:
            print(f"\n>>> Running migrators for {name} tables")
        for step in wanted:
            _take(store, step, is_shared=is_shared, is_slave=found.is_slave)
            if verbose:
                print(f"  > {step.origin} to {step.target}: done")
    store.run(schema.create)
    for number in range(max(found.own, 1), OWN_SCHEMA_VERSION):
        store.run(partial(_take_own, number=number))
    store.run(lambda tx: versions.mark_own(tx, int(time.time())))


def _take(store: Store, step: Step, *, is_shared: bool, is_slave: bool) -> None:
    for alter in step.alter:
        store.run(alter)
    comment = (
        f"Database migrated from {step.origin} to {step.target} (OpenNebula {step.target}) by onedb command."
    )

    def rewrite(tx: Tx) -> None:
        for part in step.rewrite:
            part(tx)
        record = Record(step.target, int(time.time()), comment)
        if is_shared:
            versions.add_shared(tx, record)
        else:
            versions.add_local(tx, record, is_slave)

    store.run(rewrite)
    print(comment)


def _take_own(tx: Tx, number: int) -> None:
    own_steps.STEPS[number - 1](tx)
    versions.add_own(tx, number + 1, int(time.time()), f"migrated from {number}")


# -- afterwards --------------------------------------------------------------------------------------------
def verify(store: Store) -> None:
    """Raise OnedbError unless the tables are this release's and every document can be read."""
    with store.snapshot() as tx:
        found = versions.read(tx)
        wrong = schema.problems(tx)
        unreadable = [str(finding) for finding in documents.unreadable(Zone(tx))]
    if found is None or found.is_older or found.is_newer:
        wrong.append("the versions are not those of this release")
    if wrong or unreadable:
        raise OnedbError("; ".join([*wrong, *unreadable][:10]))
