"""What a node says of its machines' states: a whole list, then only changes, then who is missing for good."""

from __future__ import annotations

from pathlib import Path

from im_libvirt import Domain
from im_machines import Known

A = Domain("aaaa", "one-1", 1, "RUNNING")
B = Domain("bbbb", "web", -1, "RUNNING")
LINE_A = 'VM=[ID="1",DEPLOY_ID="aaaa",STATE="RUNNING"]\n'
LINE_B = 'VM=[ID="-1",DEPLOY_ID="bbbb",STATE="RUNNING"]\n'


def known() -> Known:
    """A memory that has said A and B at second 1000."""
    made = Known(times_missing=2, sync_s=180)
    assert made.report([A, B], 1000) == f"SYNC_STATE=yes\nMISSING_STATE=POWEROFF\n{LINE_A}{LINE_B}"
    return made


def test_no_news() -> None:
    """Nothing is said while nothing changes, until the next whole list."""
    memory = known()
    assert memory.report([A, B], 1005) == ""
    assert memory.report([A, B], 1180) == ""
    assert memory.report([A, B], 1181).startswith("SYNC_STATE=yes")


def test_changes_and_new_machines() -> None:
    """Each once."""
    memory = known()
    paused = Domain("aaaa", "one-1", 1, "SUSPENDED")
    assert memory.report([paused, B], 1005) == LINE_A.replace("RUNNING", "SUSPENDED")
    assert memory.report([paused, B, Domain("cccc", "one-2", 2, "RUNNING")], 1010) == (
        'VM=[ID="2",DEPLOY_ID="cccc",STATE="RUNNING"]\n'
    )
    assert memory.report([paused, B, Domain("cccc", "one-2", 2, "RUNNING")], 1015) == ""


def test_missing() -> None:
    """Only after it was looked for some times; then once."""
    memory = known()
    assert [memory.report([B], 1005 + 5 * look) for look in range(4)] == [
        *("", ""),
        LINE_A.replace("RUNNING", "POWEROFF"),
        "",
    ]


def test_back_in_time() -> None:
    """A machine that was missing for a moment is no news."""
    memory = known()
    assert memory.report([B], 1005) == "" and memory.report([B], 1010) == ""
    assert memory.report([A, B], 1015) == ""
    assert memory.report([B], 1020) == ""


def test_started_anew_with_another_uuid() -> None:
    """It is the same VM: no news, and the old machine is not missing."""
    memory = known()
    again = Domain("dddd", "one-1", 1, "RUNNING")
    assert [memory.report([again, B], 1005 + 5 * look) for look in range(5)] == [""] * 5


def test_not_heard() -> None:
    """After a report that could not be sent, and after the clock was set back, all is said again."""
    memory = known()
    memory.forget_sync()
    assert memory.report([A, B], 1005).startswith("SYNC_STATE=yes")
    assert memory.report([A, B], 100).startswith("SYNC_STATE=yes")


def test_kept_between_processes(tmp_path: Path) -> None:
    """A probe that is a process of its own goes on; what is too old, or no memory at all, is not used."""
    path = str(tmp_path / "status")
    known().save(path)
    later = Known(2, 180)
    later.load(path, 3600, 1005)
    assert later.report([A], 1005) == ""
    old = Known(2, 1800)
    old.load(path, 3600, 9000)
    assert old.machines == {}
    for text in (
        "",
        "[]",
        '{"machines": 3, "last_sync_s": "x"}',
        '{"last_sync_s": 5, "machines": {"a": [1]}}',
    ):
        Path(path).write_text(text)
        fresh = Known(2, 180)
        fresh.load(path, 3600, 1005)
        assert fresh.report([A], 1005).startswith("SYNC_STATE=yes")
