"""The tree of snapshots: what new ones hang on, which may go, and the element that documents keep."""

from __future__ import annotations

import pytest

from services.common import xmldoc
from services.oned.model.snapshots import Orphans, Snapshots


def taken(mode: Orphans, *, disk_id: int = 0) -> Snapshots:
    """Three snapshots, made one after the other and each made active as OpenNebula does."""
    snapshots = Snapshots(disk_id, mode)
    for name in ("a", "", "c"):
        number = snapshots.create(name, 100, date=5)
        snapshots.activate(number, revert=False)
    return snapshots


def parents(snapshots: Snapshots) -> list[str]:
    return [vector["PARENT"] for vector in snapshots.all()]


def test_an_empty_list() -> None:
    assert Snapshots().to_xml() == (
        "<SNAPSHOTS><ALLOW_ORPHANS><![CDATA[NO]]></ALLOW_ORPHANS><CURRENT_BASE><![CDATA[-1]]></CURRENT_BASE>"
        "<NEXT_SNAPSHOT><![CDATA[0]]></NEXT_SNAPSHOT></SNAPSHOTS>"
    )
    assert (Snapshots().active, Snapshots().disk_id, len(Snapshots())) == (-1, -1, 0)


def test_a_chain_where_orphans_are_denied() -> None:
    snapshots = taken(Orphans.DENY)
    assert parents(snapshots) == ["-1", "0", "1"]
    assert [vector.get("CHILDREN") for vector in snapshots.all()] == ["1", "2", None]
    assert (snapshots.active, snapshots.next_id, snapshots.total_size_mb) == (2, 3, 300)
    assert snapshots.activate(0, revert=True)
    branch = snapshots.create("d", 50, date=6)
    assert snapshots.find(branch) == {"ID": "3", "NAME": "d", "SIZE": "50", "DATE": "6", "PARENT": "0"}
    assert snapshots.all()[0]["CHILDREN"] == "1,3"


def test_each_alone_where_orphans_are_allowed() -> None:
    snapshots = taken(Orphans.ALLOW)
    assert parents(snapshots) == ["-1", "-1", "-1"]
    assert snapshots.refusal_to_delete(snapshots.active) == ""


def test_mixed_hangs_on_what_was_reverted_to() -> None:
    snapshots = taken(Orphans.MIXED)
    assert parents(snapshots) == ["-1", "-1", "-1"] and snapshots.active == -1
    snapshots.activate(1, revert=True)
    snapshots.create("d", 1, date=6)
    assert parents(snapshots)[3] == "1" and snapshots.current_base == 1
    assert snapshots.refusal_to_delete(1) != ""


def test_what_may_not_be_deleted() -> None:
    snapshots = taken(Orphans.DENY)
    assert snapshots.refusal_to_delete(2) == "Cannot delete the active snapshot"
    assert snapshots.refusal_to_delete(0) == "Cannot delete snapshot with children"
    assert snapshots.refusal_to_delete(7) == "Snapshot does not exist"
    snapshots.activate(1, revert=True)
    assert snapshots.refusal_to_delete(2) == ""
    snapshots.delete(2)
    snapshots.delete(2)
    assert 2 not in snapshots and "CHILDREN" not in snapshots.all()[1]
    assert snapshots.create("again", 1) == 3, "numbers are not used twice"


def test_names_sizes_and_unknown_ids() -> None:
    snapshots = taken(Orphans.DENY)
    assert snapshots.rename(1, "new") and snapshots.all()[1]["NAME"] == "new"
    assert not snapshots.rename(9, "x") and not snapshots.activate(9, revert=True)
    assert (snapshots.size_mb(1), snapshots.size_mb(9)) == (100, 0)


def test_the_element_is_read_as_it_was_written() -> None:
    snapshots = taken(Orphans.DENY, disk_id=4)
    text = snapshots.to_xml()
    again = Snapshots.from_element(xmldoc.parse(text))
    assert again.to_xml() == text and (again.disk_id, again.active) == (4, 2)
    assert [child.tag for child in xmldoc.parse(text)][:4] == [
        "ALLOW_ORPHANS",
        "CURRENT_BASE",
        "DISK_ID",
        "NEXT_SNAPSHOT",
    ]
    copy = again.copy()
    copy.disk_id = -1
    copy.delete(2)
    assert again.to_xml() == text and "DISK_ID" not in copy.to_xml()


def test_a_flattened_list_has_nothing() -> None:
    snapshots = taken(Orphans.ALLOW)
    snapshots.clear()
    assert snapshots.to_xml() == "<SNAPSHOTS></SNAPSHOTS>"
    again = Snapshots.from_element(xmldoc.parse("<SNAPSHOTS></SNAPSHOTS>"))
    assert (again.orphans, again.next_id, again.active) == (Orphans.DENY, 0, -1)


@pytest.mark.parametrize(
    ("word", "mode"), [("yes", Orphans.ALLOW), ("Mixed", Orphans.MIXED), ("", Orphans.DENY)]
)
def test_words_of_the_mode(word: str, mode: Orphans) -> None:
    assert Orphans.of(word) is mode
