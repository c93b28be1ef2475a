"""Plans that move or save disks: what is done so that nothing of them is lost."""

from __future__ import annotations

from services.oned.drivers import tm_plan, vmm_plan
from services.oned.drivers.step import Step
from services.oned.drivers.vm_context import VmContext
from tests.unit.oned.drivers.conftest import Make, lines

DISK = (
    'DISK=[DISK_ID="0",TM_MAD="ssh",SOURCE="/x",CLONE="{clone}",SAVE="{save}",DATASTORE_ID="1",'
    'LN_TARGET="SYSTEM"]'
)
COPY, SAVED = DISK.format(clone="YES", save="NO"), DISK.format(clone="NO", save="YES")


def found(steps: list[Step], action: str) -> Step:
    return next(step for step in steps if step.action == action)


def runs(steps: list[Step], **notes: str) -> list[str]:
    """The steps that are run when those of some notes have printed that, without ours for the folder."""
    return [step.name for step in steps if step.when is None or step.when.holds(notes)]


def moved(context: Make, **more: object) -> list[Step]:
    return tm_plan.prolog_migrate(context("lxc", COPY, before=("node0", 103), **more))


def test_a_move_is_held_and_verified(context: Make) -> None:
    steps = moved(context)
    assert lines(steps) == [
        "tm/transit/hold /ds/103/7 3.move",
        "tm/transit/check /ds/104/7 3.move",
        "tm/ssh/mv node0:/ds/103/7/disk.0 node1:/ds/104/7/disk.0 7 1",
        "tm/ssh/mv node0:/ds/103/7 node1:/ds/104/7 7 104",
        "tm/transit/verify /ds/104/7 3.move",
        "tm/transit/release /ds/103/7 3.move",
        "tm/transit/release /ds/104/7 3.move",
    ]
    assert [step.host for step in steps] == ["node0", "node1", "", "", "node1", "node0", "node1"]
    assert all(step.is_piped for step in steps if step.driver == "transit")


def test_what_is_run_depends_on_what_is_found(context: Make) -> None:
    steps = moved(context)
    hold, check, mv, verify, release = (f"tm/{x}" for x in (
        "transit/hold", "transit/check", "ssh/mv", "transit/verify", "transit/release",
    ))  # fmt: skip
    assert runs(steps, origin="STATE=here\n{}") == [hold, mv, mv, verify, release]
    # Begun again after it was done: nothing is moved, for that would delete what has arrived.
    assert runs(steps, origin="STATE=gone\n", target="STATE=arrived\n") == [hold, check, release]
    assert runs(steps, origin="STATE=partial\n{}", target="STATE=arrived\n") == [hold, check, release]
    # Gone, and not by us: the driver may know; what is at the target is held.
    assert runs(steps, origin="STATE=gone\n", target="STATE=there\n") == [
        hold,
        check,
        mv,
        mv,
        release,
        release,
    ]
    assert runs(steps, origin="STATE=gone\n", target="STATE=none\n") == [hold, check, mv, mv, release]


def test_a_move_that_fails_gives_everything_back(context: Make) -> None:
    steps = moved(context)
    at_both = ["tm/transit/putback /ds/103/7 3.move", "tm/transit/putback /ds/104/7 3.move"]
    assert lines(found(steps, "mv").undo) == at_both
    assert [step.host for step in found(steps, "mv").undo] == ["node0", "node1"]
    assert lines(found(steps, "verify").undo) == at_both[:1]
    assert not found(steps, "verify").ignore_failure
    assert (found(steps, "verify").stdin_note, found(steps, "check").stdin_note) == ("origin", "origin")


def test_a_node_that_is_probably_dead_is_not_waited_for(context: Make) -> None:
    steps = moved(context, condition="PROLOG_MIGRATE_UNKNOWN")
    hold = found(steps, "hold")
    assert hold.ignore_failure and hold.timeout_s == 60
    assert runs(steps, origin="") == ["tm/transit/hold", "tm/ssh/mv", "tm/ssh/mv"]
    assert lines(found(steps, "mv").undo) == ["tm/transit/putback /ds/104/7 3.move"]


def test_the_front_end_need_not_see_a_shared_datastore(context: Make) -> None:
    steps = tm_plan.epilog_stop(context("lxc", COPY))
    assert [(step.action, step.host) for step in steps] == [
        ("hold", "node1"),
        ("check", ""),
        ("mv", ""),
        ("mv", ""),
        ("verify", ""),
        ("stay", "node1"),
        ("release", "node1"),
        ("release", ""),
    ]
    assert found(steps, "verify").ignore_failure
    assert "tm/transit/stay" in runs(steps, origin="STATE=here", arrival="STATE=missing")
    assert "tm/transit/stay" not in runs(steps, origin="STATE=here", arrival="STATE=arrived")
    assert lines(found(steps, "stay").undo) == ["tm/transit/putback /ds/104/7 3.stop"]


def test_folders_that_no_driver_moves_are_left_alone(context: Make) -> None:
    assert lines(moved(context, tm_mad="dummy")) == [
        "tm/ssh/mv node0:/ds/103/7/disk.0 node1:/ds/104/7/disk.0 7 1",
        "tm/dummy/mv node0:/ds/103/7 node1:/ds/104/7 7 104",
    ]
    cloud = tm_plan.prolog_migrate(context("cloud", COPY, before=("node0", 103)))
    assert {step.action for step in cloud} == {"mv"}


def test_copied_disks_are_saved_once_and_for_all(context: Make) -> None:
    steps = tm_plan.epilog(context("lxc", SAVED))
    assert lines(steps) == [
        "tm/transit/secure /ds/104/7 3.end disk.0",
        "tm/ssh/mvds node1:/ds/104/7/disk.0 /x 7 1",
        "tm/ssh/delete node1:/ds/104/7 7 104",
        "tm/transit/finish /ds/104/7 3.end",
    ]
    assert lines(found(steps, "mvds").undo) == ["tm/transit/putback /ds/104/7 3.end"]
    assert runs(steps, origin="STATE=done") == ["tm/transit/secure", "tm/ssh/delete", "tm/transit/finish"]
    assert not found(steps, "secure").ignore_failure
    detached = tm_plan.epilog_detach(context("lxc", SAVED.replace("]", ',ATTACH="YES"]')))
    assert lines(detached) == [
        "tm/transit/secure /ds/104/7 3.detach0 disk.0",
        "tm/ssh/mvds node1:/ds/104/7/disk.0 /x 7 1",
        "tm/transit/finish /ds/104/7 3.detach0",
    ]


def test_before_a_start_what_was_moved_halfway_is_given_back(context: Make) -> None:
    def first(made: VmContext) -> str:
        return lines(vmm_plan.restore(made))[0]

    assert first(context("lxc", before=("node0", 104))) == "tm/transit/putback /ds/104/7 *"
    assert first(context("lxc", before=("node1", 103))) == "tm/transit/putback /ds/104/7 *"
    assert first(context("lxc")).startswith("vmm/lxc/restore")
    assert lines(vmm_plan.deploy(context("dummy", before=("node0", 104))))[0] == (
        "tm/dummy/putback node1 /ds/104/7 *"
    )
