"""Plans that move disks: the actions of each operation and their argument order."""

from __future__ import annotations

import pytest

from services.oned.drivers import tm_plan
from services.oned.drivers.step import PlanError, Step
from tests.unit.oned.drivers.conftest import Make, lines

DISKS = """
DISK=[DISK_ID="0",TM_MAD="qcow2",SOURCE="/ds/1/abc",CLONE="YES",DATASTORE_ID="1",TM_MAD_SYSTEM="ssh",SAVE="NO"]
DISK=[DISK_ID="1",TM_MAD="ceph",SOURCE="one/one-5",CLONE="NO",DATASTORE_ID="108",SAVE="YES",LN_TARGET="NONE"]
DISK=[DISK_ID="2",TYPE="fs",SIZE="512",FORMAT="qcow2"]
DISK=[DISK_ID="3",TYPE="swap",SIZE="64"]
CONTEXT=[DISK_ID="4",TARGET="hda",NETWORK="YES"]
"""
OF_IMAGE = 'DISK=[DISK_ID="0",TM_MAD="ssh",SOURCE="/x",CLONE="{clone}",DATASTORE_ID="1",{more}]'


def names(steps: list[Step], *actions: str) -> list[str]:
    """The lines of some actions only."""
    return [line for line, step in zip(lines(steps), steps, strict=True) if step.action in actions]


def test_prolog(context: Make) -> None:
    steps = tm_plan.prolog(context("lxc", DISKS))
    assert lines(steps) == [
        "tm/qcow2/clone fe:/ds/1/abc node1:/ds/104/7/disk.0 7 1",
        "tm/ceph/ln fe:one/one-5 node1:/ds/104/7/disk.1 7 108",
        "tm/ssh/mkimage 512 qcow2 node1:/ds/104/7/disk.2 7 104",
        "tm/ssh/mkswap 64 node1:/ds/104/7/disk.3 7 104",
    ]
    assert [step.variant for step in steps] == ["clone.ssh", "", "", ""]


def test_what_is_made_anew_after_a_crash_is_deleted_first(context: Make) -> None:
    clone, link, image, _ = tm_plan.prolog(context("lxc", DISKS))
    assert lines(clone.redo) == ["tm/qcow2/delete node1:/ds/104/7/disk.0 7 1"]
    assert clone.redo[0].variant == "delete.ssh"
    assert link.redo == ()  # behind it is the only copy
    assert lines(image.redo) == ["tm/ssh/delete node1:/ds/104/7/disk.2 7 104"]


def test_sources_that_are_no_files(context: Make) -> None:
    disk = 'DISK=[DISK_ID="0",TM_MAD="iscsi",SOURCE="iqn.2021:disk",CLONE="NO",DATASTORE_ID="1"]'
    assert lines(tm_plan.prolog(context("lxc", disk))) == [
        "tm/iscsi/ln iqn.2021:disk node1:/ds/104/7/disk.0 7 1"
    ]


def test_kernel_and_ram_disk(context: Make) -> None:
    os = 'OS=[KERNEL_DS="$FILE[IMAGE_ID=3]",KERNEL_DS_SOURCE="/ds/2/k",KERNEL_DS_DSID="2",KERNEL_DS_TM="ssh",'
    ram = 'INITRD_DS="$FILE[IMAGE_ID=4]",INITRD_DS_SOURCE="/ds/2/r",INITRD_DS_DSID="2"]'
    assert lines(tm_plan.prolog(context("lxc", os + ram))) == [
        "tm/ssh/clone fe:/ds/2/k node1:/ds/104/7/kernel 7 2"
    ]


def test_volatile_disks_of_unknown_size_are_left_out(context: Make) -> None:
    disks = 'DISK=[DISK_ID="0",TYPE="fs",SIZE="5"] DISK=[DISK_ID="1",TYPE="swap"]'
    assert tm_plan.prolog(context("lxc", disks)) == []


def test_a_disk_that_does_not_say_enough(context: Make) -> None:
    with pytest.raises(PlanError, match="disk 0 of vm 7 lacks SOURCE, CLONE, it cannot be transferred"):
        tm_plan.prolog(context("lxc", 'DISK=[DISK_ID="0",TM_MAD="ssh",DATASTORE_ID="1"]'))


def test_prolog_of_a_vm_without_disks_has_no_steps(context: Make) -> None:
    assert tm_plan.prolog(context("lxc", 'CPU="1" CONTEXT=[A="1",DISK_ID="0"]')) == []


def test_epilog(context: Make) -> None:
    assert lines(tm_plan.epilog(context("lxc", DISKS))) == [
        "tm/qcow2/delete node1:/ds/104/7/disk.0 7 1",
        "tm/ceph/mvds node1:/ds/104/7/disk.1 one/one-5 7 108",
        "tm/ssh/delete node1:/ds/104/7/disk.2 7 104",
        "tm/ssh/delete node1:/ds/104/7/disk.3 7 104",
        "tm/ssh/delete node1:/ds/104/7 7 104",
    ]
    local = context("lxc", OF_IMAGE.format(clone="YES", more='SAVE="NO"'), local=True)
    assert lines(tm_plan.epilog(local)) == [
        "tm/ssh/delete fe:/ds/104/7/disk.0 7 1",
        "tm/ssh/delete fe:/ds/104/7 7 104",
    ]


def test_a_disk_that_cannot_be_saved_is_not_deleted(context: Make) -> None:
    with pytest.raises(PlanError, match="disk 0 of vm 7 is to be saved, but lacks SOURCE"):
        tm_plan.epilog(context("lxc", 'DISK=[DISK_ID="0",TM_MAD="ssh",SAVE="YES",DATASTORE_ID="1"]'))


def test_epilog_delete_keeps_nothing(context: Make) -> None:
    steps = tm_plan.epilog_delete(context("lxc", DISKS))
    assert lines(steps) == [
        "tm/qcow2/delete node1:/ds/104/7/disk.0 7 1",
        "tm/ceph/delete node1:/ds/104/7/disk.1 7 108",
        "tm/ssh/delete node1:/ds/104/7/disk.2 7 104",
        "tm/ssh/delete node1:/ds/104/7/disk.3 7 104",
        "tm/ssh/delete node1:/ds/104/7 7 104",
        "tm/transit/release /ds/104/7 *",
    ]
    assert all(step.ignore_failure for step in steps)


def test_epilog_delete_of_a_move_that_was_under_way(context: Make) -> None:
    disk = OF_IMAGE.format(clone="YES", more='SAVE="NO"')
    steps = tm_plan.epilog_delete(context("lxc", disk, before=("node0", 103), both=True))
    assert names(steps, "delete") == [
        "tm/ssh/delete node1:/ds/104/7/disk.0 7 1",
        "tm/ssh/delete node1:/ds/104/7 7 104",
        "tm/ssh/delete node0:/ds/103/7/disk.0 7 1",
        "tm/ssh/delete node0:/ds/103/7 7 103",
    ]


def test_epilog_delete_of_disks_on_their_way_to_the_front_end(context: Make) -> None:
    steps = tm_plan.epilog_delete(context("lxc", before=("node0", 103), front_end=True))
    assert names(steps, "delete") == [
        "tm/ssh/delete node1:/ds/104/7 7 104",
        "tm/ssh/delete fe:/ds/104/7 7 104",
        "tm/ssh/delete fe:/ds/103/7 7 103",
    ]


@pytest.mark.parametrize(
    ("operation", "before", "moves"),
    [
        (
            tm_plan.prolog_migrate,
            ("node0", 103),
            [
                "tm/ssh/mv node0:/ds/103/7/disk.0 node1:/ds/104/7/disk.0 7 1",
                "tm/ssh/mv node0:/ds/103/7/disk.1 node1:/ds/104/7/disk.1 7 104",
                "tm/ssh/mv node0:/ds/103/7 node1:/ds/104/7 7 104",
            ],
        ),
        (
            tm_plan.prolog_resume,
            ("node0", 103),
            [
                "tm/ssh/mv fe:/ds/103/7/disk.0 node1:/ds/104/7/disk.0 7 1",
                "tm/ssh/mv fe:/ds/103/7/disk.1 node1:/ds/104/7/disk.1 7 104",
                "tm/ssh/mv fe:/ds/103/7 node1:/ds/104/7 7 104",
            ],
        ),
        (
            tm_plan.epilog_stop,
            None,
            [
                "tm/ssh/mv node1:/ds/104/7/disk.0 fe:/ds/104/7/disk.0 7 1",
                "tm/ssh/mv node1:/ds/104/7/disk.1 fe:/ds/104/7/disk.1 7 104",
                "tm/ssh/mv node1:/ds/104/7 fe:/ds/104/7 7 104",
            ],
        ),
    ],
)
def test_moves(
    context: Make, operation: tm_plan.Builder, before: tuple[str, int] | None, moves: list[str]
) -> None:
    disks = OF_IMAGE.format(clone="YES", more='TM_MAD_SYSTEM="shared"')
    steps = operation(context("lxc", f'{disks} DISK=[DISK_ID="1",TYPE="fs",SIZE="5"]', before=before))
    assert names(steps, "mv") == moves
    assert [step.variant for step in steps if step.action == "mv"] == ["mv.shared", "", ""]


def test_a_move_needs_to_know_where_from(context: Make) -> None:
    with pytest.raises(PlanError, match="vm 7 has no history record before 3"):
        tm_plan.prolog_migrate(context("lxc"))


MARKED = """
DISK=[DISK_ID="0",TM_MAD="ssh",SOURCE="/x",CLONE="YES",DATASTORE_ID="1"]
DISK=[DISK_ID="1",TM_MAD="ssh",SOURCE="/y",CLONE="{clone}",SAVE="{save}",DATASTORE_ID="1",TM_MAD_SYSTEM="ssh",{mark}]
"""


def marked(mark: str, clone: str = "YES", save: str = "NO") -> str:
    return MARKED.format(clone=clone, save=save, mark=mark)


def test_attach_and_detach(context: Make) -> None:
    assert lines(tm_plan.prolog_attach(context("lxc", marked('ATTACH="YES"')))) == [
        "tm/ssh/clone fe:/y node1:/ds/104/7/disk.1 7 1"
    ]
    assert lines(tm_plan.epilog_detach(context("lxc", marked('ATTACH="YES"')))) == [
        "tm/ssh/delete node1:/ds/104/7/disk.1 7 1"
    ]
    saved = tm_plan.epilog_detach(context("lxc", marked('ATTACH="YES"', "NO", "YES")))
    assert lines(saved) == ["tm/ssh/mvds node1:/ds/104/7/disk.1 /y 7 1"]
    assert saved[0].variant == "mvds.ssh"
    with pytest.raises(PlanError, match="vm 7 has no disk with ATTACH=YES"):
        tm_plan.prolog_attach(context("lxc", DISKS))


@pytest.mark.parametrize(("is_local", "place"), [(False, "node1"), (True, "fe")])
def test_save_as(context: Make, is_local: bool, place: str) -> None:
    mark = 'HOTPLUG_SAVE_AS_ACTIVE="YES",HOTPLUG_SAVE_AS="9",HOTPLUG_SAVE_AS_SOURCE="/ds/1/new"'
    steps = tm_plan.save_as(context("lxc", marked(mark), local=is_local))
    assert lines(steps) == [f"tm/ssh/cpds {place}:/ds/104/7/disk.1 /ds/1/new -1 7 1"]
    assert steps[0].variant == "cpds.ssh"
    steps = tm_plan.save_as(context("lxc", marked(mark + ',HOTPLUG_SAVE_AS_SNAPSHOT_ID="2"'), local=is_local))
    assert lines(steps) == [f"tm/ssh/cpds {place}:/ds/104/7/disk.1 /ds/1/new 2 7 1"]
    with pytest.raises(PlanError, match="there is no place yet"):
        tm_plan.save_as(context("lxc", marked('HOTPLUG_SAVE_AS_ACTIVE="YES"')))


@pytest.mark.parametrize(("is_local", "place"), [(False, "node1"), (True, "fe")])
def test_resize(context: Make, is_local: bool, place: str) -> None:
    steps = tm_plan.resize(context("lxc", marked('RESIZE="YES",SIZE="900",SIZE_PREV="5"'), local=is_local))
    assert lines(steps) == [f"tm/ssh/resize {place}:/ds/104/7/disk.1 900 7 1"]


@pytest.mark.parametrize(
    ("operation", "action", "look"),
    [
        ("CREATE", "snap_create", "snapped"),
        ("REVERT", "snap_revert", None),
        ("DELETE", "snap_delete", "unsnapped"),
    ],
)
def test_disk_snapshots(context: Make, operation: str, action: str, look: str | None) -> None:
    mark = 'DISK_SNAPSHOT_ACTIVE="YES",DISK_SNAPSHOT_ID="4"'
    (step,) = tm_plan.BUILDERS[f"tm.DISK_SNAPSHOT_{operation}"](context("lxc", marked(mark)))
    assert lines([step]) == [f"tm/ssh/{action} node1:/ds/104/7/disk.1 4 7 1"]
    assert step.variant == f"{action}.ssh"
    if look is None:
        assert step.probe is None
    else:
        assert step.probe is not None
        assert lines([step.probe.step]) == [f"tm/transit/{look} /ds/104/7/disk.1 4"]
        assert step.probe.wanted.value == "done"


def test_dummy_hosts_simulate_transfers(context: Make) -> None:
    made = context("dummy", DISKS, before=("node0", 104))
    for operation, build in tm_plan.BUILDERS.items():
        if operation in (
            "tm.PROLOG",
            "tm.PROLOG_MIGRATE",
            "tm.PROLOG_RESUME",
            "tm.EPILOG",
            "tm.EPILOG_DELETE",
        ):
            steps = build(made)
            assert {step.driver for step in steps} == {"dummy"}, operation
    assert lines(tm_plan.prolog_migrate(made))[0] == "tm/dummy/hold node0 /ds/104/7 3.move"
