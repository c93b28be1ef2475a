"""The life-cycle table itself: nothing unreachable, nothing stuck, nothing undefined."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from services.oned.lifecycle.effects import EFFECTS
from services.oned.lifecycle.fire import RESULTS
from services.oned.lifecycle.states import LcmState, VmState
from services.oned.lifecycle.transitions import STABLE, TABLE

CONDITIONS = {row.origin for row in TABLE.values()} | {row.target for row in TABLE.values()} - {"="}
FAILURES = {name for name in CONDITIONS if name.endswith("_FAILURE")}


def test_every_condition_is_a_state_of_the_wire_format() -> None:
    known = set(VmState.__members__) | set(LcmState.__members__)
    assert known >= CONDITIONS


def test_every_effect_exists_and_every_job_has_a_result() -> None:
    operations = {
        name.removeprefix("job:") for row in TABLE.values() for name in row.effects if name.startswith("job:")
    }
    named = {name for row in TABLE.values() for name in row.effects if not name.startswith("job:")}
    assert named <= set(EFFECTS)
    shorthand = {"vmm.SHUTDOWN_AGAIN", "tm.EPILOG_AGAIN", "tm.EPILOG_LOCAL"}  # resolved by add_job
    assert operations - shorthand <= set(RESULTS)


def test_every_condition_is_reached_from_the_start() -> None:
    reached, frontier = {"INIT"}, {"INIT"}
    while frontier:
        frontier = {row.target for row in TABLE.values() if row.origin in frontier} - {"="} - reached
        reached |= frontier
    # UNKNOWN is entered by monitoring, which is not a part of this table yet.
    assert CONDITIONS - reached <= {"UNKNOWN", "BOOT_UNKNOWN"}


@pytest.mark.parametrize("condition", sorted(CONDITIONS - STABLE - FAILURES))
def test_work_under_way_ends_both_ways(condition: str) -> None:
    events = {event for origin, event in TABLE if origin == condition}
    assert any(event.endswith(("_ok", "_done")) for event in events), "no success row"
    assert any(event.endswith(("_failed", "_done")) for event in events), "no failure row"
    assert {"recover_success", "recover_failure", "recover_delete"} <= events
    assert "recover_delete_db" in events


@pytest.mark.parametrize("condition", sorted(FAILURES))
def test_a_failure_can_be_retried_skipped_or_ended(condition: str) -> None:
    events = {event for origin, event in TABLE if origin == condition}
    assert {"recover_retry", "recover_success", "recover_delete", "terminate", "terminate_hard"} <= events


def test_work_is_handed_out_exactly_where_it_is_awaited() -> None:
    """A row that enters a condition that is under way adds exactly one job, others none."""
    for row in TABLE.values():
        work = [name for name in row.effects if name.startswith("job:")]
        if row.target not in STABLE | FAILURES | {"="}:
            assert len(work) == 1, row
        elif row.target != "=":
            assert not work, row


def test_targets_agree_with_the_original(shared_folder: Path) -> None:
    """Where release 6.0's own table has the pair, the target is the same."""
    original: dict[tuple[str, str], set[str]] = {}
    with open(shared_folder / "spec/lifecycle.csv", newline="") as file:
        for line in csv.DictReader(file):
            origin = line["from_lcm"] if line["from_state"] == "ACTIVE" else line["from_state"]
            target = line["to_lcm"] if line["to_state"] == "ACTIVE" else line["to_state"]
            kind, _, words = line["event"].partition(":")
            event = words.split(" (")[0].strip().replace("-", "_")
            if kind == "user" and event != "deploy":
                original.setdefault((origin, event), set()).add(target)
    # Ours goes through CLEANUP_DELETE until the driver has cleaned up; the original answers DONE at once.
    slower = {"POWEROFF", "SUSPENDED", "STOPPED", "UNDEPLOYED"}
    compared = 0
    for (origin, event), row in TABLE.items():
        if (origin, event) not in original or (event == "recover_delete" and origin in slower):
            continue
        target = origin if row.target == "=" else row.target
        assert target in original[origin, event], (
            f"{origin} {event}: {target}, original {original[origin, event]}"
        )
        compared += 1
    assert compared > 150
